package preprocess_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"image"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"tirewatch/vision/frame"
	"tirewatch/vision/preprocess"
)

// noise returns a repeatable frame with structure at every scale.
func noise(w, h int, format frame.Format) *frame.Frame {
	rng := rand.New(rand.NewPCG(7, uint64(w*h)))
	f := &frame.Frame{Width: w, Height: h, Stride: w*format.Channels() + 5, Format: format}
	f.Pix = make([]byte, f.Stride*h)
	for i := range f.Pix {
		f.Pix[i] = uint8(rng.Uint32()>>25) + uint8(i%f.Stride/8)
	}
	return f
}

// The bytes that the network sees are part of the contract between PC and station. These hashes are
// the same on every architecture. A change to them makes every installed model see different
// images.
func TestGolden(t *testing.T) {
	for _, c := range []struct {
		name   string
		f      *frame.Frame
		roi    image.Rectangle
		sha256 string // first 8 bytes
	}{
		{"shrink a full HD frame", noise(1920, 1080, frame.BGR), image.Rect(420, 0, 1500, 1080), "ee67dbfbdb65bc99"},
		{"enlarge a small photograph", noise(227, 227, frame.Gray), image.Rect(0, 0, 227, 227), "1d41941f3549e676"},
		{"stretch a portrait", noise(301, 640, frame.RGBA), image.Rect(0, 0, 301, 640), "67abe95febc2a4d1"},
		{"one pixel", noise(1, 1, frame.Gray), image.Rect(0, 0, 1, 1), "602af097ec3f1a20"},
		{"same size", noise(379, 379, frame.Gray), image.Rect(0, 0, 379, 379), "e16bc442599b8815"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := preprocess.Thesis()
			dst := make([]byte, s.Size())
			if err := s.Apply(dst, c.f, c.roi); err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(dst)
			if got := hex.EncodeToString(sum[:8]); got != c.sha256 {
				t.Errorf("hash %s, want %s", got, c.sha256)
			}
		})
	}
}

// The integer resampler differs from the same filter in float64 by less than one grey level.
func TestAgainstFloat(t *testing.T) {
	for _, size := range []image.Point{{1000, 800}, {380, 379}, {378, 100}, {50, 2000}, {2, 3}} {
		f := noise(size.X, size.Y, frame.Gray)
		s := preprocess.Spec{Width: 61, Height: 47, Filter: preprocess.FilterTriangle}
		got := make([]byte, s.Size())
		if err := s.Apply(got, f, f.Bounds()); err != nil {
			t.Fatal(err)
		}
		worst := 0.0
		for y := range s.Height {
			for x := range s.Width {
				want := reference(f, s, x, y)
				worst = max(worst, math.Abs(want-float64(got[y*s.Width+x])))
			}
		}
		if worst > 0.75 { // half a level from rounding and a quarter from 14-bit weights
			t.Errorf("%v: the error is %.2f levels", size, worst)
		}
	}
}

// reference is the textbook form of the triangle filter.
func reference(f *frame.Frame, s preprocess.Spec, x, y int) float64 {
	axis := func(src, dst, i int) (first int, w []float64) {
		scale := float64(src) / float64(dst)
		centre, reach := (float64(i)+0.5)*scale, max(1, scale)
		first = max(0, int(math.Floor(centre-reach)))
		sum := 0.0
		for j := first; j < src && float64(j) < centre+reach; j++ {
			v := max(0, 1-math.Abs(float64(j)+0.5-centre)/reach)
			w, sum = append(w, v), sum+v
		}
		for k := range w {
			w[k] /= sum
		}
		return first, w
	}
	x0, wx := axis(f.Width, s.Width, x)
	y0, wy := axis(f.Height, s.Height, y)
	sum := 0.0
	for j, a := range wy {
		for i, b := range wx {
			sum += a * b * float64(f.Pix[(y0+j)*f.Stride+x0+i])
		}
	}
	return sum
}

// A uniform image of any size stays uniform, because rounded weights still sum to one.
func TestFlatStaysFlat(t *testing.T) {
	for w := 1; w < 900; w += 13 {
		f := frame.NewGray(w, 1000-w)
		for i := range f.Pix {
			f.Pix[i] = 255
		}
		s := preprocess.Thesis()
		dst := make([]byte, s.Size())
		if err := s.Apply(dst, f, f.Bounds()); err != nil {
			t.Fatal(err)
		}
		for i, v := range dst {
			if v != 255 {
				t.Fatalf("%d x %d: byte %d is %d", w, 1000-w, i, v)
			}
		}
	}
}

func TestApplyRefuses(t *testing.T) {
	s, f := preprocess.Thesis(), frame.NewGray(100, 80)
	hostile := preprocess.Spec{Width: 1 << 30, Height: 1 << 30, Filter: preprocess.FilterTriangle}
	dst := make([]byte, s.Size())
	short := *f
	short.Pix = short.Pix[:7000]
	for name, err := range map[string]error{
		"empty region":       s.Apply(dst, f, image.Rectangle{}),
		"region outside":     s.Apply(dst, f, image.Rect(0, 0, 101, 80)),
		"short destination":  s.Apply(dst[1:], f, f.Bounds()),
		"short frame":        s.Apply(dst, &short, f.Bounds()),
		"no size":            preprocess.Spec{Filter: preprocess.FilterTriangle}.Apply(nil, f, f.Bounds()),
		"unknown filter":     preprocess.Spec{Width: 379, Height: 379, Filter: "cubic"}.Apply(dst, f, f.Bounds()),
		"a hostile spec":     hostile.Apply(dst, f, f.Bounds()),
		"a frame without px": s.Apply(dst, &frame.Frame{Format: frame.Gray}, f.Bounds()),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := (preprocess.Spec{Width: 9, Height: 9}).Validate(); !errors.Is(err, preprocess.ErrSpec) {
		t.Errorf("error %v, want ErrSpec", err)
	}
}

// A station preprocesses millions of frames, so Apply allocates nothing.
func TestApplyAllocatesNothing(t *testing.T) {
	s, f := preprocess.Thesis(), noise(960, 540, frame.BGR)
	dst := make([]byte, s.Size())
	roi := image.Rect(200, 20, 700, 520)
	if n := testing.AllocsPerRun(5, func() {
		if err := s.Apply(dst, f, roi); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%g allocations per call", n)
	}
}

// Two cases: a frame that is in the cache, and frames that are not, as from a camera. The fastest
// call is reported, because other work on the machine does not affect it.
func BenchmarkApplyFullHD(b *testing.B) {
	s := preprocess.Thesis()
	dst := make([]byte, s.Size())
	for _, c := range []struct {
		name   string
		frames int
	}{{"cached", 1}, {"new", 12}} {
		b.Run(c.name, func(b *testing.B) {
			frames := make([]*frame.Frame, c.frames)
			for i := range frames {
				frames[i] = noise(1920, 1080, frame.BGR)
			}
			fastest := time.Hour
			for i := 0; b.Loop(); i++ {
				f := frames[i%len(frames)]
				start := time.Now()
				if err := s.Apply(dst, f, image.Rect(420, 0, 1500, 1080)); err != nil {
					b.Fatal(err)
				}
				fastest = min(fastest, time.Since(start))
			}
			b.ReportMetric(float64(fastest.Nanoseconds()), "min-ns/op")
		})
	}
}

// An image of exactly the network's size is not changed, so that a network trained on a station's
// kept crops sees exactly the bytes that were judged.
func TestSameSizeIsUnchanged(t *testing.T) {
	for _, s := range []preprocess.Spec{
		preprocess.Thesis(),
		{Width: 1, Height: 1, Filter: preprocess.FilterTriangle},
		{Width: 130, Height: 67, Filter: preprocess.FilterTriangle},
	} {
		f := noise(s.Width, s.Height, frame.Gray)
		got := make([]byte, s.Size())
		if err := s.Apply(got, f, f.Bounds()); err != nil {
			t.Fatal(err)
		}
		for i, v := range got {
			if want := f.Pix[i/s.Width*f.Stride+i%s.Width]; v != want {
				t.Fatalf("%d x %d: byte %d is %d, was %d", s.Width, s.Height, i, v, want)
			}
		}
	}
}
