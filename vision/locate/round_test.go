package locate

import (
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"testing"

	"tirewatch/vision/frame"
)

// TestRoundIsPrecise draws tires with random positions, sizes and light. The error of centre and
// radius must stay below 1.5 % of the diameter.
func TestRoundIsPrecise(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 2))
			between := func(a, b float64) float64 { return a + rng.Float64()*(b-a) }
			s := scene{w: 960, h: 540, belt: between(90, 200), weave: between(0, 8),
				light: between(-0.4, 0.4), noise: between(0, 12), seed: seed}
			if seed%4 == 3 {
				s.w, s.h = 640, 480
			}
			r := between(0.16, 0.49) * float64(s.h)
			x, y := between(r, float64(s.w)-r), between(r, float64(s.h)-r)
			s.discs = tire(x, y, r, s.belt)
			found := NewRound(RoundOptions{}).Find(s.draw())
			if len(found) != 1 {
				t.Fatalf("found %+v; want one tire at %.0f, %.0f, radius %.0f", found, x, y, r)
			}
			got := found[0]
			limit := 0.015 * 2 * r
			if off := got.Centre.Sub(Point{x, y}).Len(); off > limit || math.Abs(got.Radius-r) > limit {
				t.Errorf("the error of the centre is %.2f px, of the radius %+.2f px of %.1f; limit %.2f",
					off, got.Radius-r, r, limit)
			}
			if got.Score < DefaultMinScore || got.Score > 1 {
				t.Errorf("score %v", got.Score)
			}
		})
	}
}

func TestRoundChoosesTires(t *testing.T) {
	join := func(parts ...[]disc) (all []disc) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	const belt = 140.0
	for _, c := range []struct {
		name  string
		scene scene
		want  []Point
	}{
		{"empty belt", scene{weave: 10, noise: 10}, nil},
		{"coarse weave", scene{weave: 45, noise: 5}, nil},
		{"noise only", scene{noise: 60}, nil},
		{"one tire", scene{discs: tire(480, 270, 200, belt)}, []Point{{480, 270}}},
		{"weak contrast", scene{discs: []disc{{480, 270, 200, belt - 25, 2}}, noise: 6}, []Point{{480, 270}}},
		// Shadows move the outline of a tire that fills the height a little over the border. It
		// must not pass unseen.
		{"a tire that seems larger than the image", scene{discs: []disc{{480, 258, 266, 38, 1}}},
			[]Point{{480, 258}}},
		{"a tire that is cut", scene{discs: []disc{{480, 240, 266, 38, 1}}}, nil},
		{"half a tire at the left", scene{discs: tire(0, 270, 200, belt)}, nil},
		{"a tire with an eighth outside", scene{discs: tire(150, 270, 200, belt)}, nil},
		{"a tire with a little outside", scene{discs: tire(180, 270, 200, belt)}, nil},
		{"a tire at the very border", scene{discs: tire(201, 270, 200, belt)}, []Point{{201, 270}}},
		{"half a tire beside a whole one", scene{discs: join(tire(20, 270, 200, belt), tire(440, 270, 200, belt))},
			[]Point{{440, 270}}},
		{"two tires that touch", scene{discs: join(tire(230, 270, 200, belt), tire(630, 270, 200, belt))},
			[]Point{{230, 270}, {630, 270}}},
		{"a black box", scene{boxes: []image.Rectangle{image.Rect(300, 90, 660, 450)}}, nil},
		{"a long black box", scene{boxes: []image.Rectangle{image.Rect(0, 150, 960, 390)}}, nil},
		{"a bright plate", scene{discs: []disc{{480, 270, 200, 240, 1}}}, nil},
		{"a hole in a dark sheet", scene{boxes: []image.Rectangle{image.Rect(0, 0, 960, 540)},
			discs: []disc{{480, 270, 180, 150, 1}}}, nil},
		{"a tire beside a box", scene{boxes: []image.Rectangle{image.Rect(700, 100, 900, 500)},
			discs: tire(400, 270, 220, belt)}, []Point{{400, 270}}},
		{"a tire on a dark belt", scene{belt: 70, discs: tire(400, 270, 220, 70), noise: 3}, []Point{{400, 270}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := c.scene
			s.w, s.h = 960, 540
			if s.belt == 0 {
				s.belt = belt
			}
			found := NewRound(RoundOptions{}).Find(s.draw())
			for _, want := range c.want {
				near := 0
				for _, got := range found {
					if got.Centre.Sub(want).Len() < 8 {
						near++
					}
				}
				if near != 1 {
					t.Errorf("%d tires at %v", near, want)
				}
			}
			if len(found) != len(c.want) {
				t.Errorf("found %+v; want tires at %v", found, c.want)
			}
		})
	}
}

// TestRoundOnAllFormats draws one scene in each pixel format. The results must agree.
func TestRoundOnAllFormats(t *testing.T) {
	gray := scene{w: 480, h: 360, belt: 150, discs: tire(240, 180, 140, 150)}.draw()
	want := NewRound(RoundOptions{}).Find(gray)
	if len(want) != 1 {
		t.Fatalf("found %v", want)
	}
	for _, format := range []frame.Format{frame.BGR, frame.RGBA} {
		ch := format.Channels()
		f := &frame.Frame{Width: gray.Width, Height: gray.Height, Format: format, Stride: gray.Width*ch + 5}
		f.Pix = make([]byte, f.Stride*f.Height)
		for y := range gray.Height {
			for x := range gray.Width {
				for c := range ch {
					f.Pix[y*f.Stride+x*ch+c] = gray.Pix[y*gray.Stride+x]
				}
			}
		}
		if got := NewRound(RoundOptions{}).Find(f); len(got) != 1 || got[0] != want[0] {
			t.Errorf("%s: found %v; want %v", format, got, want)
		}
	}
}

func TestRoundPartialAndBounds(t *testing.T) {
	half := scene{w: 960, h: 540, belt: 140, discs: tire(100, 270, 200, 140)}.draw()
	whole := scene{w: 960, h: 540, belt: 140, discs: []disc{{480, 270, 200, 40, 1}}}.draw()
	for _, c := range []struct {
		name string
		o    RoundOptions
		f    *frame.Frame
		want int
	}{
		{"partial tires wanted", RoundOptions{Partial: true}, half, 1},
		{"partial tires not wanted", RoundOptions{}, half, 0},
		{"too small for the bounds", RoundOptions{MinDiameter: 0.8}, whole, 0},
		{"too large for the bounds", RoundOptions{MinDiameter: 0.2, MaxDiameter: 0.6}, whole, 0},
		{"in the bounds", RoundOptions{MinDiameter: 0.6, MaxDiameter: 0.8}, whole, 1},
		{"in the default bounds", RoundOptions{}, whole, 1},
	} {
		if found := NewRound(c.o).Find(c.f); len(found) != c.want {
			t.Errorf("%s: found %+v; want %d", c.name, found, c.want)
		}
	}
}

func TestRoundOnOddFrames(t *testing.T) {
	for _, size := range []image.Point{{1, 1}, {1, 400}, {400, 1}, {7, 7}, {33, 900}, {241, 31}, {1921, 1081}} {
		s := scene{w: size.X, h: size.Y, belt: 128, noise: 30, seed: 9}
		for _, tire := range NewRound(RoundOptions{MinDiameter: 0.01}).Find(s.draw()) {
			if !(tire.Radius > 0) || tire.Crop(image.Rect(0, 0, s.w, s.h), 0.02).Empty() {
				t.Errorf("%v: tire %+v", size, tire)
			}
		}
	}
}

func TestFindDoesNotAllocate(t *testing.T) {
	f := scene{w: 640, h: 480, belt: 140, noise: 8, discs: tire(320, 240, 180, 140)}.draw()
	for name, l := range map[string]Locator{
		"round": NewRound(RoundOptions{}), "region": NewRegion(image.Rect(10, 10, 200, 200), 3),
	} {
		if n := testing.AllocsPerRun(5, func() { l.Find(f) }); n != 0 {
			t.Errorf("%s: %v allocations a frame", name, n)
		}
	}
	rings, whole := NewRings(), Tire{Centre: Point{320, 240}, Radius: 180}
	if n := testing.AllocsPerRun(5, func() { rings.Find(f, whole) }); n != 0 {
		t.Errorf("rings: %v allocations a frame", n)
	}
}

func BenchmarkRound(b *testing.B) {
	gray := scene{w: 960, h: 540, belt: 140, weave: 6, noise: 8, discs: tire(500, 270, 230, 140)}.draw()
	bgr := &frame.Frame{Width: 960, Height: 540, Format: frame.BGR, Stride: 960 * 3}
	for _, p := range gray.Pix {
		bgr.Pix = append(bgr.Pix, p, p, p)
	}
	l := NewRound(RoundOptions{})
	for b.Loop() {
		if len(l.Find(bgr)) != 1 {
			b.Fatal("no tire")
		}
	}
}
