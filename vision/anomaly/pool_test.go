package anomaly

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"tirewatch/vision/kernel"
)

// The words add what the specification of a mean adds, and round as it does.
func TestPoolerEqualsMean(t *testing.T) {
	for seed := range uint64(400) {
		rng := rand.New(rand.NewPCG(seed, 7))
		cell, c := 1+rng.IntN(17), 1+rng.IntN(20)
		if seed%2 == 0 {
			cell, c = 1<<rng.IntN(5), 8*(1+rng.IntN(3))
		}
		in := kernel.Area{H: cell * (1 + rng.IntN(3)), W: cell*(1+rng.IntN(3)) + rng.IntN(cell), C: c}
		in.Row = in.W * c
		m := kernel.Mean{In: in, H: cell, W: cell, Stride: cell, OutW: in.W / cell}
		x := make([]byte, in.H*in.Row)
		low := byte(rng.IntN(256))
		for i := range x {
			if x[i] = 255; seed%7 != 0 { // otherwise all bytes are the largest
				x[i] = max(low, byte(rng.Uint32()))
			}
		}
		rows := in.H / cell
		want, got := make([]byte, rows*m.OutW*c), make([]byte, rows*m.OutW*c)
		kernel.MeanGeneric(want, x, m, rows)
		p := newPooler(m.Clone())
		for y := range rows {
			p.row(got[y*m.OutW*c:][:m.OutW*c], x, y)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("seed %d: cells of %d x %d, %d channels: %v, want %v", seed, cell, cell, c, got, want)
		}
	}
}

// All sums of cells of 2, 4, 16 and 256 positions round to the byte of the specification.
func TestRoundEqualsRequantize(t *testing.T) {
	for _, shift := range []int{1, 2, 4, 8} {
		p := pooler{shift: shift}
		for sum := range 255<<shift + 1 {
			want := uint64(kernel.RequantizeGeneric(int32(sum), kernel.MeanScale(1<<shift)))
			if got := p.round(uint64(sum) * ones); got != want*ones {
				t.Fatalf("%d of %d values: %x, want %d", sum, 1<<shift, got, want)
			}
		}
	}
}
