//go:build !amd64 && !arm64

package preprocess

import "tirewatch/vision/isa"

// set is the instruction set in use.
var set = isa.Generic

type plan struct{ near bool }

func makePlan(*taps) plan { return plan{} }

func columnsBody(mid []int16, src []byte, t *taps) { columnsGeneric(mid, src, t) }

func rowsBody(out []byte, ring []int16, off []int, w []int16) { rowsGeneric(out, ring, off, w) }

func prefetch([]byte) {}
