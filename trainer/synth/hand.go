package synth

import (
	"bytes"
	"image"
	"image/draw"
	"image/jpeg"
)

// hand holds the effects of a hand-held telephone, which a station's fixed camera does not have: it
// is too near for its focus, guesses the exposure, smooths noise into blotches, sharpens the rest
// and saves a small file. A network that only saw sharp pictures would learn that sharpness is a
// property of cracks.
type hand struct {
	nearness float32 // see canvas.zoom
	shallow  float32 // depth of the shallowest cracks in the picture, see cracker
	detail   float32 // contrast of fine detail after retouching, grey values; 0: unchanged
	blotch   float32 // contrast of smoothed noise
	spot     float32 // size of the blotches, units at zoom 1
	sharpen  float32 // share added of the detail that a blur removes
	radius   float32 // radius of that blur, units at zoom 1
	quality  int     // of the JPEG file
}

// careful is the share of close-ups that are taken well: from arm's length, in focus, with black
// cracks. Without them the training does not start: with only faint cracks and strong treads, no
// step of the first epochs improves anything.
const careful = 0.45

// newHand draws how a technician takes a close-up, and changes the shot accordingly. Exposures and
// distances are uniform on a logarithmic scale: half as bright or as near is always one step.
func newHand(s stream, p *shot) hand {
	if s.chance(careful) {
		return hand{nearness: s.between(0.8, 1.4), shallow: 1, quality: s.count(80, 95)}
	}
	h := hand{nearness: exp32(s.between(log32(0.6), log32(3.6))), quality: s.count(35, 95)}
	p.level = exp32(s.between(log32(50), log32(200)))
	p.contrast = s.between(0.75, 1.4)
	h.detail = exp32(s.between(log32(2.2), log32(13)))
	p.vignette = s.between(0, 0.4)
	p.noise *= s.between(0.2, 0.9)
	p.blur = s.between(0.45, 0.9)
	if s.chance(0.6) {
		p.blur = s.between(0.6, 1.7) * sqrt32(h.nearness)
	}
	h.shallow = min(0.8, 0.4+0.15*p.blur)
	if s.chance(0.5) {
		h.blotch, h.spot = s.between(0.005, 0.05), s.between(0.8, 2.5)
	}
	if s.chance(0.4) {
		h.sharpen, h.radius = s.between(0.2, 1.3), s.between(0.7, 2)
	}
	return h
}

// retouch changes the contrast of fine detail to a random level, as the tone mapping of telephones
// does. Cracks add detail to everything. Without this the network would learn that much detail
// means a crack, and call the tread of every new tire cracked.
func (h hand) retouch(c *canvas, p shot) {
	if h.detail == 0 {
		return
	}
	fine := max(1, int(3*c.lens()))
	copy(c.tmp, c.out)
	boxBlur(c.tmp, c.tmp2, c.n, fine)
	sum := 0.0
	for i, v := range c.out {
		d := float64(min(v, 2) - min(c.tmp[i], 2)) // do not count the edge of a light floor
		sum += d * d
	}
	shown := p.level * sqrt32(float32(sum/float64(len(c.out))))
	gain := clamp(h.detail/max(shown, 0.1), 0.5, 2)
	boxBlur(c.tmp, c.tmp2, c.n, 2*fine)
	for i, v := range c.out {
		c.out[i] = max(0, c.tmp[i]+gain*(v-c.tmp[i]))
	}
}

// smear applies the telephone's processing to the brightness after the lens.
func (h hand) smear(c *canvas, s stream) {
	n := c.n
	if h.blotch > 0 {
		f := newField(tiles().grain, s, h.spot*c.lens())
		for y := range n {
			for x := range n {
				c.out[y*n+x] *= max(0, 1+h.blotch*f.at(float32(x), float32(y)))
			}
		}
	}
	if h.sharpen > 0 {
		copy(c.tmp, c.out)
		gauss(c.tmp, c.tmp2, n, h.radius*c.lens())
		for i, v := range c.out {
			c.out[i] = max(0, v+h.sharpen*(v-c.tmp[i]))
		}
	}
}

// save returns the picture after it was stored as JPEG.
func (h hand) save(img *image.RGBA) *image.RGBA {
	var buf bytes.Buffer
	err := jpeg.Encode(&buf, img, &jpeg.Options{Quality: h.quality})
	if err == nil {
		var stored image.Image
		if stored, err = jpeg.Decode(&buf); err == nil {
			draw.Draw(img, img.Bounds(), stored, image.Point{}, draw.Src)
			return img
		}
	}
	panic("internal error: JPEG in memory: " + err.Error())
}
