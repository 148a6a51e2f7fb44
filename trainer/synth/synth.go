// Package synth draws photographs of imaginary tires, with and without cracks.
//
// It provides images for the trainer: the demonstration, the tests and users without a data set
// train on them, and the station's playback uses its conveyor clip. The images come from a small
// physical model:
//
//	ribs, letters, hatching, grooves, cracks -> height map   \
//	rubber, dust, dirt, paint                -> reflectance  > one lamp -> lens -> sensor -> image
//
// so that a letter's edge and a crack's lip are lit from the same side, as in reality. A side view
// is a station's: one distance, one exposure. A close-up is taken by hand with a telephone. It
// varies more than real photographs, on purpose, so that photographs are just another kind of
// drawing for a network trained on drawings (Tobin et al., "Domain randomization", 2017).
//
// Start with [WriteDataset], which fills a folder for the trainer, and [WriteClip], which films
// tires on a belt. Both depend only on their options and a seed.
package synth

import "image"

// Draw returns picture i of the seed, size x size pixels. It depends only on its arguments. Tire,
// dirt and camera are the same with and without cracks; cracked only adds the cracks and, in a
// close-up, their effect on the contrast. Sizes outside 96 to 4096 are set to the nearer limit.
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

// streams returns the random streams of picture i. The views have no stream in common.
func streams(view View, seed uint64, i int) func(purpose) stream {
	return func(p purpose) stream { return newStream(seed^uint64(view)<<32, uint64(i), p) }
}

// drawStation draws the photograph of a whole tire on the belt, as a station takes it.
func drawStation(c *canvas, of func(purpose) stream, crack func(*canvas, sites)) (*image.RGBA, ringTire) {
	camera := of(forCamera)
	p := newShot(camera)
	tire := of(forTire)
	// A station's exposure is adjusted to its belt and rubber; by hand it varies more.
	p.level = 48 + 0.45*(p.level-52)
	p.contrast = 0.95 + 0.5*(p.contrast-0.95)
	outer := tire.between(0.44, 0.49) * unitSide
	x, y := tire.around(0, 2), tire.around(0, 2)
	beltLight, t := drawSide(c, x, y, outer, newLamp(camera), tire, of(forDirt), crack)
	b := of(forBelt)
	c.lay(newBelt(b), b.between(0, 1000), b.between(-60, 60), beltLight)
	c.defocus(p)
	return c.expose(camera, p), t
}
