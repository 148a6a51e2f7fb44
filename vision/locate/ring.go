package locate

import (
	"image"
	"math"
	"slices"

	"tirewatch/vision/frame"
)

// Circle is a circle in a frame, px.
type Circle struct {
	Centre Point
	Radius float64
}

// Ring is a side wall: the area between the outline and the rim's edge.
type Ring struct{ Outer, Inner Circle }

// Rings finds the side wall of a tire whose outline Round has found.
//
//	outline -> fine grid of the tire -> rises along rays
//	  -> for each rim radius the best pair of circles around one centre
//	  -> sharpened -> the outermost sharp one
//
// Shadows beside a tire and inside its hole are soft and not concentric. In one direction a shadow
// may be stronger than the edge, but not along a whole circle. So Rings does not fit circles to
// edges as Round does. It searches for the circles with the largest sum of rises, both around one
// centre, because a shadow moves the two to opposite sides. It tries all centres near that of the
// outline, because the outline may be that of a shadow. There are more circles around the hole:
// ribs and bands of the wall, the lip of a wheel. The rim's edge is the outermost circle whose two
// sides differ strongly.
//
// Only one goroutine may use it.
type Rings struct {
	grid  grid
	ray   []float32 // brightness along one ray
	rises []float32 // (rays, radii) around the outline's centre, outwards
	sums  []float32 // by radius, around another centre
	pairs []pair    // by radius of the rim
}

// pair is a wall and the sum of its rises.
type pair struct {
	wall
	sum float32
}

// Limits of the rim's radius, as shares of the outline's radius: from a tractor tire to the lowest
// profile.
const (
	minRim = 0.35
	maxRim = 0.85
)

const (
	// ringGrid is the approximate width of the grid of a tire, cells.
	ringGrid = 320
	// maxRims is the number of circles that are examined.
	maxRims = 6
	// minRimRise is the smallest rise of the rim's edge, grey levels over two cells. A smaller rise
	// is the end of a shadow.
	minRimRise = 2
	// minRimStep is how much brighter than rubber the inner side must be, grey levels, median of
	// all directions.
	minRimStep = 8
	// maxRise limits the rise in one direction, grey levels over two cells: the reflection of a
	// lamp must not outweigh the other directions.
	maxRise = 15
	// far is the extent of a shadow's rise, cells.
	far = 6
	// maxOff is the largest distance of the tire's centre from the outline's, as a share of the
	// outline's radius. maxShrink and maxGrow are how much smaller and larger the tire may be.
	// Errors of Round are mostly outwards, where the shadow is. Further inside are the grooves of
	// the shoulder.
	maxOff, maxShrink, maxGrow = 0.07, 0.045, 0.02
	// maxSharpen is how much further sharpen may move, as a share of the outline's radius.
	maxSharpen = 0.005
)

// NewRings makes a finder.
func NewRings() *Rings { return &Rings{} }

// Find returns the side wall of tire t in f. ok is false if no rim's edge is brighter than the
// rubber around it, as with a black wheel.
func (l *Rings) Find(f *frame.Frame, t Tire) (r Ring, ok bool) {
	if !t.Region.Empty() {
		return Ring{}, false // the position of the tire in it is unknown
	}
	box := t.Crop(f.Bounds(), 0.06)
	g := &l.grid
	g.fillTo(f, box, ringGrid)
	if g.w < 32 || g.h < 32 {
		return Ring{}, false
	}
	step := float64(g.step)
	cell := func(v float64, origin int) float32 { return float32((v-float64(origin))/step - 0.5) }
	outer := circle{x: cell(t.Centre.X, box.Min.X), y: cell(t.Centre.Y, box.Min.Y), r: float32(t.Radius / step)}
	w, ok := l.wall(outer)
	if !ok {
		return Ring{}, false
	}
	return Ring{w.outline().inFrame(box, step), w.inner().inFrame(box, step)}, true
}

// inFrame converts a circle in the grid of box to px of the frame.
func (c circle) inFrame(box image.Rectangle, step float64) Circle {
	return Circle{
		Centre: Point{float64(box.Min.X) + (float64(c.x)+0.5)*step, float64(box.Min.Y) + (float64(c.y)+0.5)*step},
		Radius: float64(c.r) * step,
	}
}

// wall returns the side wall of an outline.
func (l *Rings) wall(outer circle) (best wall, ok bool) {
	g := &l.grid
	l.search(outer)
	var found [maxRims]struct {
		wall
		step, rise float32
	}
	var most float32
	for k := range found {
		at := 0
		for i := range l.pairs {
			if l.pairs[i].sum > l.pairs[at].sum {
				at = i
			}
		}
		if l.pairs[at].sum <= 0 {
			break
		}
		found[k].wall = l.pairs[at].wall
		clear(l.pairs[max(0, at-far):min(len(l.pairs), at+far+1)])
		found[k].step = found[k].inner().step(g)
		most = max(most, found[k].step)
	}
	divides := func(step float32) bool { return step >= max(minRimStep, 0.5*most) }
	var sharpest float32
	for k := range found {
		w := &found[k]
		if !divides(w.step) {
			continue
		}
		w.sharpen(g)
		w.step = w.inner().step(g)
		off := abs(w.x-outer.x) + abs(w.y-outer.y)
		if w.outer < (1-maxShrink-maxSharpen)*outer.r || w.rim < minRim*w.outer || w.rim > maxRim*w.outer ||
			off > 1.5*maxOff*outer.r || !divides(w.step) {
			continue
		}
		if rise := w.inner().rise(g, -1); rise >= minRimRise {
			w.rise = rise
			sharpest = max(sharpest, rise)
		}
	}
	for _, w := range found {
		if w.rise > 0.6*sharpest && w.rim > best.rim {
			best = w.wall
		}
	}
	return best, sharpest > 0
}

// search fills l.pairs: for each rim radius, the pair of circles with the largest sum of rises,
// over all centres near that of the outline. The point where a circle around another centre crosses
// a ray of the outline's centre is computed to first order and rounded to a cell. sharpen does the
// rest.
func (l *Rings) search(outer circle) {
	const every = 2 // cells between centres
	// An outline that the frame cuts may be larger than the grid.
	off := min(int(maxOff*outer.r/every), ringGrid/32)
	first := int(minRim*outer.r) - off*every - 1
	n := int((1+maxGrow)*outer.r) + off*every + 2 - first
	l.measure(outer, first, n)
	span := func(from, to float32) (int, int) { return int(from * outer.r), int(to*outer.r) - int(from*outer.r) }
	firstOuter, outers := span(1-maxShrink, 1+maxGrow)
	firstRim, rims := span(minRim, maxRim)
	l.sums, l.pairs = grow(l.sums, max(outers, rims)), grow(l.pairs, rims)
	clear(l.pairs)
	// around sums the rises of circles around (x, y), for radii from radius on.
	around := func(x, y float32, radius, radii int) []float32 {
		sums := l.sums[:radii]
		clear(sums)
		for i, d := range directions {
			at := i*n + radius - first + int(math.Round(float64(x*d.x+y*d.y)))
			for k, v := range l.rises[at:][:radii] {
				sums[k] += v
			}
		}
		return sums
	}
	for iy := -off; iy <= off; iy++ {
		for ix := -off; ix <= off; ix++ {
			if ix*ix+iy*iy > off*off {
				continue
			}
			x, y := float32(ix*every), float32(iy*every)
			at, top := 0, float32(0)
			for k, v := range around(x, y, firstOuter, outers) {
				if v > top {
					at, top = k, v
				}
			}
			for k, v := range around(x, y, firstRim, rims) {
				if v < 0 && top-v > l.pairs[k].sum {
					w := wall{outer.x + x, outer.y + y, float32(firstOuter + at), float32(firstRim + k)}
					l.pairs[k] = pair{w, top - v}
				}
			}
		}
	}
}

// measure fills l.rises with the summands of rise, for n radii from first on.
func (l *Rings) measure(c circle, first, n int) {
	l.rises, l.ray = grow(l.rises, rays*n), grow(l.ray, n+2*far)
	for i, d := range directions {
		for k := range l.ray {
			r := float32(first + k - far)
			l.ray[k] = l.grid.near(c.x+d.x*r, c.y+d.y*r)
		}
		for k := range n {
			v := l.ray[k:][:2*far+1]
			l.rises[i*n+k] = bound(v[far+1] - v[far-1] - (v[2*far]-v[0])/far)
		}
	}
}

// near is at, but outside the grid it repeats the border, so that there is no edge outside the
// image.
func (g *grid) near(x, y float32) float32 {
	v, _ := g.at(max(0, min(x, float32(g.w)-1.01)), max(0, min(y, float32(g.h)-1.01)))
	return v
}

// bound limits the rise in one direction to maxRise.
func bound(rise float32) float32 { return max(-maxRise, min(maxRise, rise)) }

// rise returns how much the brightness rises across the circle, outwards for sign 1 and inwards for
// -1, more than it rises in the wider surroundings: the mean over all directions, grey levels over
// two cells.
func (c circle) rise(g *grid, sign float32) float32 {
	var sum float32
	for _, d := range directions {
		at := func(r float32) float32 { return g.near(c.x+d.x*(c.r+r), c.y+d.y*(c.r+r)) }
		sharp, soft := at(1)-at(-1), at(far)-at(-far)
		sum += bound(sign * (sharp - soft/far))
	}
	return sum / rays
}

// wall is two circles around one centre, cells.
type wall struct{ x, y, outer, rim float32 }

func (w wall) outline() circle { return circle{x: w.x, y: w.y, r: w.outer} }
func (w wall) inner() circle   { return circle{x: w.x, y: w.y, r: w.rim} }

func (w wall) rise(g *grid) float32 { return w.outline().rise(g, 1) + w.inner().rise(g, -1) }

// moves are the changes that sharpen tries: of one number at a time, and those that keep one side
// in place, because a shadow moves the other.
var moves = [...]wall{
	{x: 1}, {x: -1}, {y: 1}, {y: -1}, {outer: 1}, {outer: -1}, {rim: 1}, {rim: -1},
	{1, 0, -1, 0}, {-1, 0, -1, 0}, {0, 1, -1, 0}, {0, -1, -1, 0},
	{1, 0, 1, 0}, {-1, 0, 1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0},
	{1, 0, -1, -1}, {-1, 0, -1, -1}, {0, 1, -1, -1}, {0, -1, -1, -1},
	{1, 0, -1, 1}, {-1, 0, -1, 1}, {0, 1, -1, 1}, {0, -1, -1, 1},
}

// sharpen moves the wall to where its rise is largest.
func (w *wall) sharpen(g *grid) {
	best := w.rise(g)
	for _, step := range [...]float32{1, 0.5, 0.25} {
		for range 8 {
			moved := false
			for _, d := range moves {
				n := wall{w.x + d.x*step, w.y + d.y*step, w.outer + d.outer*step, w.rim + d.rim*step}
				if v := n.rise(g); v > best {
					*w, best, moved = n, v, true
				}
			}
			if !moved {
				break
			}
		}
	}
}

// step returns how much brighter the inner side of a circle is than the outer side, grey levels:
// the mean over a tenth of the radius on both sides, median of all directions.
func (c circle) step(g *grid) float32 {
	const samples = 4
	var sorted [rays]float32
	for i, d := range directions {
		for k := range samples {
			by := (0.02 + 0.08*(float32(k)+0.5)/samples) * c.r
			in, _ := g.at(c.x+d.x*(c.r-by), c.y+d.y*(c.r-by))
			out, _ := g.at(c.x+d.x*(c.r+by), c.y+d.y*(c.r+by))
			sorted[i] += (in - out) / samples
		}
	}
	slices.Sort(sorted[:])
	return sorted[rays/2]
}
