package synth

// compound is the rubber of one tire with its ageing and dirt.
type compound struct {
	dust    float32 // how much light dust, 0 clean to 1 grey
	patch   float32 // contrast of its patches
	streaks float32 // contrast of wiped streaks along u
	mottle  float32 // unevenness of old rubber, in the height map
	grain   float32 // roughness of the skin, in the height map
	specks  float32 // contrast of single grains in reflectance
	warm    float32 // tint: -1 blue-black to 1 brown
	gloss   float32
}

func newCompound(s stream) compound {
	old := s.Float32()
	return compound{
		dust:    s.between(0, 0.6) * s.between(0.2, 1),
		patch:   s.between(0.02, 0.12),
		streaks: s.between(0, 0.12),
		mottle:  s.between(0.05, 0.4) * (0.3 + old),
		grain:   s.between(0.02, 0.13),
		specks:  s.between(0.015, 0.08),
		warm:    clamp(s.around(-0.05, 0.5), -1, 1),
		gloss:   s.between(0.1, 1) * (1.2 - old*0.7),
	}
}

// fromAfar returns the compound for a whole tire, whose skin is too fine to be visible. There is
// less dust, because a line that searches for dark discs washes its tires.
func (r compound) fromAfar() compound {
	r.dust *= 0.5
	r.mottle *= 0.3
	r.grain *= 0.4
	r.specks *= 0.4
	r.patch *= 0.7
	return r
}

// rub covers the whole canvas with rubber.
func (c *canvas) rub(s stream, r compound) {
	t := tiles()
	dust := newField(t.cloud, s, s.between(0.35, 0.9))
	stain := newField(t.cloud, s, s.between(0.6, 1.4))
	mottle := newField(t.coarse, s, s.between(0.35, 0.8))
	streak := newField(t.cloud, s, 1)
	streak.fy = s.between(0.8, 1.6)
	// A whole number of tiles around the tire joins the ends of the streaks.
	streak.fx = tileSide / c.period(tileSide/s.between(0.05, 0.15))
	gx, gy := s.IntN(tileSide), s.IntN(tileSide)
	step := 1 / c.k
	warm := r.warm * 0.06
	for y := range c.n {
		fy := float32(y) * step
		grain := t.grain[((y+gy)&tileMask)*tileSide:][:tileSide]
		for x := range c.n {
			i := y*c.n + x
			fx := float32(x) * step
			g := grain[(x+gx)&tileMask]
			d := dust.at(fx, fy)
			b := stain.at(fx, fy)
			layer := clamp(r.dust*(1+0.45*d), 0, 1)
			c.light[i] = (1 + r.patch*b*0.8 + r.streaks*streak.at(c.u[i], c.v[i])) * (1 + 0.9*layer) * (1 + r.specks*g)
			brown := 0.06 * layer * (1 + 0.6*b)
			c.red[i] = warm + brown
			c.blue[i] = -1.2 * (warm + brown)
			c.h[i] = r.mottle*0.35*mottle.at(fx, fy) + r.grain*g
			c.gloss[i] = r.gloss * (1 - 0.8*layer) * (1 + 0.25*b)
		}
	}
}
