package augment

import (
	"sync"

	"tirewatch/vision/isa"
)

// sampling is the input of the kernels: how a row of points runs through an image. Coordinates are
// those of Apply.
type sampling struct {
	pairs      *byte // of the image, made by pairs
	x, y       int32 // first point
	dx, dy     int32 // step to the next point
	maxX, maxY int32 // largest coordinates of a point
	rowWord    int32 // 1 and the width of the image, px, as two words
	scale      [16]float32
	lanes      [16]int32 // 0, 1, 2 and so on
}

//go:noescape
func sampleAVX512(dst *float32, n int, s *sampling)

//go:noescape
func sampleAVX2(dst *float32, n int, s *sampling)

//go:noescape
func pairAVX2(dst, above, below *byte, n int)

// limit keeps coordinates within 32 bits, with room for a step of 16 points.
const limit = 1 << 30

// pairsPool holds the memory for pairs, *[]byte: one image for each working core.
var pairsPool = sync.Pool{New: func() any { return new([]byte) }}

// pairs places each pixel beside the one below it. The four pixels around a point are then
// neighbours, and one fetch reads them; sampling spends its time on fetches. It also reads the
// image once from front to back. Sampling along the rows of a rotated image directly would wait for
// uncached memory line by line.
//
//	a b c        a d b e c f
//	d e f   ->   d g e h f i
//	g h i        g - h - i -   -
//
// The bytes marked - are never used. The two extra bytes let the last pixel be fetched like the
// others.
func (t Transform) pairs(into *[]byte, pix []byte) []byte {
	if n := 2*len(pix) + 2; cap(*into) < n {
		*into = make([]byte, n)
	}
	pairs, below := (*into)[:2*len(pix)+2], pix[t.w:]
	i := len(below) &^ 15
	if i > 0 {
		pairAVX2(&pairs[0], &pix[0], &below[0], i/16)
	}
	for ; i < len(below); i++ {
		pairs[2*i], pairs[2*i+1] = pix[i], below[i]
	}
	for ; i < len(pix); i++ {
		pairs[2*i] = pix[i]
	}
	return pairs
}

// fast samples the whole image with the instructions of this CPU. The result equals that of border
// exactly. It returns false, and does nothing, where it cannot.
func (t Transform) fast(dst []float32, outW, outH int, pix []byte, dx, dy int, scale float32) bool {
	body, lanes := sampleAVX512, 16
	if set != isa.AVX512 {
		body, lanes = sampleAVX2, 8
	}
	if set == isa.Generic || outW < lanes || t.w > 1<<12 || t.h > 1<<12 {
		return false
	}
	for _, y := range [2]int{0, outH - 1} { // the map is linear, so its corners are its limits
		px, py := t.rowStart(y)
		for _, p := range [4]int{px, px + outW*dx, py, py + outW*dy} {
			if p <= -limit || p >= limit {
				return false
			}
		}
	}
	into := pairsPool.Get().(*[]byte)
	defer pairsPool.Put(into)
	s := sampling{
		pairs: &t.pairs(into, pix)[0], dx: int32(dx), dy: int32(dy),
		maxX: int32(t.w-1) * fixed, maxY: int32(t.h-1) * fixed, rowWord: 1 | int32(t.w)<<16,
	}
	for i := range s.lanes {
		s.scale[i], s.lanes[i] = scale, int32(i)
	}
	for y := range outH {
		px, py := t.rowStart(y)
		row := dst[y*outW:][:outW]
		s.x, s.y = int32(px), int32(py)
		body(&row[0], outW/lanes, &s)
		if outW%lanes != 0 { // the last points, together with some earlier ones again
			x := outW - lanes
			s.x, s.y = int32(px+x*dx), int32(py+x*dy)
			body(&row[x], 1, &s)
		}
	}
	return true
}
