package dataset

import (
	"math/bits"
	"slices"
)

// overlap says how two images overlap.
type overlap struct {
	turn   int     // how the second image is turned, 0 to 7
	dx, dy int     // its shift in the first image after the turn, thumbnail px
	corr   float64 // correlation of the shared part, -1 to 1
}

// same reports whether both images show the same view, so that they must have the same label.
// Images that only overlap may have different labels: a crack can be outside one of them.
func (o overlap) same() bool { return max(o.dx, -o.dx, o.dy, -o.dy) <= sameShift }

// match finds the overlap of two images. ok is false when they are not near-duplicates.
func match(a, b *look) (o overlap, ok bool) {
	best := a.distance(b)
	if best > maxHashBits {
		return overlap{}, false
	}
	return a.overlap(newViews(b), best)
}

// distance is the number of hash bits by which the middle of b differs from the most similar window
// of a, or, in some turn, from the middle of a. Most pairs stop here: above maxHashBits they are
// not near-duplicates.
func (a *look) distance(b *look) int {
	return min(closest(a.windows[:], b.turned[0]), closest(b.turned[:], a.turned[0]))
}

// overlap finds the position of b on a, first by the hash, then by correlation. best is their
// distance. ok is false when the correlation stays below minCorrelation.
func (a *look) overlap(b *views, best int) (o overlap, ok bool) {
	at := func(h uint64) func(uint64) bool {
		return func(g uint64) bool { return bits.OnesCount64(g^h) == best }
	}
	if i := slices.IndexFunc(a.windows[:], at(b.turned[0])); i >= 0 {
		o = overlap{dx: i%windowsSide*windowStep - thumbSide/4, dy: i/windowsSide*windowStep - thumbSide/4}
	} else {
		o.turn = slices.IndexFunc(b.turned[:], at(a.turned[0]))
	}
	second := b.see(view{o.turn, still})
	o.corr = correlation(&a.detail, second, o.dx, o.dy)
	o.climb(&a.detail, second)
	if o.corr < minCorrelation && o.corr >= followCorrelation && best <= followBits {
		o.follow(&a.detail, b)
	}
	return o, o.corr >= minCorrelation
}

// climb moves o by single pixels while the correlation increases, at most refine px from the start.
// o.corr is the correlation at the current position.
func (o *overlap) climb(a, b *thumb) {
	const side = 2*refine + 1
	x, y := o.dx-refine, o.dy-refine
	// correlation at the positions tried so far; 0 elsewhere (a real 0 is computed again)
	var known [side * side]float64
	known[refine*side+refine] = o.corr
	for moved := true; moved; {
		moved = false
		for _, step := range [][2]int{{1, 0}, {-1, 0}, {0, 1}, {0, -1}} {
			dx, dy := o.dx+step[0], o.dy+step[1]
			if uint(dx-x) >= side || uint(dy-y) >= side {
				continue
			}
			c := &known[(dy-y)*side+dx-x]
			if *c == 0 {
				*c = correlation(a, b, dx, dy)
			}
			if *c > o.corr {
				o.dx, o.dy, o.corr, moved = dx, dy, *c, true
			}
		}
	}
}

// follow improves o by small turns of b, then small changes of scale, then a shift again.
func (o *overlap) follow(a *thumb, b *views) {
	best := still
	for _, try := range [][]motion{
		{{-4, 1}, {-2, 1}, {2, 1}, {4, 1}},
		{{0, 0.94}, {0, 0.97}, {0, 1.03}, {0, 1.06}},
		{{-1, 1}, {1, 1}},
	} {
		from := best
		for _, step := range try {
			m := motion{from.degrees + step.degrees, from.scale * step.scale}
			if c := correlation(a, b.see(view{o.turn, m}), o.dx, o.dy); c > o.corr {
				o.corr, best = c, m
			}
		}
	}
	o.climb(a, b.see(view{o.turn, best}))
}

// view is a version of an image: turned, then moved.
type view struct {
	turn int
	motion
}

// views is a look with a cache of its views. An image is compared with thousands of others, always
// in the same few hundred views.
type views struct {
	*look
	made map[view]*thumb
}

func newViews(l *look) *views { return &views{l, make(map[view]*thumb)} }

func (v *views) see(w view) *thumb {
	switch {
	case w.motion == still && w.turn == 0:
		return &v.detail
	case v.made[w] != nil:
		return v.made[w]
	}
	var t thumb
	if w.motion == still {
		t = turnThumb(&v.detail, w.turn)
	} else {
		t = w.apply(v.see(view{w.turn, still}))
	}
	v.made[w] = &t
	return &t
}
