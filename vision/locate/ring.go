package locate

import (
	"image"
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
//	outline -> fine grid of the tire -> rises towards the middle, by radius -> the best, both circles sharpened together -> the outermost sharp one
//
// Shadows beside a tire and inside its hole are soft and lie askew: in one direction they may be stronger than the edge, as a circle they are
// not. So circles are not fitted to edges here, as Round does; they are moved to where the sum of their rises is largest, both around one centre,
// since a shadow draws the two to opposite sides. Around the hole lie more circles: ribs and bands of the wall, the lip of a wheel. The rim's
// edge is the outermost of those whose two sides differ much. It is for one goroutine.
type Rings struct {
	grid  grid
	rises []float32 // by radius, around the outline's centre
}

// Where a rim's edge may lie, as shares of the outline's radius: from a tractor's tire to the lowest profile.
const (
	minRim = 0.35
	maxRim = 0.85
)

const (
	// ringGrid is about how many cells wide the grid of a tire is.
	ringGrid = 320
	// maxRims is how many circles are looked at.
	maxRims = 6
	// minRise is what a circle around the outline's centre must rise at least, as a share of the strongest, to be looked at.
	minRise = 0.12
	// minRimStep is how much brighter than rubber the inner side must be, in the middle of all directions, grey levels.
	minRimStep = 8
	// maxRise is what a direction counts at most, grey levels over two cells: a lamp's reflection must not outvote the others.
	maxRise = 15
	// far is the reach of a shadow's rise, cells.
	far = 6
	// maxOff is how far the rim's centre may lie beside the outline's, as a share of the outline's radius.
	maxOff = 0.04
)

// NewRings makes a finder.
func NewRings() *Rings { return &Rings{} }

// Find gives the side wall of tire t in f. Where no rim's edge is brighter than the rubber around it, as in a black wheel, ok is false.
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
	first, n := int(minRim*outer.r), int(maxRim*outer.r)-int(minRim*outer.r)
	l.rises = grow(l.rises, n)
	for i := range l.rises {
		l.rises[i] = circle{x: outer.x, y: outer.y, r: float32(first + i)}.rise(g, -1)
	}
	var found [maxRims]struct {
		wall
		step, rise float32
	}
	var most, strongest float32
	for k := range found {
		at := 0
		for i, v := range l.rises {
			if v > l.rises[at] {
				at = i
			}
		}
		if l.rises[at] < minRise*strongest {
			break
		}
		strongest = max(strongest, l.rises[at])
		clear(l.rises[max(0, at-far):min(n, at+far+1)])
		found[k].wall = wall{outer.x, outer.y, outer.r, float32(first + at)}
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
		if w.rim >= minRim*w.outer && w.rim <= maxRim*w.outer && off <= maxOff*outer.r && divides(w.step) {
			w.rise = w.inner().rise(g, -1)
			sharpest = max(sharpest, w.rise)
		}
	}
	for _, w := range found {
		if w.rise > 0.6*sharpest && w.rim > best.rim {
			best = w.wall
		}
	}
	return best, sharpest > 0
}

// rise is by how much the picture brightens across the circle, outwards for sign 1 and inwards for -1, beyond what it brightens around
// there anyway: the mean over all directions, grey levels over two cells.
func (c circle) rise(g *grid, sign float32) float32 {
	var sum float32
	for _, d := range directions {
		at := func(r float32) float32 {
			v, _ := g.at(c.x+d.x*(c.r+r), c.y+d.y*(c.r+r))
			return v
		}
		sharp, soft := at(1)-at(-1), at(far)-at(-far)
		sum += max(-maxRise, min(maxRise, sign*(sharp-soft/far)))
	}
	return sum / rays
}

// wall is two circles around one centre, cells.
type wall struct{ x, y, outer, rim float32 }

func (w wall) outline() circle { return circle{x: w.x, y: w.y, r: w.outer} }
func (w wall) inner() circle   { return circle{x: w.x, y: w.y, r: w.rim} }

func (w wall) rise(g *grid) float32 { return w.outline().rise(g, 1) + w.inner().rise(g, -1) }

// moves are what sharpen tries: one number at a time, and those that keep one side where it is, because a shadow draws on the other.
var moves = [...]wall{
	{x: 1}, {x: -1}, {y: 1}, {y: -1}, {outer: 1}, {outer: -1}, {rim: 1}, {rim: -1},
	{1, 0, -1, 0}, {-1, 0, -1, 0}, {0, 1, -1, 0}, {0, -1, -1, 0}, {1, 0, 1, 0}, {-1, 0, 1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0},
	{1, 0, -1, -1}, {-1, 0, -1, -1}, {0, 1, -1, -1}, {0, -1, -1, -1}, {1, 0, -1, 1}, {-1, 0, -1, 1}, {0, 1, -1, 1}, {0, -1, -1, 1},
}

// sharpen moves the wall to where its rise is largest.
func (w *wall) sharpen(g *grid) {
	best := w.rise(g)
	for _, step := range [...]float32{3, 1, 0.5, 0.25} {
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

// step is by how much the inner side of a circle is brighter than the outer one, grey levels: the mean over a tenth of the radius on both
// sides, in the middle of all directions.
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
