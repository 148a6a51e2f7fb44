package locate

import (
	"math"
	"slices"
)

// circle is a candidate outline, in cells.
type circle struct {
	x, y, r float32
	seen    float32 // share of the circumference with an edge of the right direction, 0 to 1
	visible float32 // share of the circumference inside the grid
}

// quality is the seen share of the visible part. With it, an outline that the border cuts does not
// lose against a false one beside it.
func (c circle) quality() float32 {
	if c.visible < 0.5 {
		return c.seen
	}
	return c.seen / c.visible
}

// rays is the number of directions in which an outline is measured.
const rays = 96

var directions = func() (d [rays]struct{ x, y float32 }) {
	for i := range d {
		s, c := math.Sincos(2 * math.Pi * float64(i) / rays)
		d[i].x, d[i].y = float32(c), float32(s)
	}
	return d
}()

// minStep is the smallest rise of brightness outwards that counts as an outline, grey levels over
// two cells.
const minStep = 5

// maxReach is the largest distance from the expected radius at which an outline is searched, cells.
const maxReach = 24

// outline holds the measurements along the rays.
type outline struct {
	radius  [rays]float32 // where the outline crosses the ray, cells; negative: not seen
	outside [rays]bool    // the expected point is outside the grid
	sorted  [rays]float32
}

// measure finds on each ray the outermost strong rise of brightness within reach of the circle.
func (o *outline) measure(g *grid, c circle, reach float32) {
	n := min(int(reach+0.5), maxReach)
	var v [2*maxReach + 3]float32
	for i, d := range directions {
		o.radius[i] = -1
		_, ok := g.at(c.x+d.x*(c.r+1), c.y+d.y*(c.r+1))
		o.outside[i] = !ok
		if !ok {
			continue
		}
		// v[k] is the brightness at radius c.r + k - n - 1. Outside the grid it keeps the value at
		// the border.
		var last float32
		for k := range 2*n + 3 {
			r := c.r + float32(k-n-1)
			if p, ok := g.at(c.x+d.x*r, c.y+d.y*r); ok {
				last = p
			}
			v[k] = last
		}
		o.radius[i] = crossing(v[:2*n+3], c.r-float32(n+1))
	}
}

// crossing returns the radius of the outermost rise that is about as steep as the steepest one, or
// -1 if there is none. A parabola places it between the samples. v[0] is the brightness at radius
// first. The soft end of a tire's shadow is less steep and is not chosen.
func crossing(v []float32, first float32) float32 {
	steepest := float32(0)
	for k := 1; k < len(v)-1; k++ {
		steepest = max(steepest, v[k+1]-v[k-1])
	}
	if steepest < minStep {
		return -1
	}
	rise := func(k int) float32 {
		if k < 1 || k > len(v)-2 {
			return 0
		}
		return v[k+1] - v[k-1]
	}
	for k := len(v) - 2; k >= 1; k-- {
		a, b, c := rise(k-1), rise(k), rise(k+1)
		if b < 0.8*steepest || b < a || b < c {
			continue
		}
		shift := float32(0)
		if bend := a - 2*b + c; bend < 0 {
			shift = (a - c) / (2 * bend)
		}
		return first + float32(k) + shift
	}
	return -1
}

// fit moves the circle onto the crossings: one Gauss-Newton step by least squares for the radius
// along a ray, r + dx*cos + dy*sin, then twice more without the crossings that are far away. It
// reports whether enough of the outline was seen.
func (o *outline) fit(c *circle) bool {
	limit := float32(math.Inf(1))
	start := *c
	for range 3 {
		var a [3][4]float64 // normal equations of (radius, dx, dy)
		n := 0
		for i, d := range directions {
			r := o.radius[i]
			if r < 0 || abs(r-o.expected(start, *c, i)) > limit {
				continue
			}
			row := [4]float64{1, float64(d.x), float64(d.y), float64(r)}
			for j := range 3 {
				for k := range row {
					a[j][k] += row[j] * row[k]
				}
			}
			n++
		}
		if n < rays/4 {
			return false
		}
		s, ok := solve(a)
		if !ok {
			return false
		}
		c.r, c.x, c.y = float32(s[0]), start.x+float32(s[1]), start.y+float32(s[2])
		limit = max(0.75, 2.5*o.medianError(start, *c))
	}
	return true
}

// expected returns the radius at which circle c crosses ray i from the centre of circle from, to
// first order.
func (o *outline) expected(from, c circle, i int) float32 {
	return c.r + (c.x-from.x)*directions[i].x + (c.y-from.y)*directions[i].y
}

func (o *outline) medianError(from, c circle) float32 {
	n := 0
	for i, r := range o.radius {
		if r >= 0 {
			o.sorted[n] = abs(r - o.expected(from, c, i))
			n++
		}
	}
	slices.Sort(o.sorted[:n])
	return o.sorted[n/2]
}

// score sets the share of the circumference that was seen within tolerance of the circle.
func (o *outline) score(c *circle, tolerance float32) {
	seen, visible := 0, 0
	for i, r := range o.radius {
		if !o.outside[i] {
			visible++
		}
		if r >= 0 && abs(r-c.r) <= tolerance {
			seen++
		}
	}
	c.seen, c.visible = float32(seen)/rays, float32(visible)/rays
}

// refine makes a rough circle precise and sets its score. It reports false if no outline is near.
func (o *outline) refine(g *grid, c *circle) bool {
	for _, share := range [...]float32{0.16, 0.08, 0.05} {
		o.measure(g, *c, max(3, share*c.r))
		if !o.fit(c) || c.r < 2 {
			return false
		}
	}
	tolerance := max(1, 0.03*c.r)
	o.measure(g, *c, tolerance+1)
	o.score(c, tolerance)
	return true
}

// solve solves three linear equations by Cramer's rule.
func solve(a [3][4]float64) (x [3]float64, ok bool) {
	det := func(p, q, r int) float64 {
		return a[0][p]*(a[1][q]*a[2][r]-a[1][r]*a[2][q]) -
			a[0][q]*(a[1][p]*a[2][r]-a[1][r]*a[2][p]) +
			a[0][r]*(a[1][p]*a[2][q]-a[1][q]*a[2][p])
	}
	d := det(0, 1, 2)
	if math.Abs(d) < 1e-6 {
		return x, false
	}
	return [3]float64{det(3, 1, 2) / d, det(0, 3, 2) / d, det(0, 1, 3) / d}, true
}

func abs(v float32) float32 { return max(v, -v) }
