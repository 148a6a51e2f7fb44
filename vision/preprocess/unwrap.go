package preprocess

import (
	"errors"
	"fmt"
	"image"

	"tirewatch/vision/frame"
)

// The side wall of a tire is a ring. Unwrapped, it is a strip. Tiles of the strip go through
// Spec.Apply to the network:
//
//	          0 degrees             0     90    180   270   360
//	        . - outer - .           +-----+-----+-----+-----+---+  row 0: the outer circle
//	270   (   ( inner )   )  90  -> |                       |   |  right of 360: extra columns,
//	        ' - . . . - '           |                       |   |  the start of the strip again
//	           180                  +-----+-----+-----+-----+---+  last row: the inner circle
//
// Angles are those of the frame: clockwise from its top. At 0 the strip looks like the frame, so
// nothing is mirrored. A column is a ray from the outer circle to the inner one at the same angle.
// The two circles may have different centres.
//
// All arithmetic uses integers: sine and cosine are a series in 30 bits, a place in the frame has
// 18 fractional bits, and a pixel is interpolated from its four neighbours with 16-bit weights. On
// ARM this takes 45 instructions for each pixel of the strip. There is no assembly, because the
// forward passes over the strip's tiles take many times as many instructions on a station's CPU.

// Circle is a circle in a frame, in sixteenths of a px: pixel (i, j) covers 16i to 16i+16.
type Circle struct{ X, Y, R int }

// Ring is a side wall: the area between two circles.
type Ring struct{ Outer, Inner Circle }

// ErrRing marks a ring that cannot be unwrapped.
var ErrRing = errors.New("invalid ring")

const (
	circleUnit = 16 // units of Circle in a px
	minWall    = 4  // px
	// turnStep divides the number of columns of a turn. Tires of similar size then have the same
	// number, and the table of angles can be kept.
	turnStep = 256
	maxTurn  = 1 << 14

	sineBits  = 30
	placeBits = 18 // fractional bits of a place, px
)

// Turn returns the number of columns of a whole turn. It is large enough that the outer circle is
// sampled at least as finely as in the frame.
func (r Ring) Turn() int {
	length := (r.Outer.R*710/113 + circleUnit - 1) / circleUnit // 355/113 is pi to seven digits
	return (length + turnStep - 1) / turnStep * turnStep
}

// Height returns the number of rows of the strip, px of the frame.
func (r Ring) Height() int { return (r.Outer.R - r.Inner.R + circleUnit/2) / circleUnit }

// box returns the part of the frame that the rays read.
func (r Ring) box() image.Rectangle {
	floor := func(v int) int { return v>>4 - 1 } // circleUnit is 1<<4
	ceil := func(v int) int { return -(-v >> 4) + 1 }
	o := r.Outer
	return image.Rect(floor(o.X-o.R), floor(o.Y-o.R), ceil(o.X+o.R), ceil(o.Y+o.R))
}

// validate returns an error if r is not a ring in a frame with these bounds. Up to a quarter of the
// radius may be outside the frame; the border is repeated there.
func (r Ring) validate(bounds image.Rectangle) error {
	for _, v := range []int{r.Outer.X, r.Outer.Y, r.Outer.R, r.Inner.X, r.Inner.Y, r.Inner.R} {
		if v < -1<<20 || v > 1<<20 {
			return fmt.Errorf("%w: %+v is out of range", ErrRing, r)
		}
	}
	dx, dy, wall := r.Outer.X-r.Inner.X, r.Outer.Y-r.Inner.Y, r.Outer.R-r.Inner.R
	switch {
	case r.Inner.R < circleUnit || wall < minWall*circleUnit:
		return fmt.Errorf("%w: radii of %d and %d sixteenths of a px, want a wall of %d px or more",
			ErrRing, r.Outer.R, r.Inner.R, minWall)
	case dx*dx+dy*dy >= wall*wall:
		return fmt.Errorf("%w: the inner circle is not inside the outer one: %+v", ErrRing, r)
	case r.Turn() > maxTurn:
		return fmt.Errorf("%w: a turn of %d columns, at most %d", ErrRing, r.Turn(), maxTurn)
	case !r.box().Inset(r.Outer.R/circleUnit/4 + 2).In(bounds):
		return fmt.Errorf("%w: %v is not inside a frame of %d x %d px", ErrRing, r.box(), bounds.Dx(), bounds.Dy())
	}
	return nil
}

// Unwrapper keeps the buffers of Unwrap between calls. Only one goroutine may use it.
type Unwrapper struct {
	gray  []byte     // the box, grey
	turn  [][2]int32 // (columns) sine and cosine, sineBits
	strip frame.Frame
}

// Unwrap returns the strip of a ring: Ring.Height rows of Ring.Turn columns, and extra columns that
// repeat the first ones, so that a tile can extend across 0 degrees. The strip is grey, has the
// frame's number, time and name, and is valid until the next call.
func (u *Unwrapper) Unwrap(f *frame.Frame, r Ring, extra int) (*frame.Frame, error) {
	if err := f.Validate(); err != nil {
		return nil, err
	}
	if err := r.validate(f.Bounds()); err != nil {
		return nil, err
	}
	turn, height := r.Turn(), r.Height()
	if extra < 0 || extra > turn {
		return nil, fmt.Errorf("preprocess: %d extra columns after a turn of %d", extra, turn)
	}
	if len(u.turn) != turn {
		u.turn = sines(grow(u.turn, turn))
	}
	box := r.box()
	u.fill(f, box)
	s := &u.strip
	*s = frame.Frame{
		Pix: s.Pix, Width: turn + extra, Height: height, Stride: oddLines(turn + extra), Format: frame.Gray,
		Seq: f.Seq, Time: f.Time, Name: f.Name,
	}
	s.Pix = grow(s.Pix, s.Stride*height)
	for x, direction := range u.turn {
		start, step := r.ray(direction, box.Min, height)
		walk(s.Pix[x:(height-1)*s.Stride+x+1], s.Stride, start, step, u.gray, box.Dx())
	}
	for y := range height {
		row := s.Pix[y*s.Stride:][:s.Width]
		copy(row[turn:], row)
	}
	return s, nil
}

// oddLines rounds n up to an odd number of cache lines. Rows at a distance of a power of two would
// evict each other from the cache.
func oddLines(n int) int { return (n+63)/64*64 | 64 }

// fill makes the box grey. Outside the frame it repeats the border.
func (u *Unwrapper) fill(f *frame.Frame, box image.Rectangle) {
	w := box.Dx()
	u.gray = grow(u.gray, w*box.Dy())
	in := box.Intersect(f.Bounds())
	left := in.Min.X - box.Min.X
	for y := box.Min.Y; y < box.Max.Y; y++ {
		row := u.gray[(y-box.Min.Y)*w:][:w]
		at := min(max(y, 0), f.Height-1)
		f.Gray(row[left:], image.Rect(in.Min.X, at, in.Max.X, at+1))
		for i := range left {
			row[i] = row[left]
		}
		for i := left + in.Dx(); i < w; i++ {
			row[i] = row[left+in.Dx()-1]
		}
	}
}

// place holds y and x in one word, px from the middle of the box's first pixel, so that one
// addition moves both:
//
//	y: 14 bits . 18 bits | x: 14 bits . 18 bits
//
// Sums are exact even for negative steps, because no place on a ray is negative.
type place int64

// ray returns the place of row 0 and the step to the next row. Rounding errors of the step add up
// from the middle row outwards.
func (r Ring) ray(direction [2]int32, origin image.Point, height int) (start, step place) {
	sin, cos := int64(direction[0]), int64(direction[1])
	at := func(c Circle) (x, y int64) { // with sineBits+4 fractional bits, 4 for the circle's sixteenths
		return int64(c.X-circleUnit*origin.X)<<sineBits + int64(c.R)*sin,
			int64(c.Y-circleUnit*origin.Y)<<sineBits - int64(c.R)*cos
	}
	ox, oy := at(r.Outer)
	ix, iy := at(r.Inner)
	const drop, half = sineBits + 4 - placeBits, 1 << (placeBits - 1)
	along := func(outer, inner int64) (start, step int64) {
		n := int64(height) << drop
		step = (inner - outer + (n/2)*((inner-outer)>>63|1)) / n
		return (outer+inner)>>(drop+1) - half - (int64(height)-1)*step/2, step
	}
	x, dx := along(ox, ix)
	y, dy := along(oy, iy)
	return place(y<<32 + x), place(dy<<32 + dx)
}

// walk writes a column of the strip: every stride-th byte of out. gray has rows of w px.
func walk(out []byte, stride int, at, step place, gray []byte, w int) {
	for k := 0; k < len(out); k += stride {
		i := int(at>>(32+placeBits))*w + int(uint32(at)>>placeBits)
		fx, fy := int64(uint16(at>>(placeBits-16))), int64(uint16(at>>(32+placeBits-16)))
		at += step
		up, down := gray[i:i+2:i+2], gray[i+w:i+w+2:i+w+2]
		a := int64(up[0])<<16 + (int64(up[1])-int64(up[0]))*fx
		b := int64(down[0])<<16 + (int64(down[1])-int64(down[0]))*fx
		out[k] = byte((a<<16 + (b-a)*fy + 1<<31) >> 32)
	}
}

// sines sets sine and cosine for the middle of each column: of (2i+1)*pi/n. n is divisible by four,
// so the other quarters of the turn are mirror images of the first.
func sines(t [][2]int32) [][2]int32 {
	n, quarter := len(t), len(t)/4
	for i := range quarter {
		s, c := sine(2*i+1, n), sine(2*(quarter-1-i)+1, n)
		t[i], t[quarter+i] = [2]int32{s, c}, [2]int32{c, -s}
		t[2*quarter+i], t[3*quarter+i] = [2]int32{-s, -c}, [2]int32{-c, s}
	}
	return t
}

// sine returns the sine of k*pi/n, which is at most a right angle, in sineBits: the Taylor series
// to x^15, whose next term is below the last bit. The last bit of math.Sin may depend on whether
// the compiler fuses multiplications and additions.
func sine(k, n int) int32 {
	const one, pi = 1 << sineBits, 3373259426 // pi * 2^30
	x := int64(k) * pi / int64(n)
	square := x * x >> sineBits
	sum := int64(one)
	for i := int64(15); i > 1; i -= 2 {
		sum = one - (square*sum>>sineBits)/(i*(i-1))
	}
	return int32(min(x*sum>>sineBits, one-1))
}
