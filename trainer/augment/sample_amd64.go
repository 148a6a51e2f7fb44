package augment

import (
	"sync"

	"tirewatch/vision/isa"
)

// sampling is what the bodies read: how a row of points runs through a picture. Coordinates are
// those of Apply.
type sampling struct {
	pairs      *byte // of the picture
	x, y       int32 // of the first point
	dx, dy     int32 // to the next
	maxX, maxY int32 // of a point
	rowWord    int32 // 1 and the width of the picture, px, in words
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

// pairsPool has the memory for pairs, *[]byte: one picture's for each core at work.
var pairsPool = sync.Pool{New: func() any { return new([]byte) }}

// pairs lays each pixel beside the one below it, so that the four pixels around a point are
// neighbours and one fetch gets them: fetches are what sampling takes its time for. It also reads
// the picture once from front to back; along the rows of a turned picture, memory that is in no
// cache would be waited for line by line.
//
//	a b c        a d b e c f
//	d e f   ->   d g e h f i
//	g h i        g - h - i -   -
//
// What stands for - is never looked at: two bytes more let the last pixel be fetched like the
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

// fast samples the whole picture with the instructions of this CPU, as border does, to the bit. It
// reports false, and does nothing, where it cannot.
func (t Transform) fast(dst []float32, outW, outH int, pix []byte, dx, dy int, scale float32) bool {
	body, lanes := sampleAVX512, 16
	if set != isa.AVX512 {
		body, lanes = sampleAVX2, 8
	}
	if set == isa.Generic || outW < lanes || t.w > 1<<12 || t.h > 1<<12 {
		return false
	}
	for _, y := range [2]int{0, outH - 1} { // the map is linear: its corners bound it
		px, py := t.rowStart(y)
		for _, p := range [4]int{px, px + outW*dx, py, py + outW*dy} {
			if p <= -limit || p >= limit {
				return false
			}
		}
	}
	into := pairsPool.Get().(*[]byte)
	defer pairsPool.Put(into)
	s := sampling{pairs: &t.pairs(into, pix)[0], dx: int32(dx), dy: int32(dy), maxX: int32(t.w-1) * fixed, maxY: int32(t.h-1) * fixed,
		rowWord: 1 | int32(t.w)<<16}
	for i := range s.lanes {
		s.scale[i], s.lanes[i] = scale, int32(i)
	}
	for y := range outH {
		px, py := t.rowStart(y)
		row := dst[y*outW:][:outW]
		s.x, s.y = int32(px), int32(py)
		body(&row[0], outW/lanes, &s)
		if outW%lanes != 0 { // the last points once more, with some before them
			x := outW - lanes
			s.x, s.y = int32(px+x*dx), int32(py+x*dy)
			body(&row[x], 1, &s)
		}
	}
	return true
}
