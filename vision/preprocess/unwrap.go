package preprocess

import (
	"errors"
	"fmt"
	"image"

	"tirewatch/vision/frame"
)

// The side wall of a tire is a ring. Unwrapped it is a strip, from which tiles are cut that
// Spec.Apply makes the network's bytes of:
//
//	          0 degrees                 0         90        180        270        360   |
//	        . - outer - .               +----------+----------+----------+----------+---|- row 0: the outer circle
//	270   (   ( inner )   )  90   ->    |                                           | extra columns: the
//	        ' - . . . - '               |                                           | beginning once more
//	           180                      +----------+----------+----------+----------+---|- last row: the inner circle
//
// Angles are those of the picture: 0 at its top, clockwise. At 0 the strip looks as the picture
// does, so that nothing is mirrored. A column is a ray from the outer circle to the inner one at
// the same angle; the two need not have one centre.
//
// All of it is integers: sine and cosine are a series in 30 bits, a place in the frame has 18 bits
// behind the point, and a pixel is mixed from its four neighbours with 16-bit weights: on ARM 45
// instructions for each pixel of the strip. There is no assembly, because the forward passes over
// the strip's tiles execute many times as many on a station's CPU.

// Circle is a circle in a frame, in sixteenths of a px: pixel (i, j) covers 16i to 16i+16.
type Circle struct{ X, Y, R int }

// Ring is a side wall: what lies between two circles.
type Ring struct{ Outer, Inner Circle }

// ErrRing marks a ring that cannot be unwrapped.
var ErrRing = errors.New("unusable ring")

const (
	circleUnit = 16 // of Circle, in a px
	minWall    = 4  // px
	// turnStep divides the columns of a turn: tires of about one size then have as many, and the
	// table of angles is kept.
	turnStep = 256
	maxTurn  = 1 << 14

	sineBits  = 30
	placeBits = 18 // behind the point of a place, px
)

// Turn is the number of columns in a whole turn of the strip: the outer circle is not sampled
// coarser than the frame.
func (r Ring) Turn() int {
	length := (r.Outer.R*710/113 + circleUnit - 1) / circleUnit // 355/113 is pi to seven digits
	return (length + turnStep - 1) / turnStep * turnStep
}

// Height is the number of rows of the strip, px of the frame.
func (r Ring) Height() int { return (r.Outer.R - r.Inner.R + circleUnit/2) / circleUnit }

// box is the part of the frame that the rays read.
func (r Ring) box() image.Rectangle {
	floor := func(v int) int { return v>>4 - 1 } // circleUnit is 1<<4
	ceil := func(v int) int { return -(-v >> 4) + 1 }
	o := r.Outer
	return image.Rect(floor(o.X-o.R), floor(o.Y-o.R), ceil(o.X+o.R), ceil(o.Y+o.R))
}

// validate refuses what is no ring in a frame with these bounds. A quarter of the radius may stick
// out, where the border is repeated.
func (r Ring) validate(bounds image.Rectangle) error {
	for _, v := range []int{r.Outer.X, r.Outer.Y, r.Outer.R, r.Inner.X, r.Inner.Y, r.Inner.R} {
		if v < -1<<20 || v > 1<<20 {
			return fmt.Errorf("%w: %+v is out of range", ErrRing, r)
		}
	}
	dx, dy, wall := r.Outer.X-r.Inner.X, r.Outer.Y-r.Inner.Y, r.Outer.R-r.Inner.R
	switch {
	case r.Inner.R < circleUnit || wall < minWall*circleUnit:
		return fmt.Errorf("%w: radii of %d and %d sixteenths of a px, want a wall of %d px or more", ErrRing, r.Outer.R, r.Inner.R, minWall)
	case dx*dx+dy*dy >= wall*wall:
		return fmt.Errorf("%w: the inner circle is not inside the outer one: %+v", ErrRing, r)
	case r.Turn() > maxTurn:
		return fmt.Errorf("%w: a turn of %d columns, at most %d", ErrRing, r.Turn(), maxTurn)
	case !r.box().Inset(r.Outer.R/circleUnit/4 + 2).In(bounds):
		return fmt.Errorf("%w: %v is not inside a frame of %d x %d px", ErrRing, r.box(), bounds.Dx(), bounds.Dy())
	}
	return nil
}

// Unwrapper keeps the buffers of Unwrap. It is for one goroutine.
type Unwrapper struct {
	gray  []byte     // the box, grey
	turn  [][2]int32 // (columns) sine and cosine, sineBits
	strip frame.Frame
}

// Unwrap gives the strip of a ring: Ring.Height rows of Ring.Turn columns and extra ones that
// repeat the first, so that tiles can be cut across 0 degrees. It is grey, has the frame's number,
// time and name, and is valid until the next call.
func (u *Unwrapper) Unwrap(f *frame.Frame, r Ring, extra int) (*frame.Frame, error) {
	if err := f.Validate(); err != nil {
		return nil, err
	}
	if err := r.validate(f.Bounds()); err != nil {
		return nil, err
	}
	turn, height := r.Turn(), r.Height()
	if extra < 0 || extra > turn {
		return nil, fmt.Errorf("preprocess: %d columns beyond a turn of %d", extra, turn)
	}
	if len(u.turn) != turn {
		u.turn = sines(grow(u.turn, turn))
	}
	box := r.box()
	u.fill(f, box)
	s := &u.strip
	*s = frame.Frame{Pix: s.Pix, Width: turn + extra, Height: height, Stride: oddLines(turn + extra), Format: frame.Gray,
		Seq: f.Seq, Time: f.Time, Name: f.Name}
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

// oddLines rounds n up to an odd number of cache lines: rows that are a power of two apart would
// throw each other out.
func oddLines(n int) int { return (n+63)/64*64 | 64 }

// fill makes the box grey. Where it sticks out of the frame the border is repeated.
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

// place is y and x, px of the box from the middle of its first pixel, in one word, so that one
// addition moves both:
//
//	y: 14 bits . 18 bits | x: 14 bits . 18 bits
//
// Sums are exact though steps may be negative, since no place on a ray is.
type place int64

// ray gives the place of row 0 and the step to the next one. What the step's last bit is off adds
// up from the middle row.
func (r Ring) ray(direction [2]int32, origin image.Point, height int) (start, step place) {
	sin, cos := int64(direction[0]), int64(direction[1])
	at := func(c Circle) (x, y int64) { // sineBits+4: the circle's sixteenths
		return int64(c.X-circleUnit*origin.X)<<sineBits + int64(c.R)*sin, int64(c.Y-circleUnit*origin.Y)<<sineBits - int64(c.R)*cos
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

// walk makes a column of the strip: every stride-th byte of out. gray has rows of w px.
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

// sines fills in sine and cosine of the middle of each column: of (2i+1)*pi/n. n is divisible by
// four, and quarters of a turn are mirror images of the first.
func sines(t [][2]int32) [][2]int32 {
	n, quarter := len(t), len(t)/4
	for i := range quarter {
		s, c := sine(2*i+1, n), sine(2*(quarter-1-i)+1, n)
		t[i], t[quarter+i] = [2]int32{s, c}, [2]int32{c, -s}
		t[2*quarter+i], t[3*quarter+i] = [2]int32{-s, -c}, [2]int32{-c, s}
	}
	return t
}

// sine is the sine of k*pi/n, at most a right angle, in sineBits: its Taylor series to x^15, whose
// next term is below the last bit. math.Sin may round its last bit in another way where the
// compiler fuses multiplications and additions.
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
