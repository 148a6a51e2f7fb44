package synth

// soil adds marks that look like cracks at first sight: scratches, scuffs, shadows, dirt, straw,
// drips, chalk and paint. It does not know the class: sound and cracked tires get the same marks,
// otherwise the network would learn the dirt.
func soil(c *canvas, s stream, at sites) {
	d := soiler{c, s, at}
	for _, kind := range []struct {
		p    float32
		draw func()
	}{
		{0.45, d.scratches}, {0.4, d.scuffs}, {0.3, d.shadow}, {0.6, d.specks}, {0.15, d.straw},
		{0.35, d.stains}, {0.25, d.drips}, {0.15, d.paint}, {0.3, d.caked},
	} {
		if s.chance(kind.p) {
			kind.draw()
		}
	}
	if !at.wide {
		return
	}
	if s.chance(0.35) {
		d.wrinkles()
	}
	if s.chance(0.3) {
		d.pits()
	}
}

type soiler struct {
	c  *canvas
	s  stream
	at sites
}

// anywhere returns a random pixel position.
func (d soiler) anywhere() (x, y float32) {
	n := float32(d.c.n)
	return d.s.between(0, n), d.s.between(0, n)
}

// tint changes the brightness of a pixel and shifts its colour.
func (c *canvas) tint(i int, a, light, red, blue float32) {
	c.light[i] *= 1 + a*(light-1)
	c.red[i] += a * (red - c.red[i])
	c.blue[i] += a * (blue - c.blue[i])
}

// scratches draws straight bundles of light lines: rubber that was dragged along a kerb.
func (d soiler) scratches() {
	s, c := d.s, d.c
	for range s.count(1, 3) {
		x, y := d.anywhere()
		a := s.angle()
		long := s.between(20, 130) * c.k
		for range s.count(1, 9) {
			b := a + s.around(0, 0.05)
			l := long * s.between(0.3, 1)
			x0, y0 := x+s.around(0, 7)*c.k, y+s.around(0, 7)*c.k
			x1, y1 := x0+cos32(b)*l, y0+sin32(b)*l
			light := s.between(1.08, 1.5)
			w := s.between(0.3, 0.9) * c.k
			c.stroke(x0, y0, x1, y1, w, w*0.4, func(i int, a float32) {
				c.light[i] *= 1 + a*(light-1)
				c.gloss[i] *= 1 - 0.5*a
			})
		}
	}
}

// scuffs draws broad soft bands, darker or lighter.
func (d soiler) scuffs() {
	s, c := d.s, d.c
	for range s.count(1, 3) {
		x, y := d.anywhere()
		a, l := s.angle(), s.between(30, 160)*c.k
		w := s.between(4, 16) * c.k
		light := s.between(0.72, 1.3)
		x1, y1 := x+cos32(a)*l, y+sin32(a)*l
		inv := 1 / w
		c.stroke(x, y, x1, y1, w, w, func(i int, a float32) {
			c.light[i] *= 1 + smooth(0, 1, min(1, a*inv*2))*(light-1)
		})
	}
}

// shadow darkens a side of the picture, or a bar across it, with a soft straight edge. A whole tire
// has none: the shadow would have to cover the belt too, and stay in place while the tire moves.
func (d soiler) shadow() {
	s, c := d.s, d.c
	if !d.at.wide {
		return
	}
	a := s.angle()
	dx, dy := cos32(a)/c.k, sin32(a)/c.k
	off := s.between(-150, 150)
	width := s.between(15, 400)
	soft := s.between(3, 25)
	dark := s.between(0.4, 0.8)
	mid := float32(c.n) / 2
	for y := range c.n {
		for x := range c.n {
			p := (float32(x)-mid)*dx + (float32(y)-mid)*dy - off
			m := smooth(0, soft, p) * smooth(width+soft, width, p)
			c.light[y*c.n+x] *= 1 - m*(1-dark)
			c.gloss[y*c.n+x] *= 1 - m*(1-dark)
		}
	}
}

// wrinkles draws the skin of old rubber from near: shallow soft ridges in one direction, without
// any opening.
func (d soiler) wrinkles() {
	s, c := d.s, d.c
	f := newField(tiles().coarse, s, s.between(0.4, 1.2))
	f.fy *= s.between(1, 4)
	where := newField(tiles().cloud, s, s.between(0.8, 2))
	turned := rotation(s.angle())
	high := s.between(0.2, 0.9)
	for i, v := range c.v {
		x, y := turned.at(c.u[i], v)
		c.h[i] += high * clamp(0.5+where.at(c.u[i], v), 0, 1) * f.at(x, y)
	}
}

// pits draws pores and small damages of worn rubber: small, dark and round.
func (d soiler) pits() {
	s, c := d.s, d.c
	x, y := d.anywhere()
	spread := s.between(40, 250) * c.lens()
	dark, large := s.between(0.2, 0.8), s.between(0.6, 2.2)
	for range s.count(20, 250) {
		px, py := x+s.around(0, spread), y+s.around(0, spread)
		r := large * s.between(0.4, 1) * c.lens()
		b, l := s.angle(), s.between(0, 1.5)*r
		c.stroke(px, py, px+cos32(b)*l, py+sin32(b)*l, r, r*0.7, func(i int, a float32) {
			c.occ[i] = max(c.occ[i], min(1, a)*dark)
			c.h[i] -= 0.5 * a
		})
	}
}

// specks draws grains of sand and crumbs.
func (d soiler) specks() {
	s, c := d.s, d.c
	x, y := d.anywhere()
	spread := s.between(20, 220) * c.k
	bright := s.between(1.3, 2.6)
	for range s.count(8, 90) {
		px, py := x+s.around(0, spread), y+s.around(0, spread)
		r := s.between(0.4, 1.4) * c.k
		light := bright * s.between(0.7, 1.1)
		if s.chance(0.2) {
			light = 0.5
		}
		b := s.angle()
		l := s.between(0, 2) * c.k
		c.stroke(px, py, px+cos32(b)*l, py+sin32(b)*l, r, r*0.6, func(i int, a float32) {
			c.tint(i, a, light, 0.06, -0.1)
			c.h[i] += a * 0.8
		})
	}
}

// straw draws dry grass: thin, curved, light and on top of the rubber.
func (d soiler) straw() {
	s, c := d.s, d.c
	x, y := d.anywhere()
	for range s.count(1, 12) {
		px, py := x+s.around(0, 30)*c.k, y+s.around(0, 30)*c.k
		dir, bend := s.angle(), s.around(0, 0.04)
		w := s.between(0.5, 1.1) * c.k
		light := s.between(1.4, 2.6)
		for range s.count(4, 14) {
			qx, qy := px+cos32(dir)*3*c.k, py+sin32(dir)*3*c.k
			c.stroke(px, py, qx, qy, w, w, func(i int, a float32) {
				if c.light[i] < light*0.9 { // overlapping strokes must not add up
					c.tint(i, a, light/max(c.light[i], 0.4), 0.07, -0.25)
					c.h[i] += a * 0.5
				}
			})
			px, py = qx, qy
			dir += bend
		}
	}
}

// stains draws clouds of mud or water, brown or dark.
func (d soiler) stains() {
	s, c := d.s, d.c
	f := newField(tiles().cloud, s, s.between(0.7, 2))
	light := s.between(0.6, 1.6)
	brown := s.between(0, 0.12)
	from := s.between(0.2, 1.3)
	soft := s.between(0.1, 1)
	step := 1 / c.k
	for y := range c.n {
		for x := range c.n {
			a := smooth(from, from+soft, f.at(float32(x)*step, float32(y)*step))
			if a > 0 {
				c.tint(y*c.n+x, a*0.8, light, brown, -brown*1.3)
			}
		}
	}
}

// drips draws dried edges of puddles: thin light contour lines.
func (d soiler) drips() {
	s, c := d.s, d.c
	f := newField(tiles().cloud, s, s.between(1.2, 2.4))
	level := s.between(0.3, 1.2)
	width := s.between(0.04, 0.12)
	light := s.between(1.1, 1.35)
	step := 1 / c.k
	for y := range c.n {
		for x := range c.n {
			e := f.at(float32(x)*step, float32(y)*step) - level
			if e > 0 && e < width*3 {
				c.light[y*c.n+x] *= 1 + (light-1)*(1-e/(width*3))
			}
		}
	}
}

// paint draws a factory's stripe around the tire, or a coloured dot or chalk mark on it.
func (d soiler) paint() {
	s, c := d.s, d.c
	colours := [][3]float32{{1.9, 0.35, -0.6}, {1.2, 0.9, -0.5}, {1.5, -0.35, 0.25}, {2.4, 0, 0}, {2, 0.3, -0.7}}
	p := colours[s.IntN(len(colours))]
	worn := newField(tiles().cloud, s, 0.4)
	if s.chance(0.5) {
		v := s.between(d.at.vMin, d.at.vMax)
		if d.at.wide {
			v = s.between(-120, 120)
		}
		w := s.between(1.5, 4)
		for i, cv := range c.v {
			a := smooth(w, w-0.8, abs32(cv-v))
			if a > 0 {
				a *= clamp(0.7+0.4*worn.at(c.u[i], cv), 0, 1)
				c.tint(i, a, lerp(1, p[0], 0.6), p[1], p[2])
			}
		}
		return
	}
	x, y := d.anywhere()
	r := s.between(3, 7) * c.k
	c.stroke(x, y, x+r*s.between(0, 2), y, r, r, func(i int, a float32) {
		a = min(1, a) * clamp(0.8+0.3*worn.at(c.u[i], c.v[i]), 0, 1) * c.cover[i]
		c.tint(i, a, p[0], p[1], p[2])
	})
}

// caked draws dust in hollows and beside raised letters.
func (d soiler) caked() {
	s, c := d.s, d.c
	c.hollows()
	amount := s.between(0.4, 1.6)
	brown := s.between(0, 0.14)
	f := newField(tiles().cloud, s, 0.8)
	step := 1 / c.k
	for y := range c.n {
		for x := range c.n {
			i := y*c.n + x
			a := clamp(c.tmp[i]*amount*2, 0, 1) * clamp(0.6+0.6*f.at(float32(x)*step, float32(y)*step), 0, 1)
			if a > 0.01 {
				c.tint(i, a, 1.7, brown, -brown*1.2)
			}
		}
	}
}
