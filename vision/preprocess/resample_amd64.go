package preprocess

import "tirewatch/vision/isa"

// set is the instruction set in use. Tests change it to run every implementation.
var set = isa.Chosen()

// A near block has 16 outputs, with windows of 16 bytes for 4 outputs (AVX2) or 64 bytes for all
// (AVX-512). A step reads two pixels of each output. The table of a block:
//
//	shuffle (16 outputs, 2 words: place in the window, upper byte 0x80)
//	step 0: (16 outputs, 2 weights) | step 1 ...
//
// A far block has 8 outputs. A step reads 16 pixels of each:
//
//	step 0: (8 outputs, 16 weights) | step 1 ...
const (
	nearBlock = 16
	farBlock  = 8
)

// nearOrder is the order of a block's outputs in the two AVX2 registers of two lanes each. Packing,
// which works within lanes, then puts them in row order.
var nearOrder = [nearBlock]int{0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15}

func makePlan(t *taps) plan {
	window, share, order := 16, 4, nearOrder
	if set == isa.AVX512 {
		window, share = 64, 16
		for i := range order {
			order[i] = i
		}
	}
	if !t.fits(window, share) {
		return farPlan(t, farBlock, 16)
	}
	p := plan{near: true, steps: t.pitch / 2}
	for x := 0; x < len(t.first); x += nearBlock {
		for i := 0; i < nearBlock; i += share {
			p.base = append(p.base, t.firstOr0(x+i))
		}
		for _, i := range order {
			at := t.place(x+i, share)
			p.table = append(p.table, 0x8000|at, 0x8000|(at+1))
		}
		for step := range p.steps {
			for _, i := range order {
				p.table = append(p.table, t.weight(x+i, 2*step), t.weight(x+i, 2*step+1))
			}
		}
	}
	return p
}

//go:noescape
func columnsNearAVX2(mid *int16, src *byte, base *int32, table *uint16, blocks, steps int)

//go:noescape
func columnsNearAVX512(mid *int16, src *byte, base *int32, table *uint16, blocks, steps int)

//go:noescape
func columnsFarAVX2(mid *int16, src *byte, base *int32, table *uint16, blocks, steps int)

//go:noescape
func rowsAVX2(out *byte, ring *int16, off *int, w *int16, blocks, steps int)

//go:noescape
func rowsAVX512(out *byte, ring *int16, off *int, w *int16, blocks, steps int)

func columnsBody(mid []int16, src []byte, t *taps) {
	p := &t.plan
	n := len(t.first)
	switch {
	case set == isa.Generic:
		columnsGeneric(mid, src, t)
	case !p.near:
		columnsFarAVX2(&mid[0], &src[0], &p.base[0], &p.table[0], (n+farBlock-1)/farBlock, p.steps)
	case set == isa.AVX512:
		columnsNearAVX512(&mid[0], &src[0], &p.base[0], &p.table[0], (n+nearBlock-1)/nearBlock, p.steps)
	default:
		columnsNearAVX2(&mid[0], &src[0], &p.base[0], &p.table[0], (n+nearBlock-1)/nearBlock, p.steps)
	}
}

func rowsBody(out []byte, ring []int16, off []int, w []int16) {
	switch set {
	case isa.Generic:
		rowsGeneric(out, ring, off, w)
	case isa.AVX512:
		rowsAVX512(&out[0], &ring[0], &off[0], &w[0], len(out)/rowBlock, len(w)/2)
	default:
		rowsAVX2(&out[0], &ring[0], &off[0], &w[0], len(out)/rowBlock, len(w)/2)
	}
}
