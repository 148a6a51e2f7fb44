package synth

import "image"

// frame draws frame f into the scene's image, which is valid until the next call. Frames must be
// requested in order.
func (sc *scene) frame(f int) *image.YCbCr {
	sc.roll(f)
	sc.copyBelt(f)
	for i, p := range sc.table.passages {
		x := p.start + sc.table.way[f]
		reach := sc.spriteSide(p) / 2
		switch {
		case x+reach < 0:
		case x-reach >= sc.o.Width:
			delete(sc.sprites, i)
		default:
			sp := sc.sprites[i]
			if sp == nil {
				sp = sc.render(p)
				sc.sprites[i] = sp
			}
			sc.put(sp, x, p.CentreY)
		}
	}
	sc.disturb(f)
	sc.sense(f)
	if sc.o.Rough {
		sc.tear(f)
	}
	return sc.img
}

// roll renders the columns of the belt that have entered the picture.
func (sc *scene) roll(f int) {
	o, fresh := sc.o, sc.o.Width
	if f > 0 {
		fresh = sc.table.way[f] - sc.table.way[f-1]
	}
	unit := unitSide / (float32(o.Height) * 0.96) // about the size of a crop
	for x := range fresh {
		way := x - sc.table.way[f] // belt coordinate, px
		col := floorMod(way, o.Width)
		for y := range o.Height {
			l, red, blue := sc.belt.at(float32(way)*unit, float32(y-o.Height/2)*unit)
			luma, cb, cr := sc.ycc(l, red, blue)
			sc.strip.Y[y*sc.strip.YStride+col] = luma
			if y&1 == 0 && col&1 == 0 {
				c := y/2*sc.strip.CStride + col/2
				sc.strip.Cb[c], sc.strip.Cr[c] = cb, cr
			}
		}
	}
}

func floorMod(a, n int) int { return ((a % n) + n) % n }

// ycc converts brightness and tint to the JPEG colour space.
func (sc *scene) ycc(light, red, blue float32) (y, cb, cr uint8) {
	l := sc.tone.at(light)
	r, g, b := l*(1+red)*(1+sc.shot.warm), l*(1-0.3*red-0.1*blue), l*(1+blue)*(1-sc.shot.warm)
	luma := 0.299*r + 0.587*g + 0.114*b
	return grey(luma), grey(128 + 0.564*(b-luma)), grey(128 + 0.713*(r-luma))
}

// copyBelt copies the ring buffer of the belt into the picture.
func (sc *scene) copyBelt(f int) {
	o := sc.o
	first := floorMod(-sc.table.way[f], o.Width)
	for y := range o.Height {
		src, dst := sc.strip.Y[y*sc.strip.YStride:][:o.Width], sc.img.Y[y*sc.img.YStride:][:o.Width]
		copy(dst[copy(dst, src[first:]):], src[:first])
	}
	half := first / 2
	w := sc.img.CStride
	for y := range (o.Height + 1) / 2 {
		for _, p := range [][2][]uint8{{sc.strip.Cb, sc.img.Cb}, {sc.strip.Cr, sc.img.Cr}} {
			src, dst := p[0][y*w:][:w], p[1][y*w:][:w]
			copy(dst[copy(dst, src[half:]):], src[:half])
		}
	}
}

// spriteSide returns the side of a tire's sprite. It includes the shadow and is even, because
// chroma samples cover two pixels.
func (sc *scene) spriteSide(p passage) int { return int(float32(p.Radius)*2*1.12) &^ 1 }

// render draws a tire once, in the same way as Draw.
func (sc *scene) render(p passage) *sprite {
	side := sc.spriteSide(p)
	c := newCanvas(side)
	defer c.release()
	var crack func(*canvas, sites)
	if p.Label == labelCrack {
		crack = cracks(newStream(sc.o.Seed, uint64(p.Index), forCrack))
	}
	outer := float32(p.Radius) / c.k
	beltLight, _ := drawSide(c, 0, 0, outer, sc.lamp,
		newStream(sc.o.Seed, uint64(p.Index), forTire), newStream(sc.o.Seed, uint64(p.Index), forDirt), crack)
	sp := &sprite{side: side, halfSide: side / 2}
	n := side * side
	sp.y, sp.cover, sp.beltLight = make([]uint8, n), make([]uint8, n), make([]uint8, n)
	sp.cb, sp.cr = make([]uint8, n), make([]uint8, n)
	for i := range n {
		sp.beltLight[i] = grey(beltLight[i] * 255)
	}
	if sigma := sc.shot.blur * c.k; sigma > 0.2 {
		gauss(c.out, c.tmp2, side, sigma)
		gauss(c.cover, c.tmp2, side, sigma)
	}
	for i := range n {
		sp.cover[i] = grey(c.cover[i] * 255)
		sp.y[i], sp.cb[i], sp.cr[i] = sc.ycc(c.out[i], c.red[i], c.blue[i])
	}
	return sp
}

// put draws a sprite with its centre at (cx, cy).
func (sc *scene) put(sp *sprite, cx, cy int) {
	o := sc.o
	x0, y0 := cx-sp.halfSide, cy-sp.halfSide
	lo, hi := max(0, -x0), min(sp.side, o.Width-x0)
	if lo >= hi {
		return
	}
	for sy := max(0, -y0); sy < min(sp.side, o.Height-y0); sy++ {
		row := sy * sp.side
		luma, cover, beltLight := sp.y[row:][:sp.side], sp.cover[row:][:sp.side], sp.beltLight[row:][:sp.side]
		dst := sc.img.Y[(y0+sy)*sc.img.YStride:][:o.Width]
		for sx := lo; sx < hi; sx++ {
			a := int32(cover[sx])
			b := int32(dst[x0+sx]) * int32(beltLight[sx]) / 255
			dst[x0+sx] = uint8((b*(255-a) + int32(luma[sx])*a + 127) / 255)
		}
		if (y0+sy)&1 != 0 {
			continue
		}
		c := (y0 + sy) / 2 * sc.img.CStride
		for sx := lo + (x0+lo)&1; sx < hi; sx += 2 {
			a := int32(cover[sx])
			if a == 0 {
				continue
			}
			i := c + (x0+sx)/2
			sc.img.Cb[i] = uint8((int32(sc.img.Cb[i])*(255-a) + int32(sp.cb[row+sx])*a + 127) / 255)
			sc.img.Cr[i] = uint8((int32(sc.img.Cr[i])*(255-a) + int32(sp.cr[row+sx])*a + 127) / 255)
		}
	}
}

// sense applies flicker, vignette and noise.
func (sc *scene) sense(f int) {
	o := sc.o
	s := newStream(sc.o.Seed, uint64(f), forNoise)
	flicker := int32((1 << gainBits) * (1 + s.around(0, 0.006)))
	for y := range o.Height {
		row := sc.img.Y[y*sc.img.YStride:][:o.Width]
		gain := sc.gain[y*o.Width:][:o.Width]
		noise := sc.noise[s.IntN(noiseSize):][:o.Width]
		for x, v := range row {
			l := int32(v) * (gain[x] * flicker >> gainBits)
			// Noise is in eighths of a grey value and increases with the light, as in expose.
			l = (l >> (gainBits - 3)) + int32(noise[x])*(115+int32(v))>>8
			row[x] = uint8(min(max((l+4)>>3, 0), 255))
		}
	}
}
