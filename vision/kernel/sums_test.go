package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Every body computes the sums of the specification, for widths and numbers of positions below, at
// and above a tile, a block and a group.
func TestSums(t *testing.T) {
	eachBody(t, func(t *testing.T, b *Body) {
		for seed := range uint64(300) {
			rng := rand.New(rand.NewPCG(seed, 61))
			channels, outputs, n := 1+rng.IntN(70), 1+rng.IntN(40), rng.IntN(3*sumsTile)
			x, w := randomBytes(rng, n*channels), randomWeights(rng, outputs*channels)
			switch seed % 8 {
			case 0:
				x = slices.Repeat([]uint8{255}, len(x))
				w = slices.Repeat([]int8{-127}, len(w))
			case 1:
				x = slices.Repeat([]uint8{255}, len(x))
				w = slices.Repeat([]int8{127}, len(w))
			}
			bias := randomSums(rng, outputs, 1<<20)
			want := make([]int32, n*outputs)
			RowsGeneric(want, x, n, Windows{Step: channels, Runs: 1, RunLen: channels}, w, bias)
			s, next := NewSums(b, w, bias), 0
			s.Each(x, func(p int, sums []int32) {
				if p != next {
					t.Fatalf("seed %d: position %d after %d", seed, p, next-1)
				}
				next++
				if got := sums[:outputs]; !slices.Equal(got, want[p*outputs:][:outputs]) {
					t.Fatalf("seed %d: position %d has the sums %v, want %v", seed, p, got, want[p*outputs:][:outputs])
				}
			})
			if next != n {
				t.Fatalf("seed %d: %d positions, want %d", seed, next, n)
			}
		}
	})
}
