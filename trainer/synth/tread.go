package synth

// treadRef is the radius of a tread in a close-up: so large that its grooves are almost straight.
const treadRef = 6000

// drawTread draws the running surface: grooves around the tire, and cross grooves and sipes in the
// ribs between them.
func drawTread(c *canvas, s stream) sites {
	at := sites{vMin: -400, vMax: 400, wide: true}
	depth := s.between(4, 11)
	channels, dark := c.channels(s, depth, &at)
	across := s.between(35, 120)
	c.ribs(s, channels, depth, dark, across, &at)
	reach := 1.2 * c.half
	if s.chance(0.6) {
		for range s.count(1, 3) {
			c.slits(s, reach, across, depth, s.between(0.5, 0.9))
		}
	}
	if s.chance(0.5) { // stubs of the vents on a new tread
		for range s.count(10, 60) {
			x, y := s.between(-reach, reach), s.between(-reach, reach)
			c.spot(x, y, s.between(1.2, 2.2), s.between(1, 2.5), 0)
			if s.chance(0.5) { // its foot
				c.spot(x, y, s.between(4, 7), s.between(0.3, 0.8), 1.2)
			}
		}
	}
	return at
}

// channel is a groove around the tire, in units.
type channel struct{ v, width float32 }

// channels draws the grooves around the tire. dark is the share of the sky that they hide.
func (c *canvas) channels(s stream, depth float32, at *sites) (channels []channel, dark float32) {
	plain := newProfile(-400, 400, func(v float32) float32 { return -v * v * 0.0006 })
	pitch := s.between(75, 170)
	for v := -400 + s.between(0, pitch); v < 400; v += pitch * s.between(0.85, 1.15) {
		ch := channel{v, pitch * s.between(0.1, 0.22)}
		channels = append(channels, ch)
		plain.add(ring{v: ch.v, width: ch.width, flank: ch.width * s.between(0.2, 0.5), relief: -depth})
		at.edges = append(at.edges, ch.v-ch.width/2, ch.v+ch.width/2, ch.v)
	}
	dark = s.between(0.25, 0.9)
	shade := newProfile(-400, 400, func(v float32) float32 { return 0 })
	for _, ch := range channels {
		shade.add(ring{v: ch.v, width: ch.width, flank: ch.width * 0.5, relief: dark})
	}
	for i, v := range c.v {
		c.h[i] += plain.at(v)
		c.occ[i] += shade.at(v)
	}
	return channels, dark
}

// ribs draws cross grooves and sipes, across units apart, into the ribs between the channels.
func (c *canvas) ribs(s stream, channels []channel, depth, dark, across float32, at *sites) {
	slant := s.around(0, 0.6)
	sipes := s.chance(0.35)
	curl := s.between(0, 0.35)
	for i, ch := range channels {
		lo, hi := ch.v+ch.width/2, float32(400)
		if i+1 < len(channels) {
			hi = channels[i+1].v - channels[i+1].width/2
		}
		if !s.chance(0.8) {
			continue
		}
		reach := s.between(0.4, 1)
		l := lugs{
			v0: hi - (hi-lo)*reach, v1: hi, period: across, groove: s.between(0.04, 0.25), slant: slant + s.around(0, curl),
			depth: depth * s.between(0.4, 1), round: s.between(2.5, 14), dark: dark * s.between(0.5, 1), phase: s.Float32(),
		}
		if reach > 0.85 {
			l.v0, l.round = lo, 2.5
		}
		c.lugs(l)
		at.lugs = append(at.lugs, l)
		if sipes {
			c.lugs(lugs{
				v0: lo + (hi-lo)*0.1, v1: hi - (hi-lo)*0.15, period: across / 2, groove: 6 / across,
				slant: slant, depth: 1, round: 3, dark: dark * 0.3, phase: l.phase * 2,
			})
		}
	}
}

// slits draws one row of sipes: short dark lines, straight, bent or zigzag, with round ends,
// repeated at equal distances around the tread. Only their smooth, regular shape distinguishes them
// from cracks.
func (c *canvas) slits(s stream, reach, period, depth, dark float32) {
	period *= s.between(0.3, 1.2)
	v, long := s.between(-reach, reach), s.between(12, 90)
	dir, bend := s.angle(), s.around(0, 0.5)/long
	half, tail := s.between(0.5, 2.2)*c.k, s.between(0.3, 1)
	zig, leg := float32(0), s.between(4, 9)
	if s.chance(0.25) {
		zig = s.between(0.4, 0.8)
	}
	for u := -reach - s.between(0, period); u < reach; u += period {
		x, y, a := u, v, dir
		const step = 2
		px, py := c.pixel(x, y)
		for at := float32(0); at < long; at += step {
			turned := a
			if int(at/leg)%2 == 0 {
				turned += zig
			} else {
				turned -= zig
			}
			x, y, a = x+cos32(turned)*step, y+sin32(turned)*step, a+bend*step
			qx, qy := c.pixel(x, y)
			r := half * lerp(1, tail, at/long)
			c.stroke(px, py, qx, qy, r, r, func(i int, part float32) {
				c.occ[i] = max(c.occ[i], min(1, part)*dark)
				c.h[i] -= 0.3 * part * min(depth, 3)
			})
			px, py = qx, qy
		}
	}
}
