package synth

// ringTire is a whole tire in side view.
type ringTire struct {
	outer, rim float32 // radii, units
	wheel      *wheel  // nil for an empty hole
	shadow     float32 // darkness of the shadow on the belt
	reach      float32 // width of the shadow, units
}

// drawSide draws a whole tire of radius outer around (x, y), shaded. It does not draw the belt:
// cover says where the belt is visible, and beltLight how much light reaches it. crack may be nil.
func drawSide(c *canvas, x, y, outer float32, light lamp, tire, dirt stream,
	crack func(*canvas, sites)) (beltLight []float32, t ringTire) {
	t = ringTire{
		outer: outer, rim: outer * tire.between(0.5, 0.64),
		shadow: tire.between(0.3, 0.65), reach: tire.between(6, 20),
	}
	if tire.chance(0.2) {
		t.wheel = newWheel(tire)
	}
	lean := mat3{1, 0, 0, 0, 1, 0, tire.around(0, 0.00006), tire.around(0, 0.00006), 1}
	view := rotation(tire.angle()).mul(lean).mul(mat3{1, 0, -x, 0, 1, -y, 0, 0, 1})
	ref := (t.outer + t.rim) / 2
	c.lookAt(view, 0, ref)
	c.rub(tire, newCompound(tire).fromAfar())
	edge := t.outer - ref
	for i, v := range c.v {
		c.cover[i] = smooth(edge+0.7, edge-0.7, v) * smooth(t.rim-ref-0.7, t.rim-ref+0.7, v)
	}
	at := drawWall(c, tire, t.rim, t.outer-t.rim, false)
	soil(c, dirt, at)
	if crack != nil {
		crack(c, at)
	}
	// A station is lit from all sides, so that letters have no black shadows. Deep places stay
	// dark.
	light.ambient = lerp(light.ambient, 0.8, 0.4)
	c.shade(light)
	t.notch(c, at)
	beltLight = t.cast(c, light)
	if t.wheel != nil {
		t.wheel.paint(c, tire, t.rim, light)
	}
	return beltLight, t
}

// notch opens the outline where cross grooves reach it.
func (t *ringTire) notch(c *canvas, at sites) {
	if len(at.lugs) == 0 {
		return
	}
	l := at.lugs[0]
	period := c.period(l.period)
	edge := t.outer - c.geo.ref
	deep := min(2.2, l.depth)
	for i, v := range c.v {
		if v < edge-deep-1 || v > edge+1 {
			continue
		}
		p := (c.u[i]+(v-l.v0)*l.slant)/period + l.phase
		d := abs32(p-floor32(p)-0.5) * period
		half := l.groove * period / 2
		open := 1 - smooth(half-0.5, half+0.5, d)
		c.cover[i] *= 1 - open*smooth(edge-deep-0.6, edge-deep+0.6, v)
	}
}

// cast returns how much light reaches the belt beside and inside the tire.
func (t *ringTire) cast(c *canvas, l lamp) []float32 {
	ox, oy := -l.x*t.reach*0.5, -l.y*t.reach*0.5
	beltLight := c.tmp
	step := 1 / c.k
	cx, cy := c.geo.image.at(0, 0)
	for y := range c.n {
		dy := (float32(y)+0.5)*step - c.half - cy - oy
		for x := range c.n {
			dx := (float32(x)+0.5)*step - c.half - cx - ox
			r := sqrt32(dx*dx + dy*dy)
			outside := 1 - smooth(t.outer-t.reach*0.5, t.outer+t.reach, r)
			inside := smooth(t.rim-t.reach*1.2, t.rim+t.reach*0.4, r)
			beltLight[y*c.n+x] = 1 - t.shadow*min(outside, inside)
		}
	}
	return beltLight
}

// lay draws the belt under the tire of drawSide. The belt's origin is at (x, y) of the picture.
func (c *canvas) lay(b *belt, x, y float32, beltLight []float32) {
	step := 1 / c.k
	for py := range c.n {
		for px := range c.n {
			i := py*c.n + px
			a := c.cover[i]
			if a == 1 {
				continue
			}
			l, red, blue := b.at(float32(px)*step+x, float32(py)*step+y)
			c.out[i] = lerp(l*beltLight[i], c.out[i], a)
			c.red[i] = lerp(red, c.red[i], a)
			c.blue[i] = lerp(blue, c.blue[i], a)
		}
	}
}

// wheel is a metal rim inside the tire.
type wheel struct {
	spokes  int
	level   float32
	window  float32 // share of the openings
	dark    float32 // brightness in the openings
	hub     float32 // radius of the cap, share of the rim
	dish    float32
	bolts   int
	rotated float32
}

func newWheel(s stream) *wheel {
	return &wheel{
		spokes: s.count(5, 10), level: s.between(0.9, 1.9), window: s.between(0.25, 0.6), dark: s.between(0.15, 0.5),
		hub: s.between(0.14, 0.22), dish: s.between(0.1, 0.4), bolts: s.count(4, 6), rotated: s.angle(),
	}
}

// paint draws the wheel into the hole.
func (w *wheel) paint(c *canvas, s stream, rim float32, l lamp) {
	cloud := newField(tiles().cloud, s, 0.8)
	face := atan2(l.y, l.x)
	cx, cy := c.geo.image.at(0, 0)
	step := 1 / c.k
	for y := range c.n {
		dy := (float32(y)+0.5)*step - c.half - cy
		for x := range c.n {
			dx := (float32(x)+0.5)*step - c.half - cx
			r := sqrt32(dx*dx+dy*dy) / rim
			if r > 1.02 {
				continue
			}
			a := atan2(dy, dx)
			lit := cos32(a - face)
			i := y*c.n + x
			b := w.level * (1 + 0.08*cloud.at(dx, dy))
			switch {
			case r > 0.9: // flange: bright towards the light, dark on the far side of its lip
				b *= 1 + lit*w.dish*(1-2*smooth(0.94, 0.96, r))*1.4
			case r > w.hub*1.9:
				t := (a + w.rotated) * float32(w.spokes) * (1 / turn)
				d := abs32(t-floor32(t)-0.5) * 2
				open := smooth(1-w.window-0.12, 1-w.window+0.02, d) * smooth(w.hub*1.9, w.hub*1.9+0.1, r) * smooth(0.88, 0.8, r)
				b *= 1 - w.dish*lit*0.7*r
				b = lerp(b, w.dark*(1+0.3*lit), open)
			case r > w.hub:
				t := (a + w.rotated) * float32(w.bolts) * (1 / turn)
				d := abs32(t-floor32(t)-0.5) / float32(w.bolts) * turn * r
				e := r - w.hub*1.45
				b *= 1 - 0.7*(1-smooth(0.02, 0.035, sqrt32(d*d+e*e)))
			default:
				b *= 1 + lit*0.3*smooth(w.hub*0.7, w.hub, r) - 0.2
			}
			if c.v[i] > rim-c.geo.ref+0.7 {
				continue
			}
			c.out[i] = lerp(max(0.02, b), c.out[i], c.cover[i])
			c.red[i] *= c.cover[i]
			c.blue[i] = lerp(0.03, c.blue[i], c.cover[i])
			c.cover[i] = 1
		}
	}
}
