package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The name of each case says which rounding it tests.
func TestMeanScale(t *testing.T) {
	for _, c := range []struct {
		name   string
		sum, n int
		want   uint8
	}{
		{"all 255 in 2x2", 255 * 4, 4, 255},
		{"half to even below", 2, 4, 0},
		{"half to even above", 6, 4, 2},
		{"three quarters", 3, 4, 1},
		{"all 255 in 14x14", 255 * 196, 196, 255},
		{"all 255 in 7x7, whose scale is rounded", 255 * 49, 49, 255},
		{"the largest mean", 255 * MaxMean, MaxMean, 255},
		{"just below a half", 97, 196, 0},
		{"just above a half", 99, 196, 1},
	} {
		if c.sum > math.MaxInt32 {
			t.Fatalf("%s: the sum overflows int32", c.name)
		}
		if got := RequantizeGeneric(int32(c.sum), MeanScale(c.n)); got != c.want {
			t.Errorf("%s: %d of %d values is %d, want %d", c.name, c.sum, c.n, got, c.want)
		}
	}
}

// The mean of equal values is that value, although most scales are rounded.
func TestMeanOfEqualValues(t *testing.T) {
	for n := 1; n <= 64*64; n++ {
		for v := range 256 {
			if got := RequantizeGeneric(int32(n*v), MeanScale(n)); int(got) != v {
				t.Fatalf("%d values of %d have the mean %d", n, v, got)
			}
		}
	}
}

func TestMean(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 41))
		d := extremes[seed%uint64(len(extremes))]
		m := Mean{In: Area{H: 1 + rng.IntN(12), W: 1 + rng.IntN(12), C: 1 + rng.IntN(20)}, Stride: 1 + rng.IntN(3)}
		m.H, m.W = 1+rng.IntN(m.In.H), 1+rng.IntN(m.In.W)
		m.In.Row = m.In.W*m.In.C + rng.IntN(5)
		outH := (m.In.H-m.H)/m.Stride + 1
		m.OutW = (m.In.W-m.W)/m.Stride + 1
		x := d.x(rng, (m.In.H-1)*m.In.Row+m.In.W*m.In.C)
		row := m.OutW * m.In.C
		got, want := make([]uint8, outH*row), make([]uint8, outH*row)
		MeanGeneric(want, x, m, outH)
		op := m.Clone()
		for oy := range outH {
			y0, _ := op.Needs(oy)
			op.Row(got[oy*row:][:row], x[y0*m.In.Row:], y0, oy)
		}
		if i := mismatch(got, want); i >= 0 {
			t.Fatalf("seed %d, %s, %+v: byte %d is %d, want %d", seed, d.name, m, i, got[i], want[i])
		}
	}
}
