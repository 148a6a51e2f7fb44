package dataset

import (
	"math/bits"
	"slices"
)

// overlap says how one picture lies on another.
type overlap struct {
	turn   int     // how the second picture was turned, 0 to 7
	dx, dy int     // where it lies in the first then, thumbnail px
	corr   float64 // correlation of what both show, -1 to 1
}

// same says whether both pictures show the same view, so that they must have the same label.
// Pictures that only overlap may differ: a crack can lie outside one of them.
func (o overlap) same() bool { return max(o.dx, -o.dx, o.dy, -o.dy) <= sameShift }

// match finds the overlap of two pictures. ok is false when they are no near-duplicates.
func match(a, b *look) (o overlap, ok bool) {
	best := a.distance(b)
	if best > maxHashBits {
		return overlap{}, false
	}
	return a.overlap(newViews(b), best)
}

// distance is how many bits of the hash the middle of b differs from the window of a that is most
// like it, or, turned in some way, from the middle of a. Most pairs end here: beyond maxHashBits
// they are no near-duplicates.
func (a *look) distance(b *look) int {
	return min(closest(a.windows[:], b.turned[0]), closest(b.turned[:], a.turned[0]))
}

// overlap finds how b lies on a, best being their distance: first by the hash, then by correlation.
// ok is false when less than minCorrelation is found.
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

// climb moves o by single pixels as long as the correlation rises, at most refine px from where it
// began. o.corr is the correlation there.
func (o *overlap) climb(a, b *thumb) {
	const side = 2*refine + 1
	x, y := o.dx-refine, o.dy-refine
	// of the places that were looked at; 0 elsewhere, which is computed again when it is true
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

// follow improves o by small turns of b, then by small changes of scale, then by a shift again.
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

// view is a way to look at a picture: turned, then moved.
type view struct {
	turn int
	motion
}

// views is a look with its views, each made when it is first asked for: one picture is compared
// with thousands, always in the same few hundred views.
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
