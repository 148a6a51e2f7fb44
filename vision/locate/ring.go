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
// since a shadow draws the two to opposite sides. Where the nearest such place is no sharp one, all places around are tried. Around the hole lie more circles: ribs and bands of the wall, the lip of a wheel. The rim's
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
	// minRimLeft is what of the brightest step inside must be left at the rim's edge: in a hole, shadow may lie between the two.
	minRimLeft = 0.2
	// sure is what both circles rise together, of twice maxRise at most, where they are edges nearly all around.
	sure = 24
	// maxOff is how far the centre may lie beside the outline's, as a share of the outline's radius: a shadow draws outlines so far.
	maxOff = 0.1
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
		if w.wall, ok = l.settle(w.wall, outer, max(minRimStep, minRimLeft*most)); ok {
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

// settle sharpens a wall that is roughly where it should be. A shadow may have drawn it so far away that the edges are out of sight from there:
// unless both circles end on surely sharp ones, the best place in the neighbourhood is tried, too. ok is false where neither is a side wall.
func (l *Rings) settle(start wall, outer circle, least float32) (best wall, ok bool) {
	best = start
	best.sharpen(&l.grid)
	ok = l.fits(best, outer, least)
	rise := best.rise(&l.grid)
	if rise >= sure {
		return best, ok
	}
	other := l.around(start)
	other.sharpen(&l.grid)
	if l.fits(other, outer, least) && (!ok || other.rise(&l.grid) > rise) {
		return other, true
	}
	return best, ok
}

// fits tells whether a wall may belong to the outline, with a rim whose inner side is brighter by least.
func (l *Rings) fits(w wall, outer circle, least float32) bool {
	return w.rim >= minRim*w.outer && w.rim <= maxRim*w.outer && abs(w.x-outer.x)+abs(w.y-outer.y) <= maxOff*outer.r && w.inner().step(&l.grid) >= least
}

// How far from its outline a tire is looked for, as shares of the radius. A shadow makes outlines larger and hardly ever smaller.
const (
	aroundCentre = 0.06
	aroundRim    = 0.06
	inOfOutline  = 0.05
	outOfOutline = 0.02
)

// around gives the wall around start whose rise is largest, to two cells.
func (l *Rings) around(start wall) wall {
	const apart = 2 // cells between centres
	cells := func(share float32) int { return int(share*start.outer + 0.5) }
	reach, best, most := cells(aroundCentre), start, float32(-1)
	for dy := -reach; dy <= reach; dy += apart {
		for dx := -reach; dx <= reach; dx += apart {
			x, y := start.x+float32(dx), start.y+float32(dy)
			outer, v := l.grid.steepest(x, y, start.outer, cells(inOfOutline), cells(outOfOutline), 1)
			rim, u := l.grid.steepest(x, y, start.rim, cells(aroundRim), cells(aroundRim), -1)
			if v+u > most {
				most, best = v+u, wall{x, y, outer, rim}
			}
		}
	}
	return best
}

// maxAround is the longest way along a ray that steepest looks at, cells.
const maxAround = 64

// steepest is the circle around (x, y) with the largest rise, of those whose radius is at most in cells smaller than r or out cells larger, in
// whole cells; three neighbours count together, since the centre is not exact.
func (g *grid) steepest(x, y, r float32, in, out int, sign float32) (radius, rise float32) {
	const every = 2 // directions
	n := min(in+out+1, maxAround-2*far)
	first := r - float32(in)
	var v, sum [maxAround]float32
	for i := 0; i < rays; i += every {
		d, seen := directions[i], 0
		for ; seen < n+2*far; seen++ {
			at := first + float32(seen-far)
			p, ok := g.at(x+d.x*at, y+d.y*at)
			if !ok {
				break
			}
			v[seen] = p
		}
		for k := range n {
			if m := k + far; m+far < seen {
				sum[k] += rising(v[m-1], v[m+1], v[m-far], v[m+far], sign)
			}
		}
	}
	for k := 1; k < n-1; k++ {
		if mean := (sum[k-1] + 2*sum[k] + sum[k+1]) / 4; mean > rise {
			radius, rise = first+float32(k), mean
		}
	}
	return radius, rise * every / rays
}

// rising is what one direction counts: by how much the picture brightens over the two cells from a to b, beyond what it does from c to d, far
// to both sides. sign -1 is for darkening.
func rising(a, b, c, d, sign float32) float32 {
	return max(-maxRise, min(maxRise, sign*(b-a-(d-c)/far)))
}

// rise is by how much the picture brightens across the circle, outwards for sign 1 and inwards for -1, beyond what it brightens around
// there anyway: the mean over all directions, grey levels over two cells.
func (c circle) rise(g *grid, sign float32) float32 {
	var sum float32
	for _, d := range directions {
		at := func(r float32) (float32, bool) { return g.at(c.x+d.x*(c.r+r), c.y+d.y*(c.r+r)) }
		if outside, ok := at(far); ok { // all of it is in the picture
			inside, _ := at(-far)
			a, _ := at(-1)
			b, _ := at(1)
			sum += rising(a, b, inside, outside, sign)
		}
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
