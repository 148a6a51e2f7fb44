package bundle

import (
	"errors"
	"math/bits"
)

// This file packs the pixels of a golden input without loss, because a network for 448 x 448 px
// would otherwise have a bundle of more than 1 MiB, the message limit of some brokers. The code is
// LOCO-I without runs: each pixel is predicted from its neighbours, and the error is written in a
// Golomb-Rice code whose parameter follows the recent errors at places that are as uneven. Source:
// Weinberger, Seroussi, Sapiro 2000, "The LOCO-I lossless image compression algorithm". Photographs
// of tires take 4 to 5 bits a pixel; image/png takes 10 to 15 % more, and its bytes change with the
// version of Go.
//
//	  c b d     prediction: min(a, b) if c >= max(a, b), max(a, b) if c <= min(a, b), else a+b-c
//	  a x       unevenness: bits.Len(|d-b| + |b-c| + |c-a|), 0 to 10, the context
//
// Above the first row every pixel is 0; left of a row is its pixel above, right of a row is b. The
// error x - prediction, modulo 256 in -128..127, becomes 0, 1, 2, 3.. for 0, -1, 1, -2.. This
// number is written as q = number >> k ones, a zero, and its lowest k bits; with q >= 24, as 24
// ones and 8 bits. k is the smallest with n<<k >= sum, where n and sum count the errors of the
// context and add up their absolute values. They start at 1 and 4, and are halved when n is 64.
// Bits fill bytes from the highest; the last byte is filled with zeros.

// longest is the number of ones from which the error follows in 8 bits.
const longest = 24

// errPacked means that packed pixels are damaged.
var errPacked = errors.New("packed pixels are damaged")

// context counts the errors at places that are equally uneven.
type context struct{ n, sum int }

// rice returns the parameter of the code.
func (c *context) rice() (k int) {
	for c.n<<k < c.sum {
		k++
	}
	return k
}

func (c *context) add(e int8) {
	c.sum += abs(int(e))
	if c.n++; c.n == 64 {
		c.n, c.sum = c.n/2, c.sum/2
	}
}

// contexts returns those of the first pixel.
func contexts() (all [11]context) {
	for i := range all {
		all[i] = context{1, 4}
	}
	return all
}

// predict returns the prediction of pixel i of pix, in rows of width, and its context.
func predict(pix []byte, i, width int) (prediction byte, uneven int) {
	x := i % width
	var a, b, c, d int
	if i >= width {
		b = int(pix[i-width])
		a, c, d = b, b, b
		if x < width-1 {
			d = int(pix[i-width+1])
		}
		if x > 0 {
			c = int(pix[i-width-1])
		}
	}
	if x > 0 {
		a = int(pix[i-1])
	}
	uneven = bits.Len(uint(abs(d-b) + abs(b-c) + abs(c-a)))
	switch {
	case c >= max(a, b):
		return byte(min(a, b)), uneven
	case c <= min(a, b):
		return byte(max(a, b)), uneven
	}
	return byte(a + b - c), uneven
}

// pack returns the code of pix.
func pack(pix []byte, width int) []byte {
	var w bitWriter
	all := contexts()
	for i, v := range pix {
		p, uneven := predict(pix, i, width)
		e, c := int8(v-p), &all[uneven]
		number := uint(e) << 1 // 0, 2, 4.. for 0, 1, 2..
		if e < 0 {
			number = uint(-int(e))<<1 - 1
		}
		if k := c.rice(); number>>k < longest {
			w.write(1<<(number>>k+1)-2, int(number>>k)+1)
			w.write(number&(1<<k-1), k)
		} else {
			w.write(1<<longest-1, longest)
			w.write(number, 8)
		}
		c.add(e)
	}
	return w.bytes()
}

// unpack returns n pixels. Memory and time depend on n alone, whatever data is.
func unpack(data []byte, n, width int) ([]byte, error) {
	if n > 8*len(data) { // a pixel has at least one bit
		return nil, errPacked
	}
	pix, r, all := make([]byte, n), bitReader{data: data}, contexts()
	for i := range pix {
		p, uneven := predict(pix, i, width)
		c := &all[uneven]
		k, q := c.rice(), uint(0)
		for q < longest && r.read(1) == 1 {
			q++
		}
		if q == longest {
			k, q = 8, 0
		}
		number := q<<k | r.read(k)
		e := int8(number >> 1)
		if number&1 == 1 {
			e = int8(-int(number>>1) - 1)
		}
		pix[i] = p + byte(e)
		c.add(e)
	}
	if r.short || !r.ended() {
		return nil, errPacked
	}
	return pix, nil
}

func abs(v int) int { return max(v, -v) }

type bitWriter struct {
	data []byte
	acc  uint64
	n    int // bits in acc
}

// write appends the lowest n bits of v.
func (w *bitWriter) write(v uint, n int) {
	w.acc, w.n = w.acc<<n|uint64(v), w.n+n
	for w.n >= 8 {
		w.n -= 8
		w.data = append(w.data, byte(w.acc>>w.n))
	}
}

func (w *bitWriter) bytes() []byte {
	if w.n > 0 {
		w.write(0, 8-w.n)
	}
	return w.data
}

type bitReader struct {
	data  []byte
	at    int  // bits read
	short bool // more bits were read than there are
}

// read returns the next n bits, and zeros after the end.
func (r *bitReader) read(n int) (v uint) {
	for range n {
		v <<= 1
		if r.at>>3 < len(r.data) {
			v |= uint(r.data[r.at>>3]>>(7-r.at&7)) & 1
		} else {
			r.short = true
		}
		r.at++
	}
	return v
}

// ended reports whether only the zeros that fill the last byte are left.
func (r *bitReader) ended() bool {
	return (r.at+7)/8 == len(r.data) && (r.at&7 == 0 || r.data[len(r.data)-1]<<(r.at&7) == 0)
}
