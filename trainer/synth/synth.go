// Package synth draws photographs of tires that never existed, with and without cracks.
//
// It stands before the trainer: the demonstration, the tests and anyone without a data set of their
// own train on its pictures, and the station's playback runs its conveyor clip. The pictures come
// out of a small physical model:
//
//	ornament (ribs, letters, hatching, grooves) + cracks -> height map  \
//	rubber, dust, dirt, paint                            -> reflectance  > one lamp -> lens -> sensor -> image
//
// so that a letter's edge and a crack's lip take their light from the same side, as in life. A side
// view is a station's: one distance, one exposure. A close-up is whatever a hand and a telephone
// make of it, and wider than life on purpose, so that photographs are but one more kind of drawing
// to a network that learned from them (Tobin et al., "Domain randomization", 2017).
//
// WriteDataset fills a folder that the trainer reads; WriteClip films tires on a belt. Both are
// functions of a seed.
package synth

import "image"

// Draw returns picture i of the seed, size x size pixels: a pure function of its arguments. The
// same tire, dirt and camera come out whether cracked or not; cracked only adds cracks, and the
// contrast of a close-up answers to them. Sizes outside 96 to 4096 are taken as the nearest of the
// two.
func Draw(view View, size int, seed uint64, i int, cracked bool) *image.RGBA {
	c := newCanvas(min(max(size, minSize), maxSize))
	defer c.release()
	of := streams(view, seed, i)
	var crack func(*canvas, sites)
	if cracked {
		crack = cracks(of(forCrack))
	}
	if view == Side {
		img, _ := drawStation(c, of, crack)
		return img
	}
	camera := of(forCamera)
	p := newShot(camera)
	h := newHand(camera, &p)
	c.zoom(h.nearness)
	c.blur, c.shallow = p.blur, h.shallow
	drawCloseUp(c, of(forTire), of(forDirt), crack)
	c.defocus(p)
	h.retouch(c, p)
	h.smear(c, camera)
	return h.save(c.expose(camera, p))
}

// streams gives the random numbers of picture i. The views share nothing, not even the numbers
// behind them.
func streams(view View, seed uint64, i int) func(purpose) stream {
	return func(p purpose) stream { return newStream(seed^uint64(view)<<32, uint64(i), p) }
}

// drawStation photographs a whole tire on the belt, as a station does.
func drawStation(c *canvas, of func(purpose) stream, crack func(*canvas, sites)) (*image.RGBA, ringTire) {
	camera := of(forCamera)
	p := newShot(camera)
	tire := of(forTire)
	// A station's exposure is set for its belt and rubber; by hand anything happens.
	p.level = 48 + 0.45*(p.level-52)
	p.contrast = 0.95 + 0.5*(p.contrast-0.95)
	outer := tire.between(0.44, 0.49) * unitSide
	x, y := tire.around(0, 2), tire.around(0, 2)
	behind, t := drawSide(c, x, y, outer, newLamp(camera), tire, of(forDirt), crack)
	b := of(forBelt)
	c.lay(newBelt(b), b.between(0, 1000), b.between(-60, 60), behind)
	c.defocus(p)
	return c.expose(camera, p), t
}
