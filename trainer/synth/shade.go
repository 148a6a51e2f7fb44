package synth

// lamp is a distant light above the tire.
type lamp struct {
	x, y, z float32 // unit vector towards the light, picture axes, z towards the camera
	ambient float32 // share of the light from all directions
	hollow  float32 // how dark hollows are
	glare   float32 // strength of the mirror-like reflection
	tight   int     // its sharpness: the exponent is 2^tight
	sky     float32 // how blue its reflection is
	slopeX  float32 // fall-off across the picture, relative change from edge to edge
	slopeY  float32
}

func newLamp(s stream) lamp {
	a, rise := s.angle(), s.between(0.38, 1.05)
	return lamp{
		x: cos32(a) * cos32(rise), y: sin32(a) * cos32(rise), z: sin32(rise),
		ambient: s.between(0.35, 0.65), hollow: s.between(0.2, 0.45),
		glare: s.between(0.15, 1.2), tight: s.count(3, 5), sky: s.between(-0.03, 0.22),
		slopeX: s.around(0, 0.2), slopeY: s.around(0, 0.2),
	}
}

// byHand returns the light where tires are stored: a lamp above or a window beside, a wet look or
// none.
func (l lamp) byHand(s stream) lamp {
	l.ambient = s.between(0.25, 0.8)
	l.hollow = s.between(0.15, 0.55)
	l.glare *= s.between(0.5, 2.5)
	l.slopeX, l.slopeY = s.around(0, 0.3), s.around(0, 0.3)
	return l
}

// shade computes brightness from the maps: 1 is level clean rubber in the middle of the picture.
func (c *canvas) shade(l lamp) {
	n := c.n
	c.hollows()
	c.blockLight(l)
	half := c.k / 2 // height differences over two pixels to slope
	norm := (1 - l.ambient) / l.z
	hx, hy, hz := l.x, l.y, l.z+1
	inv := 1 / sqrt32(hx*hx+hy*hy+hz*hz)
	hx, hy, hz = hx*inv, hy*inv, hz*inv
	level := power(hz, l.tight)
	for y := range n {
		up, down := max(y-1, 0)*n, min(y+1, n-1)*n
		ramp := 1 + l.slopeY*(float32(y)/float32(n)-0.5)
		for x := range n {
			i := y*n + x
			gx := (c.h[y*n+min(x+1, n-1)] - c.h[y*n+max(x-1, 0)]) * half
			gy := (c.h[down+x] - c.h[up+x]) * half
			inv := 1 / sqrt32(1+gx*gx+gy*gy)
			direct := 1 - c.tmp2[i]
			diffuse := max(0, (l.z-gx*l.x-gy*l.y)*inv) * direct
			mirror := (power(max(0, (hz-gx*hx-gy*hy)*inv), l.tight) - level) * direct
			open := (1 - clamp(c.occ[i], 0, 0.92)) * (1 - l.hollow*clamp(c.tmp[i], -0.35, 1))
			shine := l.glare * c.gloss[i] * mirror * open
			lit := c.light[i]*(l.ambient*open+norm*diffuse*min(1, open+0.2)) + shine
			lit *= 1 - c.crack[i]
			c.out[i] = max(0, lit) * (ramp + l.slopeX*(float32(x)/float32(n)-0.5))
			sky := l.sky * clamp(shine+0.5*l.ambient*(open-1)*norm, -0.4, 1)
			c.blue[i] += sky
			c.red[i] -= 0.6 * sky
		}
	}
}

// blockLight stores in tmp2 the share of the lamp's light that something higher nearby blocks, 0 to
// 1. Three probes along the light are enough for letters and grooves; a sharp shadow would need
// dozens.
func (c *canvas) blockLight(l lamp) {
	n := c.n
	flat := sqrt32(l.x*l.x + l.y*l.y)
	rise := l.z / flat
	probes := [3]struct {
		dx, dy    int
		up, scale float32
	}{}
	for i, d := range [3]float32{1.8, 4, 8} {
		p := &probes[i]
		p.dx, p.dy = int(floor32(l.x/flat*d*c.k+0.5)), int(floor32(l.y/flat*d*c.k+0.5))
		p.up, p.scale = d*rise, 1/(0.35*d)
	}
	margin := int(8*c.k) + 2
	for y := range n {
		for x := range n {
			i := y*n + x
			most := float32(0)
			inside := x >= margin && y >= margin && x < n-margin && y < n-margin
			for _, p := range probes {
				j := i + p.dy*n + p.dx
				if !inside {
					j = min(max(y+p.dy, 0), n-1)*n + min(max(x+p.dx, 0), n-1)
				}
				most = max(most, (c.h[j]-c.h[i]-p.up)*p.scale)
			}
			c.tmp2[i] = 0.75 * min(most, 1)
		}
	}
}

// power returns x to the power of 2^k.
func power(x float32, k int) float32 {
	for range k {
		x *= x
	}
	return x
}

// hollows stores in tmp how far every pixel is below its surroundings, in units. Near surroundings
// have more weight than far ones, because a wide hollow is open to the sky. It uses out as scratch.
func (c *canvas) hollows() {
	copy(c.tmp, c.h)
	boxBlur(c.tmp, c.tmp2, c.n, int(max(2, 3*c.k)))
	copy(c.out, c.tmp)
	boxBlur(c.out, c.tmp2, c.n, int(max(4, 11*c.k)))
	for i, h := range c.h {
		near := c.tmp[i]
		c.tmp[i] = 0.5*(near-h) + 0.2*(c.out[i]-near)
	}
}

// boxBlur replaces m by its mean over a square, with repeated edges. tmp is scratch of the same
// size.
func boxBlur(m, tmp []float32, n, radius int) {
	inv := 1 / float32(2*radius+1)
	for y := range n {
		row, out := m[y*n:][:n], tmp[y*n:][:n]
		sum := row[0] * float32(radius)
		for x := range radius + 1 {
			sum += row[min(x, n-1)]
		}
		for x := range n {
			out[x] = sum * inv
			sum += row[min(x+radius+1, n-1)] - row[max(x-radius, 0)]
		}
	}
	// Columns are processed row by row: the sums of a whole row stay in the cache.
	sums := make([]float32, n)
	for x := range n {
		sums[x] = tmp[x] * float32(radius)
	}
	for y := range radius + 1 {
		for x, v := range tmp[min(y, n-1)*n:][:n] {
			sums[x] += v
		}
	}
	for y := range n {
		out := m[y*n:][:n]
		add, sub := tmp[min(y+radius+1, n-1)*n:][:n], tmp[max(y-radius, 0)*n:][:n]
		for x := range out {
			out[x] = sums[x] * inv
			sums[x] += add[x] - sub[x]
		}
	}
}
