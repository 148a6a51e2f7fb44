package kernel

import (
	"math"
	"slices"
	"testing"
)

func TestSettled(t *testing.T) {
	for _, c := range []struct {
		name string
		w    []int8
		bias int32
		mult float32
		want []int8 // weights, bias and mult afterwards; nil: unchanged
		byte int32
	}{
		{"varies", []int8{1, -1}, 0, 1, nil, 0},
		{"always 0", []int8{1, 1}, -510, 1, []int8{0, 0}, 0},
		{"0 or 1", []int8{1, 1}, -509, 1, nil, 0},
		{"always 255", []int8{127, -127}, 1 << 30, 1, []int8{0, 0}, 255},
		{"254 or 255", []int8{0, -1}, 255 + 254, 1, nil, 0},
		{"always 7, a large sum", []int8{1, -1}, 7_000_000, 1e-6, []int8{0, 0}, 7},
		{"a tie", []int8{1, 0}, 0, 0.5 / 255, []int8{0, 0}, 0},
		{"just above a tie", []int8{1, 0}, 1, 0.5 / 255, nil, 0},
		{"the largest scale", []int8{1, 0}, 1, math.MaxFloat32, []int8{0, 0}, 255},
	} {
		bias, mult := []int32{c.bias}, []float32{c.mult}
		w, b, m := settled(c.w, bias, mult)
		switch {
		case c.want == nil && (!slices.Equal(w, c.w) || b[0] != c.bias || m[0] != c.mult):
			t.Errorf("%s: changed to %v, %d, %g", c.name, w, b[0], m[0])
		case c.want != nil && (!slices.Equal(w, c.want) || b[0] != c.byte || m[0] != 1):
			t.Errorf("%s: %v, %d, %g, want %v, %d, 1", c.name, w, b[0], m[0], c.want, c.byte)
		}
		if bias[0] != c.bias || mult[0] != c.mult {
			t.Errorf("%s: the arguments changed", c.name)
		}
	}
}
