package isa

import "testing"

func TestChoose(t *testing.T) {
	amd64, arm64 := []Set{Generic, AVX2, AVX512}, []Set{Generic, NEON}
	for _, c := range []struct {
		have []Set
		name string
		want Set
	}{
		{amd64, "", AVX512},
		{amd64, "generic", Generic},
		{amd64, "avx2", AVX2},
		{amd64, "avx512vnni", AVX512},
		{amd64[:2], "avx512vnni", AVX2}, // package kernel reports the unknown name
		{arm64, "neon-dotprod", NEON},
		{arm64, "generic", Generic},
		{[]Set{Generic}, "", Generic},
	} {
		if got := choose(c.have, c.name); got != c.want {
			t.Errorf("%v, %q: %v, want %v", c.have, c.name, got, c.want)
		}
	}
}
