package augment

import "tirewatch/vision/isa"

// sampling is what the bodies read: how a row of points runs through a picture. Coordinates are those of Apply.
type sampling struct {
	pix        *byte
	x, y       int32     // of the first point
	dx, dy     int32     // to the next
	maxX, maxY int32     // of a point
	last       int32     // len(pix) - 4: where the last four bytes start
	rowWord    int32     // 1 and the width of the picture, px, in words
	width      [16]int32 // px
	scale      [16]float32
	lanes      [16]int32 // 0, 1, 2 and so on
}

//go:noescape
func sampleAVX512(dst *float32, n int, s *sampling)

//go:noescape
func sampleAVX2(dst *float32, n int, s *sampling)

// limit keeps coordinates within 32 bits, with room for a step of 16 points.
const limit = 1 << 30

// fast samples the whole picture with the instructions of this CPU, as border does, to the bit. It reports false, and does nothing, where it
// cannot.
func (t Transform) fast(dst []float32, outW, outH int, pix []byte, dx, dy int, scale float32) bool {
	body, lanes := sampleAVX512, 16
	if set != isa.AVX512 {
		body, lanes = sampleAVX2, 8
	}
	if set == isa.Generic || outW < lanes || t.w > 1<<12 || t.h > 1<<12 || len(pix) < 4 {
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
	s := sampling{pix: &pix[0], dx: int32(dx), dy: int32(dy), maxX: int32(t.w-1) * fixed, maxY: int32(t.h-1) * fixed,
		last: int32(len(pix) - 4), rowWord: 1 | int32(t.w)<<16}
	for i := range s.lanes {
		s.width[i], s.scale[i], s.lanes[i] = int32(t.w), scale, int32(i)
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
