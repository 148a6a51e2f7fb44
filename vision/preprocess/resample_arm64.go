package preprocess

import "tirewatch/vision/isa"

// set is the instruction set in use. Tests change it to run every implementation.
var set = isa.Chosen()

// A near block has 8 outputs with one window of 32 bytes. A step reads two pixels of each output.
// The table of a block:
//
//	places (2 pixels, 8 outputs as words with upper byte 0xff)
//	step 0: (2 pixels, 8 outputs) weights | step 1 ...
//
// A far block has 4 outputs. A step reads 8 pixels of each:
//
//	step 0: (4 outputs, 8 weights) | step 1 ...
const (
	nearBlock = 8
	farBlock  = 4
)

func makePlan(t *taps) plan {
	if !t.fits(32, nearBlock) {
		return farPlan(t, farBlock, 8)
	}
	p := plan{near: true, steps: t.pitch / 2}
	for x := 0; x < len(t.first); x += nearBlock {
		p.base = append(p.base, t.firstOr0(x))
		for k := range uint16(2) {
			for i := range nearBlock {
				p.table = append(p.table, 0xff00|(t.place(x+i, nearBlock)+k))
			}
		}
		for k := range t.pitch {
			for i := range nearBlock {
				p.table = append(p.table, t.weight(x+i, k))
			}
		}
	}
	return p
}

//go:noescape
func columnsNearNEON(mid *int16, src *byte, base *int32, table *uint16, blocks, steps int)

//go:noescape
func columnsFarNEON(mid *int16, src *byte, base *int32, table *uint16, blocks, steps int)

//go:noescape
func rowsNEON(out *byte, ring *int16, off *int, w *int16, blocks, steps int)

func columnsBody(mid []int16, src []byte, t *taps) {
	p := &t.plan
	n := len(t.first)
	switch {
	case set == isa.Generic:
		columnsGeneric(mid, src, t)
	case p.near:
		columnsNearNEON(&mid[0], &src[0], &p.base[0], &p.table[0], (n+nearBlock-1)/nearBlock, p.steps)
	default:
		columnsFarNEON(&mid[0], &src[0], &p.base[0], &p.table[0], (n+farBlock-1)/farBlock, p.steps)
	}
}

func rowsBody(out []byte, ring []int16, off []int, w []int16) {
	if set == isa.Generic {
		rowsGeneric(out, ring, off, w)
		return
	}
	rowsNEON(&out[0], &ring[0], &off[0], &w[0], len(out)/rowBlock, len(w))
}
