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

// Ring is a side wall: what lies between the outline and the rim's edge.
type Ring struct{ Outer, Inner Circle }

// Rings finds the side wall of a tire whose outline Round has found.
//
//	outline -> fine grid of the tire -> rises along rays -> the best pairs of circles around one centre, by the rim's radius -> sharpened -> the outermost sharp one
//
// Shadows beside a tire and inside its hole are soft and lie askew: in one direction they may be
// stronger than the edge, as a circle they are not. So circles are not fitted to edges here, as
// Round does; they are sought where the sum of their rises is largest, both around one centre,
// since a shadow draws the two to opposite sides. All centres near the outline's are tried, because
// the outline may be that shadow's. Around the hole lie more circles: ribs and bands of the wall,
// the lip of a wheel. The rim's edge is the outermost of those whose two sides differ much. It is
// for one goroutine.
type Rings struct {
	grid  grid
	ray   []float32 // brightness along one ray
	rises []float32 // (rays, radii) around the outline's centre, outwards
	sums  []float32 // by radius, around another centre
	pairs []pair    // by radius of the rim
}

// pair is a wall with the sum of its rises.
type pair struct {
	wall
	sum float32
}

// Where a rim's edge may lie, as shares of the outline's radius: from a tractor's tire to the
// lowest profile.
const (
	minRim = 0.35
	maxRim = 0.85
)

const (
	// ringGrid is about how many cells wide the grid of a tire is.
	ringGrid = 320
	// maxRims is how many circles are looked at.
	maxRims = 6
	// minRimRise is what the rim's edge must rise at least, grey levels over two cells: what rises
	// less is a shadow's end.
	minRimRise = 2
	// minRimStep is how much brighter than rubber the inner side must be, in the middle of all
	// directions, grey levels.
	minRimStep = 8
	// maxRise is what a direction counts at most, grey levels over two cells: a lamp's reflection
	// must not outvote the others.
	maxRise = 15
	// far is the reach of a shadow's rise, cells.
	far = 6
	// maxOff is how far the tire's centre may lie beside the outline's, as a share of the outline's
	// radius, and maxShrink and maxGrow how much smaller and larger the tire may be: Round errs
	// outwards, where the shadow is. Further inside lie grooves of the shoulder.
	maxOff, maxShrink, maxGrow = 0.07, 0.045, 0.02
	// maxSharpen is how much further sharpen may lead, as a share of the outline's radius.
	maxSharpen = 0.005
)

// NewRings makes a finder.
func NewRings() *Rings { return &Rings{} }

// Find gives the side wall of tire t in f. Where no rim's edge is brighter than the rubber around
// it, as in a black wheel, ok is false.
func (l *Rings) Find(f *frame.Frame, t Tire) (r Ring, ok bool) {
	if !t.Region.Empty() {
		return Ring{}, false // nobody knows where the tire is in it
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

// inFrame gives a circle of the grid of box in px of the frame.
func (c circle) inFrame(box image.Rectangle, step float64) Circle {
	return Circle{Point{float64(box.Min.X) + (float64(c.x)+0.5)*step, float64(box.Min.Y) + (float64(c.y)+0.5)*step}, float64(c.r) * step}
}

// wall gives the side wall of an outline.
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
		if w.outer < (1-maxShrink-maxSharpen)*outer.r || w.rim < minRim*w.outer || w.rim > maxRim*w.outer || off > 1.5*maxOff*outer.r || !divides(w.step) {
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

// search fills l.pairs: for each radius of a rim the pair of circles whose rises are largest
// together, over all centres near the outline's. Where another centre's circle crosses a ray of the
// outline's centre is taken to the first order, to the cell: sharpen does the rest.
func (l *Rings) search(outer circle) {
	const every = 2 // cells between centres
	// an outline that the frame cuts may be larger than the grid
	off := min(int(maxOff*outer.r/every), ringGrid/32)
	first := int(minRim*outer.r) - off*every - 1
	n := int((1+maxGrow)*outer.r) + off*every + 2 - first
	l.measure(outer, first, n)
	span := func(from, to float32) (int, int) { return int(from * outer.r), int(to*outer.r) - int(from*outer.r) }
	firstOuter, outers := span(1-maxShrink, 1+maxGrow)
	firstRim, rims := span(minRim, maxRim)
	l.sums, l.pairs = grow(l.sums, max(outers, rims)), grow(l.pairs, rims)
	clear(l.pairs)
	// the sums for some radii from the first
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
					l.pairs[k] = pair{wall{outer.x + x, outer.y + y, float32(firstOuter + at), float32(firstRim + k)}, top - v}
				}
			}
		}
	}
}

// measure fills l.rises: what rise sums, for n radii from the first.
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

// near is at, where the border goes on beyond the grid: what is not seen is no edge.
func (g *grid) near(x, y float32) float32 {
	v, _ := g.at(max(0, min(x, float32(g.w)-1.01)), max(0, min(y, float32(g.h)-1.01)))
	return v
}

// bound is what one direction counts.
func bound(rise float32) float32 { return max(-maxRise, min(maxRise, rise)) }

// rise is by how much the picture brightens across the circle, outwards for sign 1 and inwards for
// -1, beyond what it brightens around there anyway: the mean over all directions, grey levels over
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

// moves are what sharpen tries: one number at a time, and those that keep one side where it is,
// because a shadow draws on the other.
var moves = [...]wall{
	{x: 1}, {x: -1}, {y: 1}, {y: -1}, {outer: 1}, {outer: -1}, {rim: 1}, {rim: -1},
	{1, 0, -1, 0}, {-1, 0, -1, 0}, {0, 1, -1, 0}, {0, -1, -1, 0}, {1, 0, 1, 0}, {-1, 0, 1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0},
	{1, 0, -1, -1}, {-1, 0, -1, -1}, {0, 1, -1, -1}, {0, -1, -1, -1}, {1, 0, -1, 1}, {-1, 0, -1, 1}, {0, 1, -1, 1}, {0, -1, -1, 1},
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

// step is by how much the inner side of a circle is brighter than the outer one, grey levels: the
// mean over a tenth of the radius on both sides, in the middle of all directions.
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
