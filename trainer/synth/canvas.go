package synth

import "sync"

// unitSide is the side of a picture in units. All lengths in this package are in units, for any
// number of pixels. The network sees 379 x 379, so one unit is one of its pixels. A close-up may be
// nearer or farther: see zoom.
const unitSide = 379

// canvas holds the maps of one picture. All are (n, n) and describe the visible surface at each
// pixel.
type canvas struct {
	n    int     // side, px
	k    float32 // px per unit
	half float32 // of the side, units
	// Minimum of cracks that are visible in the final picture.
	blur    float32 // blur of the lens, units at zoom 1; cracks must be wider
	shallow float32 // depth of the shallowest crack, see cracker

	geo geometry
	u   []float32 // along the circumference, units
	v   []float32 // away from the tire's axis, units, 0 at the geometry's reference radius

	h     []float32 // height, units
	light []float32 // reflectance, 1 = clean rubber
	red   []float32 // relative surplus of red
	blue  []float32 // relative surplus of blue
	gloss []float32 // share of mirror-like reflection
	occ   []float32 // share of the sky hidden by anything that is not in the height map
	crack []float32 // depth of a crack, 0 to 1
	cover []float32 // 1 on the tire, 0 off it

	out  []float32 // shaded brightness
	tmp  []float32
	tmp2 []float32
}

var canvases sync.Pool

// newCanvas returns cleared maps for an n x n picture. Call release when they are no longer needed.
func newCanvas(n int) *canvas {
	c, _ := canvases.Get().(*canvas)
	if c == nil || c.n != n {
		c = &canvas{n: n}
		c.zoom(1)
		for _, m := range c.maps() {
			*m = make([]float32, n*n)
		}
		return c
	}
	for _, m := range c.maps() {
		clear(*m)
	}
	c.zoom(1)
	return c
}

// zoom sets the distance of the camera: at z the picture shows unitSide/z units, so that everything
// on the tire is z times as large. Call it before lookAt. It resets blur and shallow.
func (c *canvas) zoom(z float32) {
	c.k, c.half = c.lens()*z, unitSide/(2*z)
	c.blur, c.shallow = 0, 1
}

// lens returns px per unit at zoom 1: the scale of everything that belongs to the camera and not to
// the tire.
func (c *canvas) lens() float32 { return float32(c.n) / unitSide }

func (c *canvas) maps() []*[]float32 {
	return []*[]float32{&c.u, &c.v, &c.h, &c.light, &c.red, &c.blue, &c.gloss, &c.occ, &c.crack, &c.cover, &c.out, &c.tmp, &c.tmp2}
}

func (c *canvas) release() { canvases.Put(c) }

// geometry maps a picture to a tire.
//
//	picture (x, y), units from the centre --view--> flat tire (X, Y) --polar--> (u, v)
//
// with u = angle * ref and v = radius - ref. There is no negative radius. Treads use a huge ref, so
// they are straight.
type geometry struct {
	view  mat3 // picture to tire
	image mat3 // tire to picture
	axisX float32
	ref   float32 // radius where v = 0, units
}

// lookAt sets the geometry and the (u, v) maps. view maps picture units to tire units, where the
// tire's axis is at (axisX, 0).
func (c *canvas) lookAt(view mat3, axisX, ref float32) {
	c.geo = geometry{view: view, image: view.inverse(), axisX: axisX, ref: ref}
	step := 1 / c.k
	for y := range c.n {
		py := (float32(y)+0.5)*step - c.half
		for x := range c.n {
			px := (float32(x)+0.5)*step - c.half
			tx, ty := view.at(px, py)
			tx -= axisX
			i := y*c.n + x
			c.u[i] = atan2(ty, tx) * ref
			c.v[i] = sqrt32(tx*tx+ty*ty) - ref
		}
	}
}

// pixel returns the position of (u, v) in the picture, px.
func (c *canvas) pixel(u, v float32) (x, y float32) {
	a, r := u/c.geo.ref, v+c.geo.ref
	ix, iy := c.geo.image.at(c.geo.axisX+r*cos32(a), r*sin32(a))
	return (ix + c.half) * c.k, (iy + c.half) * c.k
}

// box is a rectangle of pixels inside the canvas, without its upper ends.
type box struct{ x0, y0, x1, y1 int }

// boxOf returns the pixels that the region u0..u1, v0..v1 may touch.
func (c *canvas) boxOf(u0, u1, v0, v1 float32) box {
	lx, ly, hx, hy := float32(1e9), float32(1e9), float32(-1e9), float32(-1e9)
	const steps = 24
	for i := range steps + 1 {
		u := lerp(u0, u1, float32(i)/steps)
		for _, v := range []float32{v0, v1} {
			x, y := c.pixel(u, v)
			lx, ly, hx, hy = min(lx, x), min(ly, y), max(hx, x), max(hy, y)
		}
	}
	edge := func(f float32) int { return int(clamp(f, 0, float32(c.n))) }
	return box{edge(lx - 3), edge(ly - 3), edge(hx + 4), edge(hy + 4)}
}

// period returns the length nearest to want that divides the circumference, so that a pattern has
// no seam.
func (c *canvas) period(want float32) float32 {
	round := turn * c.geo.ref
	return round / max(1, floor32(round/want+0.5))
}
