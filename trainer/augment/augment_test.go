package augment_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"tirewatch/trainer/augment"
)

const w, h = 37, 29

func picture() []byte {
	rng := rand.New(rand.NewPCG(1, 1))
	pix := make([]byte, w*h)
	for i := range pix {
		pix[i] = uint8(rng.Uint32())
	}
	return pix
}

func apply(t augment.Transform, pix []byte) []float32 {
	dst := make([]float32, w*h)
	t.Apply(dst, w, h, pix)
	return dst
}

func TestIdentity(t *testing.T) {
	pix := picture()
	for i, v := range apply(augment.Identity(w, h), pix) {
		if math.Abs(float64(v)-float64(pix[i])/255) > 1e-6 {
			t.Fatalf("pixel %d: %g, want %g", i, v, float64(pix[i])/255)
		}
	}
	for i, v := range apply(augment.Ranges{}.Draw(rand.New(rand.NewPCG(4, 4)), w, h), pix) {
		if math.Abs(float64(v)-float64(pix[i])/255) > 1e-6 {
			t.Fatalf("no ranges, pixel %d: %g, want %g", i, v, float64(pix[i])/255)
		}
	}
}

// Flips are exact mirrors, without interpolation.
func TestFlips(t *testing.T) {
	pix := picture()
	seen := map[[2]bool]bool{}
	for seed := range uint64(40) {
		got := apply(augment.Ranges{HorizontalFlip: true, VerticalFlip: true}.Draw(rand.New(rand.NewPCG(seed, 0)), w, h), pix)
		found := false
		for _, flip := range [][2]bool{{false, false}, {true, false}, {false, true}, {true, true}} {
			same := true
			for y := range h {
				for x := range w {
					sx, sy := x, y
					if flip[0] {
						sx = w - 1 - x
					}
					if flip[1] {
						sy = h - 1 - y
					}
					same = same && math.Abs(float64(got[y*w+x])-float64(pix[sy*w+sx])/255) < 1e-6
				}
			}
			if same {
				seen[flip], found = true, true
			}
		}
		if !found {
			t.Fatalf("seed %d is not a mirror image", seed)
		}
	}
	if len(seen) != 4 {
		t.Errorf("%d of 4 combinations of flips in 40 images", len(seen))
	}
}

// Comparison with the definition: the map of Keras in float64, sampled bilinearly with clamped
// coordinates.
func TestAgainstKerasDefinition(t *testing.T) {
	pix := picture()
	for _, c := range []struct {
		name   string
		ranges augment.Ranges
	}{
		{"rotation", augment.Ranges{Rotation: 360}},
		{"shift", augment.Ranges{WidthShift: 0.3, HeightShift: 0.2}},
		{"shear", augment.Ranges{Shear: 20}},
		{"zoom", augment.Ranges{Zoom: 0.4}},
		{"all", augment.Ranges{Rotation: 90, WidthShift: 0.1, HeightShift: 0.1, Shear: 5, Zoom: 0.1, BrightnessLow: 0.5, BrightnessHigh: 1.5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(20) {
				got := apply(c.ranges.Draw(rand.New(rand.NewPCG(seed, 0)), w, h), pix)
				rng := rand.New(rand.NewPCG(seed, 0))
				worst := 0.0
				want := kerasReference(rng, c.ranges, pix)
				for i := range got {
					worst = max(worst, math.Abs(float64(got[i])-want[i]))
				}
				// three grey levels: 8-bit fractions on noise, which has the steepest edges
				if worst > 0.012 {
					t.Fatalf("seed %d: off by %.4f", seed, worst)
				}
			}
		})
	}
}

type matrix [3][3]float64

func (a matrix) dot(b matrix) (c matrix) {
	for i := range 3 {
		for j := range 3 {
			for k := range 3 {
				c[i][j] += a[i][k] * b[k][j]
			}
		}
	}
	return c
}

// kerasReference draws the same numbers and follows keras.preprocessing.image step by step, with
// matrices on (row, column).
func kerasReference(rng *rand.Rand, r augment.Ranges, pix []byte) []float64 {
	u := func(v float64) float64 { return -v + 2*v*rng.Float64() }
	theta := u(r.Rotation) * math.Pi / 180
	ty, tx := u(r.HeightShift)*h, u(r.WidthShift)*w
	shear := u(r.Shear) * math.Pi / 180
	zy, zx := 1+u(r.Zoom), 1+u(r.Zoom)
	rng.Float64()
	rng.Float64()
	brightness := 1.0
	if r.BrightnessHigh > 0 {
		brightness = r.BrightnessLow + (r.BrightnessHigh-r.BrightnessLow)*rng.Float64()
	}
	m := matrix{{math.Cos(theta), -math.Sin(theta), 0}, {math.Sin(theta), math.Cos(theta), 0}, {0, 0, 1}}
	m = m.dot(matrix{{1, 0, ty}, {0, 1, tx}, {0, 0, 1}})
	m = m.dot(matrix{{1, -math.Sin(shear), 0}, {0, math.Cos(shear), 0}, {0, 0, 1}})
	m = m.dot(matrix{{zy, 0, 0}, {0, zx, 0}, {0, 0, 1}})
	cy, cx := h/2.0-0.5, w/2.0-0.5
	m = matrix{{1, 0, cy}, {0, 1, cx}, {0, 0, 1}}.dot(m).dot(matrix{{1, 0, -cy}, {0, 1, -cx}, {0, 0, 1}})
	out := make([]float64, w*h)
	for y := range h {
		for x := range w {
			sy := m[0][0]*float64(y) + m[0][1]*float64(x) + m[0][2]
			sx := m[1][0]*float64(y) + m[1][1]*float64(x) + m[1][2]
			sy, sx = min(max(sy, 0), h-1), min(max(sx, 0), w-1)
			iy, ix := int(sy), int(sx)
			fy, fx := sy-float64(iy), sx-float64(ix)
			at := func(y, x int) float64 { return float64(pix[min(y, h-1)*w+min(x, w-1)]) }
			v := (at(iy, ix)*(1-fx)+at(iy, ix+1)*fx)*(1-fy) + (at(iy+1, ix)*(1-fx)+at(iy+1, ix+1)*fx)*fy
			out[y*w+x] = min(v*brightness/255, 1)
		}
	}
	return out
}

// The network reads only a corner of the image. That corner equals the corner of the whole image.
func TestCorner(t *testing.T) {
	pix := picture()
	tr := augment.Thesis().Draw(rand.New(rand.NewPCG(9, 9)), w, h)
	whole, corner := apply(tr, pix), make([]float32, 11*7)
	tr.Apply(corner, 11, 7, pix)
	for y := range 7 {
		for x := range 11 {
			if corner[y*11+x] != whole[y*w+x] {
				t.Fatalf("pixel %d, %d differs", x, y)
			}
		}
	}
}

func TestValidate(t *testing.T) {
	if err := augment.Thesis().Validate(); err != nil {
		t.Error(err)
	}
	for _, r := range []augment.Ranges{{Rotation: -1}, {Zoom: 1}, {WidthShift: math.NaN()}, {BrightnessLow: 2, BrightnessHigh: 1}} {
		if r.Validate() == nil {
			t.Errorf("%+v was accepted", r)
		}
	}
}

// An image that is still in the cache, and images as in an epoch, which have left the cache long
// ago.
func BenchmarkApply(b *testing.B) {
	for _, c := range []struct {
		name     string
		pictures int
	}{{"cached", 1}, {"new", 512}} {
		b.Run(c.name, func(b *testing.B) {
			pix := make([]byte, c.pictures*379*379)
			for i := range pix {
				// memory that was never written is one page, which stays in the cache
				pix[i] = byte(i)
			}
			dst := make([]float32, 341*341)
			rng := rand.New(rand.NewPCG(1, 1))
			for i := 0; b.Loop(); i++ {
				at := i % c.pictures * 379 * 379
				augment.Thesis().Draw(rng, 379, 379).Apply(dst, 341, 341, pix[at:at+379*379])
			}
		})
	}
}

// Quarter turns are exact and equally likely.
func TestQuarterTurns(t *testing.T) {
	const side = 9
	pix := picture()[:side*side]
	turned := func(n int) []float32 {
		out := make([]float32, side*side)
		for y := range side {
			for x := range side {
				sx, sy := x, y
				for range n {
					sx, sy = sy, side-1-sx
				}
				out[y*side+x] = float32(pix[sy*side+sx]) / 255
			}
		}
		return out
	}
	var seen [4]int
	for seed := range uint64(200) {
		got := make([]float32, side*side)
		augment.Ranges{QuarterTurns: true}.Draw(rand.New(rand.NewPCG(seed, 0)), side, side).Apply(got, side, side, pix)
		found := false
		for n := range seen {
			near := true
			for i, v := range turned(n) {
				near = near && math.Abs(float64(v-got[i])) < 1e-3
			}
			if near {
				seen[n]++
				found = true
			}
		}
		if !found {
			t.Fatalf("seed %d: not a turn of the image", seed)
		}
	}
	if slices.Min(seen[:]) < 30 {
		t.Errorf("turns by 0, 90, 180 and 270 degrees: %v of 200", seen)
	}
	if err := augment.Quarter().Validate(); err != nil {
		t.Error(err)
	}
}
