package synth

// cracks returns crackTire with its random stream.
func cracks(s stream) func(*canvas, sites) {
	return func(c *canvas, at sites) { crackTire(c, s, at) }
}

// crackTire draws one or two kinds of cracks and opens them. Every kind is visible at 379 x 379
// grey pixels: a network cannot learn what a person cannot see there.
func crackTire(c *canvas, s stream, at sites) {
	k := &cracker{c: c, s: s, at: at, depth: 1}
	if at.wide {
		k.depth = s.between(c.shallow, 1)
	}
	fields := []func(){k.craze, k.craze, k.polygons}
	if at.wide {
		fields = []func(){k.craze, k.waves, k.waves, k.polygons}
	}
	kinds := append(fields, k.splits, k.splits, k.ringCracks, k.tears)
	if len(at.words) > 0 {
		kinds = append(kinds, k.letterCracks)
	}
	if len(at.lugs) > 0 {
		kinds = append(kinds, k.lugCracks)
	}
	kinds[s.IntN(len(kinds))]()
	if at.wide && s.chance(0.88) {
		// Rubber with one crack that is worth a close-up is crazed all around it.
		fields[s.IntN(len(fields))]()
	} else if s.chance(0.55) {
		kinds[s.IntN(len(kinds))]()
	}
	if at.wide && s.chance(0.5) {
		k.hairs()
	}
	// All cracks may be outside the picture. These are placed inside it, so a few attempts are
	// enough. The limit is for pictures that show almost no rubber.
	for range 20 {
		if k.visible() >= k.enough() {
			break
		}
		if at.wide && s.chance(0.5) {
			k.craze()
		} else {
			k.splits()
		}
	}
	for i := range c.crack {
		c.crack[i] *= k.depth
	}
	k.settle(s.between(0.8, 2.8), s.between(0, 1.5), s.between(0, 0.4))
}

// enough returns the minimum area of cracks in a picture of a cracked tire, in square units: on a
// whole tire, four splits 75 long and 2 wide; in a close-up a share of the picture, because faint
// cracks are visible only when there are many.
func (k *cracker) enough() float32 {
	if side := 2 * k.c.half; k.at.wide {
		return 0.018 * side * side / (k.depth * k.depth)
	}
	return 600
}

// visible returns the area of cracks in the picture, weighted by their darkness, in square units.
func (k *cracker) visible() float32 {
	sum := float32(0)
	for _, a := range k.c.crack {
		sum += a
	}
	return sum / (k.c.k * k.c.k)
}

// scale returns the length of cracks relative to a close-up.
func (k *cracker) scale() float32 {
	if k.at.wide {
		return 1
	}
	return 0.55
}

// crackDirection draws the direction of a field of cracks: usually around the tire, because the
// flexing of side walls opens such cracks.
func (k *cracker) crackDirection() float32 {
	switch r := k.s.Float32(); {
	case r < 0.62:
		return k.s.around(0, 0.12)
	case r < 0.8:
		return quarter + k.s.around(0, 0.15)
	}
	return k.s.angle()
}

// craze draws ozone cracking: many short parallel hairlines.
func (k *cracker) craze() {
	s, z := k.s, k.scale()
	dir := k.crackDirection()
	length, gap := s.between(18, 80)*z, s.between(5, 11)
	width, dark := s.between(1.4, 2.4), s.between(0.68, 0.94)
	u, v := k.place()
	reachU, reachV := s.between(90, 320), s.between(80, 280)
	if !k.at.wide {
		gap = s.between(4.5, 8)
		width = s.between(1.5, 2.2)
		dark = s.between(0.75, 0.95)
		reachU, reachV = s.between(50, 400), s.between(20, 60)
	}
	patches := newField(tiles().cloud, s, s.between(0.5, 1))
	along, across := cos32(dir), sin32(dir)
	reach := max(reachU, reachV)
	for a := -reach; a < reach; a += length * 1.15 {
		for b := -reach; b < reach; b += gap {
			ja, jb := a+s.between(-0.5, 0.5)*length, b+s.between(-0.4, 0.4)*gap
			du, dv := ja*along-jb*across, ja*across+jb*along
			e := (du*du)/(reachU*reachU) + (dv*dv)/(reachV*reachV)
			weight := 1 - e + 0.4*patches.at(du, dv)
			size := s.between(0.5, 1.2)
			if weight < 0.05 || s.chance(0.25) {
				continue
			}
			k.grow(fissure{
				u: u + du, v: v + dv, dir: dir, length: length * size * min(1, 0.5+weight),
				width: width * min(1.1, 0.75+0.5*weight), dark: dark * min(1, 0.65+weight),
				wander: 0.16, jog: 0.1, branch: 0.04, deepest: 1,
			})
		}
	}
}

// waves draws ozone cracking as in close-ups: long thin wavy cracks side by side over most of the
// picture, a few of them wide open.
func (k *cracker) waves() {
	s, side := k.s, 2*k.c.half
	dir := k.crackDirection()
	gap := max(s.between(0.012, 0.05)*side, 4*k.c.blur*k.c.lens()/k.c.k)
	length := gap * s.between(3, 14)
	width, dark := min(s.between(0.8, 2), 0.3*gap/k.finer()), s.between(0.6, 0.95)
	u, v := k.place()
	reach := s.between(0.3, 0.9) * side
	patches := newField(tiles().cloud, s, s.between(0.5, 1.5))
	along, across := cos32(dir), sin32(dir)
	wander, jog, branch := s.between(0.06, 0.25), s.between(0, 0.12), s.between(0, 0.06)
	for a := -reach; a < reach; a += length * 1.1 {
		for b := -reach; b < reach; b += gap {
			ja, jb := a+s.between(-0.5, 0.5)*length, b+s.between(-0.45, 0.45)*gap
			du, dv := ja*along-jb*across, ja*across+jb*along
			weight := 1 - (du*du+dv*dv)/(reach*reach) + 0.5*patches.at(du, dv)
			open := s.between(0.5, 1.1)
			if s.chance(0.06) {
				open *= s.between(1.5, 3)
			}
			if weight < 0.05 || s.chance(0.2) {
				continue
			}
			k.grow(fissure{
				u: u + du, v: v + dv, dir: dir, length: length * s.between(0.5, 1.3), width: width * open, dark: dark,
				wander: wander, jog: jog, branch: branch, deepest: 1,
			})
		}
	}
}

// hairs draws the first signs of ageing around the main cracks: thin, short and faint.
func (k *cracker) hairs() {
	s := k.s
	dir := k.crackDirection()
	width, dark := s.between(0.6, 1), s.between(0.25, 0.5)
	for range s.count(60, 260) {
		u, v := k.place()
		k.grow(fissure{
			u: u, v: v, dir: dir + s.around(0, 0.2), length: s.between(8, 36), width: width, dark: dark,
			wander: 0.2, jog: 0.12, branch: 0.05, deepest: 1,
		})
	}
}

// polygons draws crazing without a direction.
func (k *cracker) polygons() {
	s := k.s
	u, v := k.place()
	cell := s.between(14, 38)
	reachU, reachV := s.between(90, 260), s.between(80, 230)
	stretch := s.between(0.8, 2.2)
	width := s.between(1.4, 2.6)
	if !k.at.wide {
		cell = s.between(8, 14)
		reachU, reachV = s.between(50, 500), s.between(25, 60)
		width = s.between(1.4, 1.9)
	}
	k.network(u, v, reachU, reachV, cell, stretch, width, s.between(0.65, 0.93))
}

// splits draws few cracks that are long, deep and branching.
func (k *cracker) splits() {
	s, z := k.s, k.scale()
	dir := k.crackDirection()
	for range s.count(1, 4) {
		u, v := k.place()
		length := s.between(70, 260) * z
		width := s.between(2.2, 5) * (0.55 + 0.45*z)
		k.grow(fissure{
			u: u - cos32(dir)*length*0.4, v: clamp(v-sin32(dir)*length*0.4, k.at.vMin+1, k.at.vMax-1),
			dir: dir + s.around(0, 0.25), length: length, width: width, dark: s.between(0.75, 0.96),
			wander: s.between(0.12, 0.28), jog: 0.14, branch: s.between(0.01, 0.06), deepest: 2,
		})
	}
}

// ringCracks draws cracks along ribs and steps, with short side cracks.
func (k *cracker) ringCracks() {
	s := k.s
	for range s.count(1, 2) {
		u, v := k.place()
		if len(k.at.edges) > 0 && s.chance(0.8) {
			// Use the edge nearest to a visible point, so that the crack is in the picture.
			best := k.at.edges[0]
			for _, e := range k.at.edges {
				if abs32(e-v) < abs32(best-v) {
					best = e
				}
			}
			if abs32(best-v) < 60 {
				v = clamp(best, k.at.vMin+1, k.at.vMax-1)
			}
		}
		length := s.between(120, 420)
		k.grow(fissure{
			u: u - length/2, v: v, dir: s.around(0, 0.01), length: length, width: s.between(1.8, 3.2),
			dark: s.between(0.75, 0.95), wander: 0.2, jog: 0.14, branch: s.between(0.05, 0.16), deepest: 1,
		})
	}
}

// tears draws clusters of short open cuts that are nearly parallel.
func (k *cracker) tears() {
	s := k.s
	u, v := k.place()
	dir := k.crackDirection()
	spreadU, spreadV := s.between(25, 80), s.between(25, 80)
	if !k.at.wide {
		spreadV = s.between(12, 25)
	}
	width, dark := s.between(1.7, 3), s.between(0.7, 0.93)
	for range s.count(22, 75) {
		k.grow(fissure{
			u: u + s.around(0, spreadU), v: clamp(v+s.around(0, spreadV), k.at.vMin+1, k.at.vMax-1),
			dir: dir + s.around(0, 0.2), length: s.between(6, 18), width: width * s.between(0.6, 1.1),
			dark: dark, wander: 0.12, jog: 0.05,
		})
	}
}

// letterCracks draws cracks that start where letters concentrate the stress.
func (k *cracker) letterCracks() {
	s, z := k.s, k.scale()
	c := k.c
	w := k.at.words[s.IntN(len(k.at.words))]
	half := c.span(&w) / 2
	dir := k.crackDirection()
	width, dark := s.between(1.4, 2.4), s.between(0.7, 0.93)
	count := s.count(20, 55)
	if !k.at.wide {
		count /= 2
	}
	for range count {
		k.grow(fissure{
			u: w.u + s.between(-1.1, 1.1)*half, v: w.v + s.between(-0.9, 0.9)*w.height,
			dir: dir + s.around(0, 0.15), length: s.between(14, 60) * z, width: width, dark: dark,
			wander: 0.18, jog: 0.1, branch: 0.06, deepest: 1,
		})
	}
}

// lugCracks draws cracks that start at the ends of cross grooves.
func (k *cracker) lugCracks() {
	s, z := k.s, k.scale()
	c := k.c
	l := k.at.lugs[s.IntN(len(k.at.lugs))]
	period := c.period(l.period)
	first := int(-200 / period)
	count := int(400/period) + 1
	if !k.at.wide {
		count = int(turn * c.geo.ref / period)
		first = s.IntN(count)
		count = s.count(count/5, count)
	}
	down := s.chance(0.5)
	for i := range count {
		if s.chance(0.3) {
			continue
		}
		u := (float32(first+i) + 0.5 - l.phase) * period
		v := clamp(l.v0+s.between(-2, 3), k.at.vMin+1, k.at.vMax-1)
		dir := s.around(-quarter, 0.25)
		if !down {
			dir = s.around(0, 0.2)
		}
		k.grow(fissure{
			u: u + s.around(0, 1), v: v, dir: dir, length: s.between(25, 80) * z, width: s.between(1.6, 3.2),
			dark: s.between(0.65, 0.92), wander: 0.22, jog: 0.15, branch: 0.06, deepest: 1,
		})
	}
}
