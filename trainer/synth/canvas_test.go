package synth

import (
	"math"
	"testing"
)

func TestAtan2(t *testing.T) {
	for i := range 10000 {
		a := (float64(i)/5000 - 1) * math.Pi * 0.99999
		y, x := float32(math.Sin(a)*3), float32(math.Cos(a)*3)
		if d := math.Abs(float64(atan2(y, x)) - math.Atan2(float64(y), float64(x))); d > 3e-6 {
			t.Fatalf("atan2(%v, %v) is off by %g", y, x, d)
		}
	}
	if atan2(0, 0) != 0 {
		t.Error("atan2(0, 0) is not 0")
	}
}

// Cracks are computed in (u, v) and drawn in pixels; rubber is looked up in the other direction.
// Both must agree.
func TestPixelReversesLookAt(t *testing.T) {
	for name, g := range map[string]struct {
		view       mat3
		axisX, ref float32
		zoom       float32
	}{
		"whole tire":         {rotation(0.7), 0, 140, 1},
		"leaning whole tire": {rotation(2).mul(mat3{1, 0, 0, 0, 1, 0, 1e-4, -1e-4, 1}), 0, 140, 1},
		"close-up":           {rotation(-2.5).mul(mat3{1, 0, 0, 0, 1, 0, 4e-4, 3e-4, 1}), -900, 900, 1},
		"from near":          {rotation(-2.5).mul(mat3{1, 0, 0, 0, 1, 0, 4e-4, 3e-4, 1}), -900, 900, 3},
		"from afar":          {rotation(-2.5).mul(mat3{1, 0, 0, 0, 1, 0, 4e-4, 3e-4, 1}), -900, 900, 0.6},
		"tread":              {rotation(1), -treadRef, treadRef, 1},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCanvas(200)
			defer c.release()
			c.zoom(g.zoom)
			c.lookAt(g.view, g.axisX, g.ref)
			for _, p := range [][2]int{{10, 10}, {190, 30}, {60, 170}, {150, 120}, {101, 40}} {
				i := p[1]*c.n + p[0]
				x, y := c.pixel(c.u[i], c.v[i])
				if dx, dy := x-0.5-float32(p[0]), y-0.5-float32(p[1]); abs32(dx) > 0.02 || abs32(dy) > 0.02 {
					t.Errorf("pixel %v maps back to a point %g, %g away", p, dx, dy)
				}
			}
		})
	}
}

// When the camera is nearer, the middle stays in place and the tire grows around it.
func TestZoomGrowsAboutTheMiddle(t *testing.T) {
	c := newCanvas(200)
	defer c.release()
	place := func(zoom float32) (x, y float32) {
		c.zoom(zoom)
		c.lookAt(rotation(0), -900, 900)
		return c.pixel(0, 20)
	}
	x1, y1 := place(1)
	x2, y2 := place(2)
	if abs32(x2-100-2*(x1-100)) > 0.05 || abs32(y2-100-2*(y1-100)) > 0.05 {
		t.Errorf("a point at %g, %g moves to %g, %g; want twice the distance from 100, 100", x1, y1, x2, y2)
	}
}

// A point of light spreads with the requested variance, also where seven taps are too few.
func TestGaussSpreads(t *testing.T) {
	const n = 61
	for _, sigma := range []float32{0.5, 1, 1.5, 1.6, 2.5, 4} {
		m, tmp := make([]float32, n*n), make([]float32, n*n)
		m[n/2*n+n/2] = 1
		gauss(m, tmp, n, sigma)
		var sum, spread float64
		for i, v := range m {
			d := float64(i%n - n/2)
			sum += float64(v)
			spread += float64(v) * d * d
		}
		if want := float64(sigma * sigma); math.Abs(sum-1) > 1e-4 || math.Abs(spread/want-1) > 0.15 {
			t.Errorf("sigma %g: sum %.4f, variance %.3f, want 1 and %.3f", sigma, sum, spread, want)
		}
	}
}

func TestPatternsCloseAroundTheTire(t *testing.T) {
	c := &canvas{geo: geometry{ref: 140}}
	for _, want := range []float32{3, 7.7, 50, 5000} {
		n := 2 * math.Pi * 140 / float64(c.period(want))
		if math.Abs(n-math.Round(n)) > 1e-3 || n < 0.99 {
			t.Errorf("period for %v fits %v times", want, n)
		}
	}
}

func TestNoiseIsNormalAndRepeats(t *testing.T) {
	for name, tl := range map[string]tile{
		"cloud": tiles().cloud, "coarse": tiles().coarse, "grain": tiles().grain, "white": tiles().white,
	} {
		var sum, sum2 float64
		for _, v := range tl {
			sum += float64(v)
			sum2 += float64(v) * float64(v)
		}
		n := float64(len(tl))
		if math.Abs(sum/n) > 1e-3 || math.Abs(sum2/n-1) > 1e-3 {
			t.Errorf("%s: mean %g, variance %g", name, sum/n, sum2/n)
		}
		for _, x := range []float32{0, 3.25, 511.5} {
			if a, b := tl.at(x, -7.5), tl.at(x+tileSide, -7.5-tileSide); abs32(a-b) > 1e-3 {
				t.Errorf("%s does not repeat at %v: %g and %g", name, x, a, b)
			}
		}
	}
}

func TestBoxBlurIsTheMeanOfASquare(t *testing.T) {
	const n, r = 23, 3
	m, tmp := make([]float32, n*n), make([]float32, n*n)
	s := newStream(1, 1, forTire)
	for i := range m {
		m[i] = s.Float32()
	}
	want := make([]float32, n*n)
	edge := func(v int) int { return min(max(v, 0), n-1) }
	for y := range n {
		for x := range n {
			for dy := -r; dy <= r; dy++ {
				for dx := -r; dx <= r; dx++ {
					want[y*n+x] += m[edge(y+dy)*n+edge(x+dx)] / ((2*r + 1) * (2*r + 1))
				}
			}
		}
	}
	boxBlur(m, tmp, n, r)
	for i := range m {
		if abs32(m[i]-want[i]) > 1e-5 {
			t.Fatalf("pixel %d, %d: got %g, want %g", i%n, i/n, m[i], want[i])
		}
	}
}

func TestEveryWordHasGlyphs(t *testing.T) {
	for s, w := range words() {
		for level := range w {
			m := &w[level]
			ink := 0
			for _, v := range m.px {
				if v > 128 {
					ink++
				}
			}
			if share := float64(ink) / float64(len(m.px)); share < 0.02 || share > 0.6 {
				t.Errorf("%q at level %d: ink covers %.1f %%", s, level, 100*share)
			}
		}
	}
}
