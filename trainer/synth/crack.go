package synth

// sites says where cracks can start on a tire. All sites are on rubber.
type sites struct {
	vMin, vMax float32 // allowed range of cracks
	edges      []float32
	words      []inscription
	lugs       []lugs
	wide       bool // a part of the tire fills the picture; otherwise the whole tire does
}

// cracker draws the cracks of one picture into the canvas' crack map.
type cracker struct {
	c  *canvas
	s  stream
	at sites
	// depth scales the darkness of all cracks at the end: light reaches the bottom of a shallow
	// crack, and in most photographs cracks are grey.
	depth float32
}

// fissure is one crack: a walk over the tire.
type fissure struct {
	u, v    float32
	dir     float32 // 0 along u, pi/2 along v
	length  float32 // units
	width   float32 // full width at its widest, units
	dark    float32 // share of the light that it absorbs
	wander  float32 // deviation of the direction per step, radians
	jog     float32 // probability of a sharp sideways step
	branch  float32 // probability of a branch per step
	deepest int     // levels of branches that may follow
}

const crackStep = 2.4 // units per step of a walk

// grow draws the fissure and its branches.
func (k *cracker) grow(f fissure) {
	c, s := k.c, k.s
	steps := max(3, int(f.length/crackStep))
	heading, drift := f.dir, float32(0)
	u, v := f.u, f.v
	x0, y0 := c.pixel(u, v)
	w0 := f.width * 0.25
	for i := range steps {
		t := float32(i+1) / float32(steps)
		// The direction returns to that of the crack: the stress has one direction, the material
		// disturbs it.
		drift = drift*0.72 + s.around(0, f.wander)
		dir := heading + drift
		if s.chance(f.jog) {
			dir += s.sign() * s.between(0.6, 1.3)
		}
		u += cos32(dir) * crackStep * c.geo.ref / (c.geo.ref + v)
		v += sin32(dir) * crackStep
		if v < k.at.vMin || v > k.at.vMax {
			return
		}
		w1 := f.width * taper(t) * s.between(0.65, 1.25)
		x1, y1 := c.pixel(u, v)
		k.cut(x0, y0, x1, y1, w0, w1, f.dark*s.between(0.85, 1))
		x0, y0, w0 = x1, y1, w1
		if f.deepest > 0 && t < 0.85 && s.chance(f.branch) {
			child := f
			child.u, child.v = u, v
			child.dir = heading + s.sign()*s.between(0.3, 1.1)
			child.length = f.length * (1 - t*0.6) * s.between(0.15, 0.55)
			child.width = max(min(f.width, 1.2), f.width*s.between(0.4, 0.75))
			child.deepest--
			k.grow(child)
		}
	}
}

// taper returns the relative width along a crack: wide in the middle, narrow at both ends.
func taper(t float32) float32 { return 0.35 + 0.65*sqrt32(max(0, 4*t*(1-t))) }

// finer returns the factor on all widths. From near, finer cracks are visible; from far and out of
// focus, only wide ones.
func (k *cracker) finer() float32 {
	return sqrt32(k.c.lens()/k.c.k) * (1 + 0.22*max(0, k.c.blur-0.8))
}

// cut draws one segment between two pixels. Widths are in units at zoom 1.
func (k *cracker) cut(x0, y0, x1, y1, w0, w1, dark float32) {
	c := k.c
	half := c.k / 2 * k.finer()
	if !k.at.wide { // only wide open cracks are visible from so far
		dark = lerp(dark, 1, 0.35)
	}
	c.stroke(x0, y0, x1, y1, w0*half, w1*half, func(i int, a float32) {
		c.crack[i] = max(c.crack[i], a*dark*c.cover[i])
	})
}

// place returns a random point on rubber inside the picture.
func (k *cracker) place() (u, v float32) {
	c := k.c
	for range 200 {
		x := int(k.s.between(0.12, 0.88) * float32(c.n))
		y := int(k.s.between(0.12, 0.88) * float32(c.n))
		i := y*c.n + x
		if c.cover[i] > 0.9 && c.v[i] > k.at.vMin+2 && c.v[i] < k.at.vMax-2 {
			return c.u[i], c.v[i]
		}
	}
	i := c.n*c.n/2 + c.n/2
	return c.u[i], clamp(c.v[i], k.at.vMin, k.at.vMax)
}

// settle opens the cracks in the height map: a groove that is lit on its far wall, and lips beside
// deep cracks that bend up and carry dust.
func (k *cracker) settle(depth, lip, dust float32) {
	c := k.c
	copy(c.tmp, c.crack)
	boxBlur(c.tmp, c.tmp2, c.n, max(1, int(1.6*c.k)))
	for i, a := range c.tmp {
		if a == 0 {
			continue
		}
		c.h[i] += lip*a - depth*c.crack[i]
		c.light[i] *= 1 + dust*a*(1-c.crack[i])
		c.gloss[i] *= 1 - 0.7*min(1, 2*a)
	}
}

// network cracks an area into polygons, the pattern of old paint and dry mud: edges of a Voronoi
// diagram, with gaps where the noise is low.
func (k *cracker) network(u, v, reachU, reachV, cell, stretch, width, dark float32) {
	c, s := k.c, k.s
	t := tiles()
	warpU, warpV := newField(t.cloud, s, 1.4), newField(t.cloud, s, 1.4)
	gaps := newField(t.cloud, s, s.between(0.3, 0.6))
	salt := s.Uint64()
	inv := 1 / cell
	half := width / 2 * k.finer()
	b := c.boxOf(u-reachU, u+reachU, v-reachV, v+reachV)
	if reachU > c.geo.ref { // more than a third of the tire: use the whole picture
		b = box{0, 0, c.n, c.n}
	}
	step := 1 / c.k
	for y := b.y0; y < b.y1; y++ {
		for x := b.x0; x < b.x1; x++ {
			i := y*c.n + x
			du, dv := (c.u[i]-u)/reachU, (c.v[i]-v)/reachV
			rim := du*du + dv*dv
			if rim > 1 || c.v[i] < k.at.vMin || c.v[i] > k.at.vMax {
				continue
			}
			fx, fy := float32(x)*step, float32(y)*step
			open := gaps.at(fx, fy) + 1.1 - 1.6*rim*rim
			if open < 0 {
				continue
			}
			px := (c.u[i]/stretch + 0.16*cell*warpU.at(fx, fy)) * inv
			py := (c.v[i] + 0.16*cell*warpV.at(fx, fy)) * inv
			d := voronoiEdge(px, py, salt) * cell
			w := half * min(1, 0.45+open)
			if a := min((w-d)*c.k+0.5, min(1, 2*w*c.k)); a > 0 {
				c.crack[i] = max(c.crack[i], a*dark*min(1, open*2)*c.cover[i])
			}
		}
	}
}

// voronoiEdge returns the distance of (x, y) to the nearest edge between jittered cells of side 1.
// Source: Quilez, "Voronoi borders", 2012.
func voronoiEdge(x, y float32, salt uint64) float32 {
	cx, cy := floor32(x), floor32(y)
	var px, py [9]float32
	best, bi := float32(9), 0
	for j := range 9 {
		gx, gy := cx+float32(j%3-1), cy+float32(j/3-1)
		r := mix(salt ^ uint64(uint32(int32(gx))) ^ uint64(uint32(int32(gy)))<<32)
		px[j] = gx + 0.12 + 0.76*float32(r&0xffff)/65536 - x
		py[j] = gy + 0.12 + 0.76*float32(r>>16&0xffff)/65536 - y
		if d := px[j]*px[j] + py[j]*py[j]; d < best {
			best, bi = d, j
		}
	}
	edge := float32(9)
	for j := range 9 {
		if j == bi {
			continue
		}
		dx, dy := px[j]-px[bi], py[j]-py[bi]
		d := 0.5 * ((px[j]+px[bi])*dx + (py[j]+py[bi])*dy) / sqrt32(dx*dx+dy*dy)
		edge = min(edge, d)
	}
	return edge
}
