package augment_test

import (
	"bytes"
	"errors"
	"image"
	"math"
	"math/rand/v2"
	"testing"

	"tirewatch/trainer/augment"
	"tirewatch/vision/frame"
)

// colour is an image of 7 x 5 px in which every pixel has a different colour.
func colour() *frame.Frame {
	f := &frame.Frame{Width: 7, Height: 5, Stride: 28, Format: frame.RGBA, Pix: make([]byte, 140)}
	for i := 0; i < len(f.Pix); i += 4 {
		f.Pix[i], f.Pix[i+1], f.Pix[i+2], f.Pix[i+3] = uint8(i), uint8(200-i), uint8(3*i), 255
	}
	return f
}

func at(f *frame.Frame, x, y int) [4]byte { return [4]byte(f.Pix[y*f.Stride+4*x:]) }

// Flips and quarter turns move pixels and change none. All eight positions of an image occur, and
// no others.
func TestStaticTurnsAreExact(t *testing.T) {
	src := colour()
	last := func(f *frame.Frame) (x, y int) { return f.Width - 1, f.Height - 1 }
	positions := map[string]func(g *frame.Frame, x, y int) (sx, sy int){
		"unchanged":         func(_ *frame.Frame, x, y int) (int, int) { return x, y },
		"mirrored":          func(g *frame.Frame, x, y int) (int, int) { w, _ := last(g); return w - x, y },
		"top down":          func(g *frame.Frame, x, y int) (int, int) { _, h := last(g); return x, h - y },
		"upside-down":       func(g *frame.Frame, x, y int) (int, int) { w, h := last(g); return w - x, h - y },
		"clockwise":         func(g *frame.Frame, x, y int) (int, int) { w, _ := last(g); return y, w - x },
		"counter-clockwise": func(g *frame.Frame, x, y int) (int, int) { _, h := last(g); return h - y, x },
		"transposed":        func(_ *frame.Frame, x, y int) (int, int) { return y, x },
		"anti-transposed":   func(g *frame.Frame, x, y int) (int, int) { w, h := last(g); return h - y, w - x },
	}
	seen := map[string]int{}
	for seed := range uint64(200) {
		g := augment.Static{HorizontalFlip: true, VerticalFlip: true, Turns: true}.Draw(rand.New(rand.NewPCG(seed, 0))).Apply(src)
		found := ""
		for name, from := range positions {
			same := true
			for y := range g.Height {
				for x := range g.Width {
					sx, sy := from(g, x, y)
					same = same && sx < src.Width && sy < src.Height && at(g, x, y) == at(src, sx, sy)
				}
			}
			if same {
				found = name
			}
		}
		if found == "" {
			t.Fatalf("seed %d moved pixels to a wrong place", seed)
		}
		seen[found]++
	}
	if len(seen) != len(positions) {
		t.Errorf("saw %v, want all of %d", seen, len(positions))
	}
}

// Rotation, shear and brightness stay within their ranges and use most of them. On a ramp they have
// the effect that their names say.
func TestStaticRanges(t *testing.T) {
	const n = 101
	ramp := func(value func(x, y int) int) *frame.Frame {
		f := frame.NewGray(n, n)
		for i := range f.Pix {
			f.Pix[i] = uint8(value(i%n, i/n))
		}
		return f
	}
	acrossX, acrossY := ramp(func(x, _ int) int { return 2 * x }), ramp(func(_, y int) int { return 2 * y })
	flat := ramp(func(int, int) int { return 100 })
	// slope is the change of a ramp about its centre, per pixel along x and y.
	slope := func(f *frame.Frame) (dx, dy float64) {
		v := func(x, y int) float64 { return float64(f.Pix[y*n+x]) }
		return (v(60, 50) - v(40, 50)) / 40, (v(50, 60) - v(50, 40)) / 40
	}
	degrees := 180 / math.Pi
	for _, c := range []struct {
		name    string
		static  augment.Static
		limit   float64
		measure func(augment.Change) float64
	}{
		{"rotation", augment.Static{Rotation: 45}, 45, func(c augment.Change) float64 {
			dx, dy := slope(c.Apply(acrossX))
			return math.Atan2(dy, dx) * degrees
		}},
		{"horizontal shear", augment.Static{ShearX: 30}, 30, func(c augment.Change) float64 {
			_, dy := slope(c.Apply(acrossX))
			return math.Atan(dy) * degrees
		}},
		{"vertical shear", augment.Static{ShearY: 30}, 30, func(c augment.Change) float64 {
			dx, _ := slope(c.Apply(acrossY))
			return math.Atan(dx) * degrees
		}},
		{"brightness", augment.Static{Brightness: 0.2}, 20, func(c augment.Change) float64 { return float64(c.Apply(flat).Pix[0]) - 100 }},
	} {
		low, high := 0.0, 0.0
		for seed := range uint64(300) {
			v := c.measure(c.static.Draw(rand.New(rand.NewPCG(seed, 1))))
			low, high = min(low, v), max(high, v)
		}
		if low < -c.limit-1.5 || high > c.limit+1.5 || low > -0.95*c.limit || high < 0.95*c.limit {
			t.Errorf("%s: from %.1f to %.1f, want about -%g to %g", c.name, low, high, c.limit, c.limit)
		}
	}
}

// Outside the photograph its border continues: a white image stays white, without black corners.
func TestStaticFillsWithTheBorder(t *testing.T) {
	f := frame.NewGray(60, 40)
	for i := range f.Pix {
		f.Pix[i] = 255
	}
	s := augment.ThesisStatic()
	s.Brightness = 0
	for seed := range uint64(20) {
		for i, v := range s.Draw(rand.New(rand.NewPCG(seed, 2))).Apply(f).Pix {
			if v != 255 {
				t.Fatalf("seed %d: pixel %d is %d", seed, i, v)
			}
		}
	}
}

func TestStaticVariant(t *testing.T) {
	gray := frame.NewGray(33, 21)
	variant := augment.ThesisStatic().Variant(5)
	encode := func(f *frame.Frame, name string, k int) ([]byte, string) {
		data, ext, err := variant(f, name, k)
		if err != nil {
			t.Fatal(err)
		}
		return data, ext
	}
	for _, c := range []struct {
		f         *frame.Frame
		name, ext string
	}{{colour(), "crack/a.JPG", ".jpg"}, {colour(), "crack/a.png", ".png"}, {gray, "crack/a.jpeg", ".jpg"}, {gray, "crack/a.bmp", ".png"}} {
		data, ext := encode(c.f, c.name, 1)
		img, _, err := image.Decode(bytes.NewReader(data))
		if err != nil || ext != c.ext {
			t.Fatalf("%s: extension %s, error %v", c.name, ext, err)
		}
		if got := frame.FromImage(img).Format; got != c.f.Format {
			t.Errorf("%s: %v became %v", c.name, c.f.Format, got)
		}
		if b := img.Bounds(); b.Dx()*b.Dy() != c.f.Width*c.f.Height {
			t.Errorf("%s: %v of %d x %d px", c.name, b, c.f.Width, c.f.Height)
		}
		again, _ := encode(c.f, c.name, 1)
		if !bytes.Equal(data, again) {
			t.Errorf("%s: a different image from the same seed", c.name)
		}
	}
	one, _ := encode(colour(), "a.png", 1)
	for name, other := range map[string]struct {
		name string
		k    int
	}{"second copy": {"a.png", 2}, "another photograph": {"b.png", 1}} {
		if data, _ := encode(colour(), other.name, other.k); bytes.Equal(one, data) {
			t.Errorf("%s: the same change", name)
		}
	}
}

func TestStaticValidate(t *testing.T) {
	if err := augment.ThesisStatic().Validate(); err != nil {
		t.Error(err)
	}
	if err := (augment.Static{}).Validate(); !errors.Is(err, augment.ErrNoOperation) {
		t.Errorf("nothing chosen: error %v", err)
	}
	for _, s := range []augment.Static{{Rotation: -1}, {Rotation: math.NaN()}, {ShearX: 60}, {ShearY: 45}, {Brightness: 1}} {
		if s.Validate() == nil {
			t.Errorf("%+v was accepted", s)
		}
	}
}
