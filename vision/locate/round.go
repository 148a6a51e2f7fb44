package locate

import (
	"cmp"
	"math"
	"slices"

	"tirewatch/vision/frame"
)

// RoundOptions limits the search for round tires.
type RoundOptions struct {
	// Smallest and largest diameter of a tire, as shares of the frame's height. 0 means 0.3 and 1.
	// Narrow limits make the search faster and more reliable.
	MinDiameter, MaxDiameter float64
	MinScore                 float64 // share of the outline that must be seen; 0 is DefaultMinScore
	Partial                  bool    // also return tires that the border of the frame cuts
}

// DefaultMinScore accepts a tire that is hidden by shadow to one third. Boxes, rims and belt
// patterns stay below one half.
const DefaultMinScore = 0.62

// Round finds dark round objects: tires that lie flat under the camera.
//
//	frame -> small grey grid -> edges -> votes for centres -> radii -> precise outline -> score
//
// The error of centre and radius is about one per cent of the diameter. The camera should look down
// within 10 degrees of the vertical: an outline that is not a circle has a lower score.
type Round struct {
	o RoundOptions

	grid   grid
	mag    []uint16
	edges  []edge
	hough  hough
	line   outline
	radii  []float32 // histogram of distances from a centre
	found  []circle
	result []Tire
}

// NewRound makes a locator for round tires.
func NewRound(o RoundOptions) *Round {
	if o.MinDiameter <= 0 {
		o.MinDiameter = 0.3
	}
	if o.MaxDiameter <= 0 {
		o.MaxDiameter = 1
	}
	if o.MinScore <= 0 {
		o.MinScore = DefaultMinScore
	}
	return &Round{o: o}
}

// maxCentres is the number of peaks of the votes that are examined: more than a frame has tires, so
// that there is room for false ones.
const maxCentres = 8

// maxRadii is the number of outlines around one centre that are examined. A tire has several: rim,
// bead, letters, shoulder and tread.
const maxRadii = 4

// Find returns the tires in view, the most certain first.
func (l *Round) Find(f *frame.Frame) []Tire {
	l.result, l.found = l.result[:0], l.found[:0]
	g := &l.grid
	g.fill(f, f.Bounds())
	cells := float64(f.Height) / float64(2*g.step)
	rmin, rmax := float32(l.o.MinDiameter*cells), float32(l.o.MaxDiameter*cells)
	if rmin < 4 || g.w < 8 || g.h < 8 {
		return nil // too small for the grid
	}
	l.mag = grow(l.mag, g.w*g.h)
	l.edges = g.edges(l.edges, l.mag)
	l.hough.vote(g, l.edges, rmin, rmax)
	l.hough.blur(min(4, max(1, int(rmin/10))))
	// Even a tire that the border cuts in half has this many votes.
	least := uint32(0.3 * 2 * math.Pi * rmin)
	for range maxCentres {
		x, y, votes := l.hough.peak(int(rmin / 2))
		if votes < least {
			break
		}
		if c, ok := l.outer(float32(x), float32(y), rmin, rmax); ok {
			l.found = append(l.found, c)
		}
	}
	l.choose(f)
	return l.result
}

// outer returns the outermost clear outline around a centre. A tire's rim and bead are circles too.
func (l *Round) outer(x, y, rmin, rmax float32) (circle, bool) {
	l.histogram(x, y, rmin, rmax)
	var all [maxRadii]circle
	var best circle
	n := 0
	for range maxRadii {
		r, weight := l.peakRadius(rmin)
		if weight < 0.25 {
			break
		}
		c := circle{x: x, y: y, r: r}
		if l.line.refine(&l.grid, &c) && c.r >= rmin && c.r <= rmax {
			all[n] = c
			n++
			if c.quality() > best.quality() {
				best = c
			}
		}
	}
	outermost := best
	for _, c := range all[:n] {
		// A slightly larger circle is a shadow unless it is almost as good. A much larger one is
		// the tire around a rim, even if the border or a shadow hides a part of it.
		need := 0.85 * best.quality()
		if c.r > 1.25*best.r {
			need = 0.6 * best.quality()
		}
		if c.r > outermost.r && c.quality() >= need {
			outermost = c
		}
	}
	return outermost, n > 0
}

// histogram counts the edges that point away from the centre, by distance, as shares of a full
// outline.
func (l *Round) histogram(x, y, rmin, rmax float32) {
	l.radii = grow(l.radii, int(rmax)+2)
	clear(l.radii)
	for _, e := range l.edges {
		dx, dy := e.x-x, e.y-y
		d2 := dx*dx + dy*dy
		if d2 < rmin*rmin || d2 > rmax*rmax {
			continue
		}
		d := float32(math.Sqrt(float64(d2)))
		const cos = 0.9 // 25 degrees: the centre is still rough
		if dx*e.dx+dy*e.dy > cos*d {
			l.radii[int(d+0.5)] += 1 / (2 * math.Pi * d)
		}
	}
}

// peakRadius returns the radius with the most support and clears it in the histogram. Sums extend
// over the few cells of the rough centre's error.
func (l *Round) peakRadius(rmin float32) (r, weight float32) {
	at := 0
	for i := range l.radii {
		k := spread(float32(i))
		var sum float32
		for _, v := range l.radii[max(0, i-k):min(len(l.radii), i+k+1)] {
			sum += v
		}
		if sum > weight {
			at, weight = i, sum
		}
	}
	k := spread(float32(at))
	clear(l.radii[max(0, at-k):min(len(l.radii), at+k+1)])
	return max(rmin, float32(at)), weight
}

// spread returns the number of cells on each side that belong to one outline of radius r.
func spread(r float32) int { return max(1, int(0.05*r+0.5)) }

// choose keeps the tires. Of two outlines that overlap it keeps the better one. It drops outlines
// that are not clear enough or not completely inside the frame.
func (l *Round) choose(f *frame.Frame) {
	slices.SortFunc(l.found, func(a, b circle) int { return cmp.Compare(b.quality(), a.quality()) })
	kept := l.found[:0]
	for _, c := range l.found {
		if c.quality() < float32(l.o.MinScore) || slices.ContainsFunc(kept, c.overlaps) {
			continue
		}
		kept = append(kept, c)
	}
	step := float64(l.grid.step)
	for _, c := range kept {
		t := Tire{
			Centre: Point{(float64(c.x) + 0.5) * step, (float64(c.y) + 0.5) * step},
			Radius: float64(c.r) * step,
			Score:  float64(c.seen),
		}
		if l.o.Partial || t.inside(f) && t.Score >= l.o.MinScore {
			l.result = append(l.result, t)
		}
	}
}

// overlaps reports whether two outlines are too close to be two tires side by side.
func (c circle) overlaps(d circle) bool {
	dx, dy, r := c.x-d.x, c.y-d.y, 0.85*(c.r+d.r)
	return dx*dx+dy*dy < r*r
}

// inside allows an error of three per cent of the diameter. A shadow can move the outline of a tire
// that fills the height that far outwards, and a tire that is not inside any frame would pass
// unseen.
func (t Tire) inside(f *frame.Frame) bool {
	r := 0.94 * t.Radius
	return t.Centre.X >= r && t.Centre.Y >= r && t.Centre.X <= float64(f.Width)-r && t.Centre.Y <= float64(f.Height)-r
}
