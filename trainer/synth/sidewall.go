package synth

// wall is the side of a tire between rim (q = 0) and tread (q = 1). The same wall fills a close-up
// or is a ring in a side view; only tall, its size in units, differs.
type wall struct {
	c         *canvas
	s         stream
	rim, tall float32 // units
	bold      float32 // strength of the ornament

	plain *profile
	at    sites
}

// v returns the v coordinate at the share q of the wall's height.
func (w *wall) v(q float32) float32 { return w.rim + q*w.tall - w.c.geo.ref }

// size returns a share of the wall's height, but at least a visible size for small walls.
func (w *wall) size(share, atLeast float32) float32 { return max(share*w.tall, atLeast) }

// drawWall draws a side wall with its ornament into the canvas' maps.
func drawWall(c *canvas, s stream, rim, tall float32, wide bool) sites {
	w := &wall{c: c, s: s, rim: rim, tall: tall, bold: 0.8}
	w.at = sites{vMin: w.v(0.09), vMax: w.v(0.93), wide: wide}
	if !wide {
		// From far, a crack in the shoulder cannot be distinguished from its grooves.
		w.at.vMax = w.v(0.86)
		w.bold = 0.56
	}
	w.turn()
	for i, v := range c.v {
		c.h[i] += w.plain.at(v)
	}
	w.bands()
	w.shoulder()
	w.letters()
	w.marks()
	return w.at
}

// reach returns how far along u a close-up shows anything, in units.
func (w *wall) reach() float32 { return 2.2 * w.c.half }

// turn makes the profile: the bulge of the wall, the bead at the rim, the rounded shoulder, ribs
// and steps.
func (w *wall) turn() {
	s := w.s
	bulge, waist := s.between(0.1, 0.4), s.between(0.4, 0.65)
	w.plain = newProfile(w.v(-0.1), w.v(1.1), func(v float32) float32 {
		q := (v - w.v(0)) / w.tall
		h := -bulge * (q - waist) * (q - waist)
		if q > 0.9 {
			h -= (q - 0.9) * (q - 0.9) * 3.5
		}
		if q < 0.07 {
			h -= (0.07 - q) * (0.07 - q) * 14
		}
		return h * w.tall
	})
	ring := func(q, width, relief float32, step bool) {
		wide := w.size(width, 1.8)
		w.plain.add(ringAt(w.v(q), wide, w.bold*relief*wide, step))
		w.at.edges = append(w.at.edges, w.v(q)+wide/2)
	}
	ring(s.between(0.08, 0.12), 0.012, s.between(0.25, 0.6), false)
	if s.chance(0.7) {
		ring(s.between(0.14, 0.18), 0.01, s.between(0.2, 0.5)*s.sign(), false)
	}
	if s.chance(0.6) { // rim protector
		ring(s.between(0.18, 0.26), s.between(0.02, 0.05), s.between(0.15, 0.4), false)
	}
	for range s.count(0, 3) {
		ring(s.between(0.3, 0.85), s.between(0.006, 0.02), s.between(0.2, 0.5)*s.sign(), false)
	}
	if s.chance(0.7) {
		ring(s.between(0.8, 0.88), s.between(0.015, 0.03), s.between(0.2, 0.6)*s.sign(), true)
	}
}

func ringAt(v, width, relief float32, step bool) ring {
	return ring{v: v, width: width, flank: max(width*0.6, 0.9), relief: relief, step: step}
}

// bands draws hatching around the wall.
func (w *wall) bands() {
	s, c := w.s, w.c
	if w.at.wide && s.chance(0.55) {
		w.field()
	}
	for range max(0, s.count(-1, 2)) {
		q := s.between(0.22, 0.65)
		b := hatch{
			v0: w.v(q), v1: w.v(q + s.between(0.06, 0.2) + max(0, s.between(-0.3, 0.2))),
			period: w.size(s.between(0.014, 0.04), 3.2), slant: s.around(0, 0.7),
		}
		b.relief = w.bold * b.period * s.between(0.08, 0.25)
		if s.chance(0.15) {
			b.zigzag = w.size(s.between(0.02, 0.05), 4)
		}
		if s.chance(0.5) { // only a part of the wall
			from := s.angle() * c.geo.ref
			b.u0, b.u1 = from, from+s.between(0.3, 1.5)*c.geo.ref
		}
		c.hatch(b)
	}
	if s.chance(0.4) { // serration beside the rim
		q := s.between(0.1, 0.2)
		p := w.size(s.between(0.012, 0.03), 3)
		c.hatch(hatch{v0: w.v(q), v1: w.v(q + s.between(0.025, 0.07)), period: p, relief: w.bold * p * s.between(0.1, 0.3)})
	}
}

// field hatches much of the wall with fine deep lines, dark between the ridges. New tires look like
// this from near, and of all sound patterns it is the most similar to crazing.
func (w *wall) field() {
	s := w.s
	q, tall := s.between(0.15, 0.5), s.between(0.15, 0.5)
	period := s.between(3, 11)
	if s.chance(0.25) { // lines around the wall
		lines := newProfile(w.v(q)-period, w.v(q+tall)+period, func(float32) float32 { return 0 })
		for v := w.v(q); v < w.v(q+tall); v += period {
			lines.add(ring{v: v, width: period * 0.5, flank: period * 0.4, relief: period * 0.2})
		}
		for i, v := range w.c.v {
			w.c.h[i] += lines.at(v)
		}
		return
	}
	b := hatch{v0: w.v(q), v1: w.v(q + tall), period: period, slant: s.around(0, 1), dark: s.between(0.1, 0.7)}
	b.relief = period * s.between(0.1, 0.35)
	w.c.hatch(b)
}

// shoulder draws the cross grooves at the tread's edge.
func (w *wall) shoulder() {
	s, c := w.s, w.c
	l := lugs{
		v0: w.v(s.between(0.86, 0.93)), v1: w.v(1.2), period: w.size(s.between(0.12, 0.3), 8),
		groove: s.between(0.12, 0.35), slant: s.around(0, 0.3), dark: w.bold * w.bold * s.between(0.3, 0.7), phase: s.Float32(),
	}
	l.depth = w.bold * l.period * l.groove * s.between(0.15, 0.4)
	l.round = l.period * 0.1
	c.lugs(l)
	w.at.lugs = append(w.at.lugs, l)
	if s.chance(0.45) { // ribs on the upper wall
		r := lugs{
			v0: w.v(s.between(0.7, 0.78)), v1: w.v(0.85), period: w.size(s.between(0.05, 0.16), 6),
			groove: s.between(0.2, 0.6), slant: s.around(0, 0.5), dark: s.between(0, 0.15), phase: s.Float32(), round: 1.5,
		}
		r.depth = w.bold * r.period * s.between(0.04, 0.12)
		c.lugs(r)
	}
}

// letters writes around the wall: a brand, its model and size, and small print in separate rings.
func (w *wall) letters() {
	s, c := w.s, w.c
	relief := w.bold * s.between(0.06, 0.16)
	type line struct {
		lists     [][]string
		q, height float32
		atLeast   float32
		style     letterStyle
		spacing   float32 // gaps between the words, in heights
	}
	lines := []line{
		{[][]string{brandWords, modelWords, brandWords, sizeWords}, s.between(0.5, 0.68), s.between(0.12, 0.24), 9, letterStyle(s.IntN(int(letterEnd))), 4},
		{[][]string{sizeWords, loadWords, smallWords, smallWords}, s.between(0.3, 0.42), s.between(0.055, 0.1), 6.5, letterStyle(s.IntN(2)), 5},
		{[][]string{smallWords}, s.between(0.2, 0.27), s.between(0.03, 0.05), 5.5, raised, 6},
	}
	for _, l := range lines {
		if s.chance(0.15) {
			continue
		}
		inward := s.chance(0.1)
		height := w.size(l.height, l.atLeast)
		v := w.v(l.q)
		round := turn * c.geo.ref
		start := s.between(0, round)
		for used, i := float32(0), 0; ; i++ {
			list := l.lists[i%len(l.lists)]
			t := inscription{
				text: list[s.IntN(len(list))], v: v, height: height, style: l.style, inward: inward,
				relief: relief * height * 0.8,
			}
			span := c.span(&t)
			gap := height * l.spacing * s.between(0.4, 1.6)
			if used+span > round {
				break
			}
			t.u = start + used + span/2
			if t.u > round/2 {
				t.u -= round
			}
			used += span + gap
			if abs32(t.u)-span/2 > w.reach() && w.at.wide {
				continue // outside the picture
			}
			c.inscribe(&t, w.plain)
			w.at.words = append(w.at.words, t)
		}
	}
}

// marks draws the traces of moulding: fins at joints, stubs of vents, round plugs.
func (w *wall) marks() {
	s, c := w.s, w.c
	reach := min(3.1*c.geo.ref, w.reach())
	if !w.at.wide {
		reach = 3.1 * c.geo.ref
	}
	for range s.count(0, 2) { // joint of mould segments
		u := s.between(-reach, reach)
		c.flash(u, w.v(0.1), u, w.v(0.95), w.size(0.004, 0.9), s.between(0.2, 0.6))
	}
	if s.chance(0.6) {
		v := w.v(s.between(0.3, 0.9))
		period := w.size(s.between(0.3, 0.8), 14)
		radius := w.size(0.006, 1)
		for u := -reach + s.between(0, period); u < reach; u += period {
			c.spot(u, v+s.around(0, 1), radius, radius*s.between(0.8, 2), 0)
		}
	}
	if s.chance(0.4) {
		r := w.size(s.between(0.04, 0.12), 6)
		c.spot(s.between(-reach, reach)*0.7, w.v(s.between(0.3, 0.7)), r, s.between(0.4, 1), max(1.4, r*0.08))
	}
}
