package synth

// drawCloseUp draws a part of a tire into the canvas, shaded.
func drawCloseUp(c *canvas, tire, dirt stream, crack func(*canvas, sites)) {
	lean := mat3{1, 0, 0, 0, 1, 0, tire.around(0, 0.0004), tire.around(0, 0.0004), 1}
	view := rotation(tire.angle()).mul(lean)
	r := newCompound(tire)
	// The skin's grains are as small as a pixel at any distance. From near, the same grain is less
	// steep.
	r.grain *= min(1, c.lens()/c.k)
	light := newLamp(tire).byHand(tire)
	for i := range c.cover {
		c.cover[i] = 1
	}
	var at sites
	if tire.chance(0.38) {
		c.lookAt(view, -treadRef, treadRef)
		c.rub(tire, r)
		at = drawTread(c, tire)
	} else {
		tall := tire.between(280, 820)
		rim := tall * tire.between(1.2, 2.1)
		ref := rim + tall*tire.between(0.22, 0.88)
		c.lookAt(view, -ref, ref)
		c.rub(tire, r)
		edge := rim + tall*tire.between(1.02, 1.06) - ref
		for i, v := range c.v {
			c.cover[i] = smooth(rim-ref-0.7, rim-ref+0.7, v) * smooth(edge+0.7, edge-0.7, v)
		}
		at = drawWall(c, tire, rim, tall, true)
		at.vMax = min(at.vMax, edge-4)
	}
	soil(c, dirt, at)
	if crack != nil {
		crack(c, at)
	}
	c.shade(light)
	c.surround(tire)
}

// surround draws the background out of focus: floor, wall or rim.
func (c *canvas) surround(s stream) {
	cloud := newField(tiles().cloud, s, s.between(1, 2.5))
	level, warm := s.between(0.3, 2.4), s.around(0, 0.02)
	if s.chance(0.3) { // a light floor next to dark rubber
		level *= s.between(1, 3)
	}
	step := 1 / c.k
	for y := range c.n {
		for x := range c.n {
			i := y*c.n + x
			a := c.cover[i]
			if a == 1 {
				continue
			}
			b := max(0.05, level*(1+0.06*cloud.at(float32(x)*step, float32(y)*step)))
			c.out[i] = lerp(b, c.out[i], a)
			c.red[i] = lerp(warm, c.red[i], a)
			c.blue[i] = lerp(-warm, c.blue[i], a)
		}
	}
}
