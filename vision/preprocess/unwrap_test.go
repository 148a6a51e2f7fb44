package preprocess_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"image"
	"math"
	"testing"
	"time"

	"tirewatch/vision/frame"
	"tirewatch/vision/preprocess"
)

// sideWall is a ring in a full HD frame. Its circles have different centres, and their radii are
// not whole pixels.
func sideWall() (*frame.Frame, preprocess.Ring) {
	return noise(1920, 1080, frame.BGR), preprocess.Ring{
		Outer: preprocess.Circle{X: 960*16 + 5, Y: 540*16 - 3, R: 515*16 + 9},
		Inner: preprocess.Circle{X: 962*16 + 1, Y: 537 * 16, R: 290*16 + 2},
	}
}

// The network sees tiles of the strip, so its bytes are part of the contract between PC and station
// too.
func TestUnwrapGolden(t *testing.T) {
	full, ring := sideWall()
	for _, c := range []struct {
		name string
		f    *frame.Frame
		r    preprocess.Ring
		// SHA-256, first 8 bytes; tile is the network's input of the columns around 0 degrees
		strip, tile string
	}{
		{"a side wall in full HD", full, ring, "6444c4f6a2bf9b7c", "484ae3bf6acbd186"},
		{"a small one, at the border", noise(320, 240, frame.Gray), preprocess.Ring{
			Outer: preprocess.Circle{X: 110 * 16, Y: 120 * 16, R: 119 * 16},
			Inner: preprocess.Circle{X: 110*16 + 7, Y: 120 * 16, R: 60 * 16},
		}, "766bed39357996a3", "6167dcd2af788c38"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var u preprocess.Unwrapper
			strip, err := u.Unwrap(c.f, c.r, 300)
			if err != nil {
				t.Fatal(err)
			}
			turn := c.r.Turn()
			s := preprocess.Thesis()
			tile := make([]byte, s.Size())
			if err := s.Apply(tile, strip, image.Rect(turn-150, 0, turn+150, strip.Height)); err != nil {
				t.Fatal(err)
			}
			pix := strip.Gray(nil, strip.Bounds())
			for i, want := range []string{c.strip, c.tile} {
				sum := sha256.Sum256([][]byte{pix, tile}[i])
				if got := hex.EncodeToString(sum[:8]); got != want {
					t.Errorf("%s: hash %s, want %s", []string{"strip", "tile"}[i], got, want)
				}
			}
		})
	}
}

// The strip agrees with bilinear interpolation in float64 along rays from math.Sincos.
func TestUnwrapAgainstFloat(t *testing.T) {
	f, r := sideWall()
	var u preprocess.Unwrapper
	strip, err := u.Unwrap(f, r, 100)
	if err != nil {
		t.Fatal(err)
	}
	if strip.Width != r.Turn()+100 || strip.Height != 225 || strip.Seq != f.Seq {
		t.Fatalf("strip %d x %d", strip.Width, strip.Height)
	}
	gray := f.Gray(nil, f.Bounds())
	worst := 0.0
	for column := range strip.Width {
		sin, cos := math.Sincos(2 * math.Pi * (float64(column) + 0.5) / float64(r.Turn()))
		for row := range strip.Height {
			share := (float64(row) + 0.5) / float64(strip.Height)
			along := func(outer, inner int) float64 { return (float64(outer) + share*float64(inner-outer)) / 16 }
			radius := along(r.Outer.R, r.Inner.R)
			x, y := along(r.Outer.X, r.Inner.X)+radius*sin-0.5, along(r.Outer.Y, r.Inner.Y)-radius*cos-0.5
			x0, y0 := int(x), int(y)
			fx, fy := x-float64(x0), y-float64(y0)
			at := func(x, y int) float64 { return float64(gray[y*f.Width+x]) }
			want := (1-fy)*((1-fx)*at(x0, y0)+fx*at(x0+1, y0)) + fy*((1-fx)*at(x0, y0+1)+fx*at(x0+1, y0+1))
			worst = max(worst, math.Abs(want-float64(strip.Pix[row*strip.Stride+column])))
		}
	}
	if worst > 0.75 { // half a level from rounding, the rest from places with an error of 2^-19 px a row
		t.Errorf("the error is %.3f levels", worst)
	}
}

// A dark dot at a known angle is in the column of that angle. The outer side of the ring is at the
// top of the strip.
func TestUnwrapAngles(t *testing.T) {
	r := preprocess.Ring{
		Outer: preprocess.Circle{X: 200 * 16, Y: 200 * 16, R: 180 * 16},
		Inner: preprocess.Circle{X: 200 * 16, Y: 200 * 16, R: 80 * 16},
	}
	for _, c := range []struct {
		x, y    int
		degrees float64
		row     int // of 100
	}{{200, 40, 0, 20}, {360, 200, 90, 20}, {200, 310, 180, 70}, {110, 200, 270, 90}} {
		f := frame.NewGray(400, 400)
		for i := range f.Pix {
			f.Pix[i] = 200
		}
		for y := c.y - 2; y < c.y+2; y++ {
			for x := c.x - 2; x < c.x+2; x++ {
				f.Pix[y*f.Stride+x] = 0
			}
		}
		var u preprocess.Unwrapper
		strip, err := u.Unwrap(f, r, 0)
		if err != nil {
			t.Fatal(err)
		}
		column := int(c.degrees/360*float64(strip.Width)) % strip.Width
		if got := strip.Pix[c.row*strip.Stride+column]; got > 20 {
			t.Errorf("%g degrees, row %d: level %d, want the dark dot", c.degrees, c.row, got)
		}
	}
}

func TestUnwrapRefuses(t *testing.T) {
	f, ring := sideWall()
	circle := func(x, y, r int) preprocess.Circle { return preprocess.Circle{X: 16 * x, Y: 16 * y, R: 16 * r} }
	for name, r := range map[string]preprocess.Ring{
		"nothing":            {},
		"no hole":            {Outer: circle(900, 500, 300)},
		"no wall":            {Outer: circle(900, 500, 300), Inner: circle(900, 500, 298)},
		"inside out":         {Outer: circle(900, 500, 200), Inner: circle(900, 500, 300)},
		"two that cross":     {Outer: circle(900, 500, 300), Inner: circle(1050, 500, 200)},
		"beside the frame":   {Outer: circle(-400, 500, 300), Inner: circle(-400, 500, 200)},
		"larger than a turn": {Outer: circle(900, 500, 3000), Inner: circle(900, 500, 200)},
		"absurd numbers":     {Outer: circle(1<<26, 500, 1<<26), Inner: circle(1<<26, 500, 20)},
	} {
		if _, err := new(preprocess.Unwrapper).Unwrap(f, r, 0); !errors.Is(err, preprocess.ErrRing) {
			t.Errorf("%s: error %v, want ErrRing", name, err)
		}
	}
	for _, extra := range []int{-1, ring.Turn() + 1} {
		if _, err := new(preprocess.Unwrapper).Unwrap(f, ring, extra); err == nil {
			t.Errorf("%d extra columns: accepted", extra)
		}
	}
}

func TestUnwrapAllocatesNothing(t *testing.T) {
	f, r := sideWall()
	var u preprocess.Unwrapper
	if n := testing.AllocsPerRun(3, func() {
		if _, err := u.Unwrap(f, r, 300); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%g allocations per call", n)
	}
}

// One side wall in a full HD frame. ns/px is per pixel of the strip.
func BenchmarkUnwrapFullHD(b *testing.B) {
	f, r := sideWall()
	var u preprocess.Unwrapper
	fastest := time.Hour
	for b.Loop() {
		start := time.Now()
		if _, err := u.Unwrap(f, r, 300); err != nil {
			b.Fatal(err)
		}
		fastest = min(fastest, time.Since(start))
	}
	b.ReportMetric(float64(fastest.Nanoseconds()), "min-ns/op")
	b.ReportMetric(float64(fastest.Nanoseconds())/float64(r.Turn()*r.Height()), "min-ns/px")
}
