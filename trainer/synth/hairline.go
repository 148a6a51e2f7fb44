package synth

import (
	"image"
	"math"
)

// Wall says where the side wall of a drawn side view is, px. Pixel (i, j) covers i to i+1 and j to
// j+1.
type Wall struct {
	X, Y, Outer     float64 // centre and radius of the outline
	RimX, RimY, Rim float64 // centre and radius of the rim's edge
	CrackX, CrackY  float64 // middle of the crack
	// angle of the crack's middle as seen from (X, Y), degrees, clockwise from the top of the
	// picture; length of the crack, px
	CrackAngle, Length float64
}

// DrawHairline returns picture i of the seed as Draw does for the view Side, with one crack of
// about this width (a share of the picture's side) or none. It also returns the geometry. A network
// that sees the whole picture as 379 pixels sees a crack of 0.002 but not one of 0.0005. Sizes
// outside 96 to 4096 are set to the nearer limit.
func DrawHairline(size int, seed uint64, i int, width float64, cracked bool) (*image.RGBA, Wall) {
	c := newCanvas(min(max(size, minSize), maxSize))
	defer c.release()
	of := streams(Side, seed, i)
	var crack func(*canvas, sites)
	var from, to image.Point
	if cracked {
		crack = func(c *canvas, at sites) { from, to = hairline(c, of(forCrack), at, float32(width)*unitSide) }
	}
	img, t := drawStation(c, of, crack)
	var w Wall
	w.X, w.Y, w.Outer = c.circle(t.outer)
	w.RimX, w.RimY, w.Rim = c.circle(t.rim)
	if cracked {
		w.CrackX, w.CrackY = float64(from.X+to.X)/2, float64(from.Y+to.Y)/2
		w.Length = math.Hypot(float64(to.X-from.X), float64(to.Y-from.Y))
		w.CrackAngle = math.Mod(math.Atan2(w.CrackX-w.X, w.Y-w.CrackY)*180/math.Pi+360, 360)
	}
	return img, w
}

// hairline draws one crack, across or along the wall, and returns the corners of its bounding box,
// px.
func hairline(c *canvas, s stream, at sites, width float32) (from, to image.Point) {
	k := &cracker{c: c, s: s, at: at, depth: 1}
	length := s.between(0.35, 0.7) * (at.vMax - at.vMin)
	dir := s.around(quarter, 0.3)
	if s.chance(0.5) {
		dir = s.around(0, 0.3)
	}
	u := s.angle() * c.geo.ref
	v := (at.vMin+at.vMax)/2 + s.between(-0.5, 0.5)*(at.vMax-at.vMin-length)
	k.grow(fissure{
		u: u - cos32(dir)*length/2, v: v - sin32(dir)*length/2, dir: dir, length: length, width: width, dark: s.between(0.8, 0.95),
		wander: s.between(0.1, 0.2), jog: 0.1, branch: 0.02, deepest: 1,
	})
	box := image.Rectangle{}
	for i, a := range c.crack {
		if a > 0 {
			box = box.Union(image.Rect(i%c.n, i/c.n, i%c.n+1, i/c.n+1))
		}
	}
	k.settle(s.between(0.3, 0.8)*width, 0, s.between(0, 0.3))
	return box.Min, box.Max
}

// circle returns the picture of a circle of radius r around the tire's axis, px. It is the mean
// over the circumference, because a tilted camera makes it nearly an ellipse.
func (c *canvas) circle(r float32) (x, y, radius float64) {
	const n = 360
	var px, py [n]float64
	for i := range n {
		fx, fy := c.pixel(float32(i)*turn/n*c.geo.ref, r-c.geo.ref)
		px[i], py[i] = float64(fx), float64(fy)
		x, y = x+px[i]/n, y+py[i]/n
	}
	for i := range n {
		radius += math.Hypot(px[i]-x, py[i]-y) / n
	}
	return x, y, radius
}
