package dataset

import (
	"image"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"tirewatch/vision/frame"
)

func lookOf(t testing.TB, img image.Image) *look {
	t.Helper()
	l, err := newLook(frame.FromImage(img))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Usual changes of a photograph on its way into a data set do not hide that it is the same.
func TestMatchSeesThroughEdits(t *testing.T) {
	src := photograph(1)
	at := func(x, y int) int { return int(src.GrayAt(x, y).Y) }
	rng := rand.New(rand.NewPCG(3, 3))
	const last = 127
	for _, c := range []struct {
		name string
		img  *image.Gray
		turn int
	}{
		{"equal", src, 0},
		{"brighter", edit(src, func(x, y int) int { return at(x, y) + 25 }), 0},
		{"half the contrast", edit(src, func(x, y int) int { return 64 + at(x, y)/2 }), 0},
		{"noise", edit(src, func(x, y int) int { return at(x, y) + rng.IntN(41) - 20 }), 0},
		{"light from one side", edit(src, func(x, y int) int { return at(x, y) * (160 + x) / 288 }), 0},
		{"mirrored left-right", edit(src, func(x, y int) int { return at(last-x, y) }), 1},
		{"mirrored top-bottom", edit(src, func(x, y int) int { return at(x, last-y) }), 2},
		{"upside down", edit(src, func(x, y int) int { return at(last-x, last-y) }), 3},
		{"transposed", edit(src, func(x, y int) int { return at(y, x) }), 4},
		{"turned clockwise", edit(src, func(x, y int) int { return at(y, last-x) }), 5},
		{"turned counter-clockwise", edit(src, func(x, y int) int { return at(last-y, x) }), 6},
		{"transverse", edit(src, func(x, y int) int { return at(last-y, last-x) }), 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, ok := match(lookOf(t, src), lookOf(t, c.img))
			if !ok {
				t.Fatalf("no match: %+v", o)
			}
			back, ok := match(lookOf(t, c.img), lookOf(t, src))
			if !ok || !back.same() {
				t.Errorf("no match in the opposite order: %+v", back)
			}
			if !o.same() {
				t.Errorf("shifted by %d, %d", o.dx, o.dy)
			}
			// Quarter turns are each other's inverse. The test turns the thumbnail to check which
			// of the two was found.
			turned := turnThumb(&lookOf(t, c.img).detail, o.turn)
			if corr := correlation(&lookOf(t, src).detail, &turned, o.dx, o.dy); corr < minCorrelation {
				t.Errorf("turn %d has a correlation of %.2f", o.turn, corr)
			}
			if (o.turn == 0) != (c.turn == 0) {
				t.Errorf("turn %d", o.turn)
			}
		})
	}
}

// Two crops of one photograph overlap and are found up to a shift of a quarter of the side.
func TestMatchFindsShifts(t *testing.T) {
	wall := scene(5, 400, 400)
	a := lookOf(t, crop(wall, 100, 100, 192, 192))
	for _, c := range []struct {
		name   string
		dx, dy int // px of 192; a thumbnail pixel is 3 px
		ok     bool
		same   bool
	}{
		{"next frame of a run", 6, -3, true, true},
		{"an eighth", 24, 0, true, false},
		{"a quarter, diagonally", 48, -48, true, false},
		{"a little over a quarter, off the grid", -49, 20, true, false},
		{"three quarters", 144, 0, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := lookOf(t, crop(wall, 100+c.dx, 100+c.dy, 192, 192))
			o, ok := match(a, b)
			if ok != c.ok || ok && o.same() != c.same {
				t.Fatalf("found %v, %+v", ok, o)
			}
			if ok && (o.dx-c.dx/3 > 1 || c.dx/3-o.dx > 1 || o.dy-c.dy/3 > 1 || c.dy/3-o.dy > 1) {
				t.Errorf("overlap at %d, %d, want about %d, %d", o.dx, o.dy, c.dx/3, c.dy/3)
			}
		})
	}
}

// A hand-held camera moves between two photographs of a run.
func TestMatchFollowsTheHand(t *testing.T) {
	wall := scene(6, 400, 400)
	view := func(degrees, scale float64) *image.Gray {
		sin, cos := math.Sincos(degrees * math.Pi / 180)
		return edit(image.NewGray(image.Rect(0, 0, 192, 192)), func(x, y int) int {
			u, v := scale*(float64(x)-95.5), scale*(float64(y)-95.5)
			return int(wall.GrayAt(int(200+cos*u-sin*v), int(200+sin*u+cos*v)).Y)
		})
	}
	a := lookOf(t, view(0, 1))
	for _, c := range []struct {
		name           string
		degrees, scale float64
		ok             bool
	}{
		{"2 degrees", 2, 1, true},
		{"3 degrees the other way", -3, 1, true},
		{"5 % nearer", 0, 0.95, true},
		{"4 % back", 0, 1.04, true},
		{"a quarter of a quarter turn", 22.5, 1, false},
		{"twice as far", 0, 2, false},
	} {
		if o, ok := match(a, lookOf(t, view(c.degrees, c.scale))); ok != c.ok {
			t.Errorf("%s: found %v, %+v", c.name, ok, o)
		}
	}
}

// A zero motion moves nothing, and a motion followed by its inverse ends near the start.
func TestMotion(t *testing.T) {
	l := lookOf(t, photograph(4))
	if same := (motion{scale: 1}).apply(&l.detail); same != l.detail {
		t.Error("a zero motion changes the thumbnail")
	}
	forth := motion{2, 1}.apply(&l.detail)
	back := motion{-2, 1}.apply(&forth)
	if c, moved := correlation(&l.detail, &back, 0, 0), correlation(&l.detail, &forth, 0, 0); c < 0.9 || c < moved {
		t.Errorf("forth and back correlates at %.2f, forth at %.2f", c, moved)
	}
}

// Tires in the same pose on the same belt share their outline but are different tires.
func TestMatchLooksInsideTheOutline(t *testing.T) {
	tire := func(seed uint64) *image.Gray {
		rubber := scene(seed, 192, 192)
		return edit(rubber, func(x, y int) int {
			switch r := math.Hypot(float64(x)-95.5, float64(y)-95.5); {
			case r > 90 || r < 40:
				return 190 // belt
			default:
				return int(rubber.GrayAt(x, y).Y)/8 + 20
			}
		})
	}
	if c := correlation(&lookOf(t, tire(1)).detail, &lookOf(t, tire(2)).detail, 0, 0); c < 0.3 {
		t.Errorf("the outlines correlate at only %.2f: they test nothing", c)
	}
	for seed := range uint64(12) {
		if o, ok := match(lookOf(t, tire(seed)), lookOf(t, tire(seed+1))); ok {
			t.Errorf("tires %d and %d match: %+v", seed, seed+1, o)
		}
	}
}

// Different images are not near-duplicates, nor are images without structure.
func TestMatchTellsApart(t *testing.T) {
	var looks []*look
	for seed := range uint64(60) {
		looks = append(looks, lookOf(t, photograph(100+seed)))
	}
	black := image.NewGray(image.Rect(0, 0, 50, 50))
	grey := edit(black, func(x, y int) int { return 120 })
	ramp := edit(black, func(x, y int) int { return 2*x + y })
	looks = append(looks, lookOf(t, black), lookOf(t, grey), lookOf(t, ramp))
	for i, a := range looks {
		for j, b := range looks[:i] {
			if o, ok := match(a, b); ok {
				t.Errorf("%d and %d match: %+v", i, j, o)
			}
		}
	}
}

// The hash of a turned image follows from its waves and equals the hash of the turned pixels.
func TestTurnedHashIsThatOfTurnedPixels(t *testing.T) {
	l := lookOf(t, photograph(9))
	hash := func(pix *thumb) uint64 {
		across := wavesAcross(pix, thumbSide/4)
		c := wavesDown(&across, thumbSide/4)
		return signs(&c)
	}
	var grey thumb
	for i := range grey {
		grey[i] = uint8(i * i >> 7)
	}
	across := wavesAcross(&grey, thumbSide/4)
	c := wavesDown(&across, thumbSide/4)
	for turn := range turns {
		pixels := turnThumb(&grey, turn)
		waves := turnWaves(&c, turn)
		if got, want := signs(&waves), hash(&pixels); got != want {
			t.Errorf("turn %d: %016x, want %016x", turn, got, want)
		}
	}
	if l.turned[0] != l.windows[centre] {
		t.Error("turn 0 is not the window in the middle")
	}
}

func BenchmarkLook(b *testing.B) {
	f := frame.FromImage(photograph(1))
	for b.Loop() {
		if _, err := newLook(f); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	x, y := lookOf(b, photograph(1)), lookOf(b, photograph(2))
	for b.Loop() {
		match(x, y)
	}
}

// The median equals that of the sorted values, also when many are equal.
func TestMiddle(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for n := range 20_000 {
		var v [waves * waves]int64
		for i := range v {
			v[i] = rng.Int64N(int64(1+n%200)) - 50
			if n%7 == 0 {
				v[i] <<= 40
			}
		}
		got := middle(v)
		slices.Sort(v[:])
		if want := (v[len(v)/2-1] + v[len(v)/2]) / 2; got != want {
			t.Fatalf("median %d of %d, want %d", got, v, want)
		}
	}
}
