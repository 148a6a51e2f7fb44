package synth

import "image"

// shot holds the camera settings of a photograph.
type shot struct {
	level    float32 // grey value of level clean rubber, 0 to 255
	contrast float32 // exponent around that level
	blur     float32 // defocus, units
	tilt     float32 // direction in which the focus gets weaker, radians
	soft     float32 // how much weaker, 0 to 1
	vignette float32 // loss in the corners
	noise    float32 // deviation of the sensor noise at mid grey, grey values
	chroma   float32 // coloured share of the noise
	warm     float32 // white balance error
}

func newShot(s stream) shot {
	return shot{
		level:    s.between(52, 95) + max(0, s.between(-60, 60)),
		contrast: s.between(0.95, 1.3),
		blur:     s.between(0, 0.75),
		tilt:     s.angle(),
		soft:     max(0, s.between(-0.6, 0.9)),
		vignette: s.between(0, 0.35),
		noise:    s.between(0.8, 3.6),
		chroma:   s.between(0.1, 0.5),
		warm:     s.around(0, 0.025),
	}
}

// expose returns the photograph of the shaded canvas, after defocus.
func (c *canvas) expose(s stream, p shot) *image.RGBA {
	n := c.n
	tone := toneCurve(p)
	img := image.NewRGBA(image.Rect(0, 0, n, n))
	white := tiles().white
	ox, oy := s.IntN(tileSide), s.IntN(tileSide)
	rr, bb := 1+p.warm, 1-p.warm
	inv := 2 / float32(n)
	for y := range n {
		dy := (float32(y)+0.5)*inv - 1
		grain := white[((y+oy)&tileMask)*tileSide:][:tileSide]
		other := white[((y*7+oy+101)&tileMask)*tileSide:][:tileSide]
		for x := range n {
			i := y*n + x
			dx := (float32(x)+0.5)*inv - 1
			d := dx*dx + dy*dy
			l := tone.at(c.out[i] * (1 - p.vignette*d*d*0.25))
			// Shot noise grows with the square root of the light; the curve's slope is nearly
			// constant.
			sigma := p.noise * (0.45 + l*(1.0/230))
			l += sigma * grain[(x+ox)&tileMask]
			cr := sigma * p.chroma * other[(x+oy)&tileMask]
			cb := sigma * p.chroma * other[(x*3+ox)&tileMask]
			red, blue := c.red[i], c.blue[i]
			green := 1 - 0.3*red - 0.1*blue
			o := img.Pix[i*4:][:4:4]
			o[0] = grey(l*(1+red)*rr + cr)
			o[1] = grey(l*green - 0.4*(cr+cb))
			o[2] = grey(l*(1+blue)*bb + cb)
			o[3] = 255
		}
	}
	return img
}

func grey(v float32) uint8 { return uint8(clamp(v+0.5, 0, 255)) }

// curve maps brightness to grey values: a power law around the level of rubber, with a soft limit
// at white.
type curve [1025]float32

const curveEnd = 8 // brightness of the last entry

func toneCurve(p shot) *curve {
	var t curve
	for i := range t {
		x := float32(i) * (curveEnd / 1024.0)
		v := p.level * exp32(p.contrast*log32(max(x, 1e-4)))
		if v > 170 {
			v = 170 + 80*(1-exp32(-(v-170)/80))
		}
		t[i] = v
	}
	return &t
}

func (t *curve) at(x float32) float32 {
	x = clamp(x*(1024.0/curveEnd), 0, 1023.99)
	i := int(x)
	return t[i] + (t[i+1]-t[i])*(x-float32(i))
}

// defocus blurs out. Where the focus is weaker, it mixes in a stronger blur.
func (c *canvas) defocus(p shot) {
	n := c.n
	if sigma := p.blur * c.lens(); sigma > 0.2 {
		gauss(c.out, c.tmp2, n, sigma)
	}
	if p.soft == 0 {
		return
	}
	copy(c.tmp, c.out)
	boxBlur(c.tmp, c.tmp2, n, max(1, int(1.2*c.lens())))
	dx, dy := cos32(p.tilt)*2/float32(n), sin32(p.tilt)*2/float32(n)
	for y := range n {
		for x := range n {
			i := y*n + x
			m := p.soft * smooth(-0.1, 1.2, (float32(x)-float32(n)/2)*dx+(float32(y)-float32(n)/2)*dy)
			c.out[i] += m * (c.tmp[i] - c.out[i])
		}
	}
}

// gauss blurs m; sigma is in pixels.
func gauss(m, tmp []float32, n int, sigma float32) {
	// Seven taps are accurate up to about 1.5. The variances of successive blurs add up.
	const honest = 1.5
	passes := max(1, -floor32(-sigma*sigma/(honest*honest)))
	for range int(passes) {
		gauss7(m, tmp, n, sigma/sqrt32(passes))
	}
}

// gauss7 blurs m with a seven-tap kernel.
func gauss7(m, tmp []float32, n int, sigma float32) {
	var w [4]float32
	sum := float32(0)
	for i := range w {
		w[i] = exp32(-float32(i*i) / (2 * sigma * sigma))
		sum += w[i] * float32(min(i, 1)+1)
	}
	for i := range w {
		w[i] /= sum
	}
	for y := range n {
		row, out := m[y*n:][:n], tmp[y*n:][:n]
		for x := range out {
			if x >= 3 && x < n-3 {
				r := row[x-3:][:7:7]
				out[x] = w[0]*r[3] + w[1]*(r[2]+r[4]) + w[2]*(r[1]+r[5]) + w[3]*(r[0]+r[6])
				continue
			}
			out[x] = w[0] * row[x]
			for i := 1; i < 4; i++ {
				out[x] += w[i] * (row[max(x-i, 0)] + row[min(x+i, n-1)])
			}
		}
	}
	at := func(y int) []float32 { return tmp[min(max(y, 0), n-1)*n:][:n] }
	for y := range n {
		out := m[y*n:][:n]
		a0, a1, a2, a3, b1, b2, b3 := at(y), at(y-1), at(y-2), at(y-3), at(y+1), at(y+2), at(y+3)
		for x := range out {
			out[x] = w[0]*a0[x] + w[1]*(a1[x]+b1[x]) + w[2]*(a2[x]+b2[x]) + w[3]*(a3[x]+b3[x])
		}
	}
}
