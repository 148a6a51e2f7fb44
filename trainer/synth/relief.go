package synth

// profile is the height of a surface of revolution over v. It is a table, so that a thousand
// features take no longer than none.
type profile struct {
	lo float32
	h  []float32 // every profileStep units from lo on
}

const profileStep = 0.25

// newProfile tabulates height from lo to hi.
func newProfile(lo, hi float32, height func(v float32) float32) *profile {
	p := &profile{lo: lo, h: make([]float32, int((hi-lo)/profileStep)+2)}
	for i := range p.h {
		p.h[i] = height(lo + float32(i)*profileStep)
	}
	return p
}

// at interpolates the profile, which continues at constant height beyond its ends.
func (p *profile) at(v float32) float32 {
	x := clamp((v-p.lo)*(1/profileStep), 0, float32(len(p.h)-2))
	i := int(x)
	return p.h[i] + (p.h[i+1]-p.h[i])*(x-float32(i))
}

// add adds the feature to the table.
func (p *profile) add(f ring) {
	for i := range p.h {
		p.h[i] += f.at(p.lo + float32(i)*profileStep)
	}
}

// ring is a rib (relief above 0) or a groove (below 0) around the tire, or a step when everything
// outside is raised.
type ring struct {
	v, width float32
	flank    float32 // length of the slope, units
	relief   float32
	step     bool // everything outside v is raised
}

func (r ring) at(v float32) float32 {
	if r.step {
		return r.relief * smooth(r.v-r.flank/2, r.v+r.flank/2, v)
	}
	d := abs32(v - r.v)
	return r.relief * (1 - smooth(r.width/2-r.flank/2, r.width/2+r.flank/2, d))
}

// hatch is a band of moulded lines: the ornament of side walls.
type hatch struct {
	v0, v1 float32
	period float32 // along u, units
	slant  float32 // du per dv
	relief float32
	dark   float32 // share of the sky that the valleys hide
	zigzag float32 // length of a zig along v, 0 for straight lines
	u0, u1 float32 // part of the circumference; all when equal
}

func (c *canvas) hatch(b hatch) {
	period := c.period(b.period)
	inv := 1 / period
	// Below four pixels per period the lines blend into an even shade, as in a lens.
	seen := smooth(1.8, 4, period*c.k)
	relief, dark := b.relief*seen, b.dark*seen
	edge := max(0.8, period*0.2)
	for i, v := range c.v {
		if v < b.v0 || v > b.v1 {
			continue
		}
		u := c.u[i]
		fade := smooth(b.v0, b.v0+edge, v) * smooth(b.v1, b.v1-edge, v)
		if b.u0 != b.u1 {
			fade *= smooth(b.u0, b.u0+edge, u) * smooth(b.u1, b.u1-edge, u)
			if fade == 0 {
				continue
			}
		}
		d := v - b.v0
		if b.zigzag > 0 {
			d = abs32(d - b.zigzag*2*floor32(d/(2*b.zigzag)+0.5))
		}
		phase := (u + d*b.slant) * inv
		t := abs32(phase-floor32(phase)-0.5) * 2 // 0 at the ridge, 1 in the valley
		ridge := 1 - smooth(0.15, 0.85, t)
		c.h[i] += fade * relief * ridge
		c.occ[i] += fade * dark * (1 - ridge)
	}
}

// lugs are blocks between cross grooves: a shoulder, or the teeth along a rim protector.
type lugs struct {
	v0, v1 float32
	period float32
	groove float32 // share of the period
	depth  float32
	slant  float32
	round  float32 // rounding of the groove's end, units
	dark   float32 // share of the sky that the groove hides
	phase  float32
}

func (c *canvas) lugs(b lugs) {
	period := c.period(b.period)
	inv := 1 / period
	half := b.groove * period / 2
	flank := max(0.7, half*0.5)
	for i, v := range c.v {
		if v < b.v0 || v > b.v1 {
			continue
		}
		t := (c.u[i]+(v-b.v0)*b.slant)*inv + b.phase
		d := abs32(t-floor32(t)-0.5) * period
		g := 1 - smooth(half-flank/2, half+flank/2, d)
		if g == 0 {
			continue
		}
		g *= smooth(b.v0, b.v0+b.round, v+b.round*0.15) * smooth(b.v1, b.v1-2, v)
		c.h[i] -= g * b.depth
		c.occ[i] += g * b.dark
	}
}

// spot raises or lowers a round or ring-shaped mark: stubs of vents, wear marks, plugs.
func (c *canvas) spot(u, v, radius, relief, rim float32) {
	x0, y0 := c.pixel(u, v)
	r := radius * c.k
	edge := max(0.8, 0.35*rim*c.k)
	reach := r + rim*c.k + 2
	for y := int(max(0, y0-reach)); y < int(min(float32(c.n), y0+reach+1)); y++ {
		for x := int(max(0, x0-reach)); x < int(min(float32(c.n), x0+reach+1)); x++ {
			dx, dy := float32(x)+0.5-x0, float32(y)+0.5-y0
			d := sqrt32(dx*dx + dy*dy)
			i := y*c.n + x
			if rim > 0 {
				c.h[i] += relief * (1 - smooth(rim*c.k/2-edge, rim*c.k/2+edge, abs32(d-r)))
			} else {
				c.h[i] += relief * (1 - smooth(0.5*r, r, d))
			}
		}
	}
}

// flash draws the thin fin of rubber at the joints of a mould: a ridge along a line.
func (c *canvas) flash(u0, v0, u1, v1, width, relief float32) {
	x0, y0 := c.pixel(u0, v0)
	x1, y1 := c.pixel(u1, v1)
	c.stroke(x0, y0, x1, y1, width*c.k/2, width*c.k/2, func(i int, a float32) { c.h[i] += a * relief })
}

// stroke calls paint with the coverage of every pixel of a line. Its half width, px, changes from
// r0 to r1.
func (c *canvas) stroke(x0, y0, x1, y1, r0, r1 float32, paint func(i int, a float32)) {
	reach := max(r0, r1) + 1
	lx, hx := int(max(0, min(x0, x1)-reach)), int(min(float32(c.n-1), max(x0, x1)+reach))
	ly, hy := int(max(0, min(y0, y1)-reach)), int(min(float32(c.n-1), max(y0, y1)+reach))
	dx, dy := x1-x0, y1-y0
	inv := 1 / max(dx*dx+dy*dy, 1e-6)
	for y := ly; y <= hy; y++ {
		py := float32(y) + 0.5 - y0
		for x := lx; x <= hx; x++ {
			px := float32(x) + 0.5 - x0
			t := clamp((px*dx+py*dy)*inv, 0, 1)
			ex, ey := px-t*dx, py-t*dy
			r := r0 + (r1-r0)*t
			// Coverage of a pixel by a line of half width r: exact on average, good enough at the
			// ends.
			a := min(r+0.5-sqrt32(ex*ex+ey*ey), min(1, 2*r))
			if a > 0 {
				paint(y*c.n+x, a)
			}
		}
	}
}
