package kernel

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
)

// Every body computes the scores of the specification: the sums of a convolution with one filter.
func TestScores(t *testing.T) {
	eachBody(t, func(t *testing.T, b *Body) {
		for seed := range uint64(300) {
			rng := rand.New(rand.NewPCG(seed, 51))
			s := randomShape(rng)
			s.OutC, s.Pool = 1, Window{}
			x, w := randomBytes(rng, s.In.H*s.In.Row), randomWeights(rng, s.depth())
			bias := randomSums(rng, 1, 1<<20)
			op := NewScores(b, s, w, bias).Clone()
			got := make([]uint8, s.Conv.OutW*ScoreBytes)
			for oy := range s.Conv.OutH {
				op.Row(got, x, 0, oy)
				for ox := range s.Conv.OutW {
					have := int32(binary.LittleEndian.Uint32(got[ox*ScoreBytes:]))
					if want := convSum(x, &s, w, bias, oy, ox, 0); have != want {
						t.Fatalf("seed %d, %+v: score (%d, %d) is %d, want %d", seed, s, oy, ox, have, want)
					}
				}
			}
		}
	})
}

func TestTop(t *testing.T) {
	for _, c := range []struct {
		name   string
		k      int
		scores []int32
		want   int32
	}{
		{"one of one", 1, []int32{-7}, -7},
		{"the highest", 1, []int32{3, 9, -2}, 9},
		{"two of three", 2, []int32{3, 9, -2}, 12},
		{"all", 3, []int32{3, 9, -2}, 10},
		{"equal scores", 2, []int32{5, 5, 5, 1}, 10},
		{"all negative", 2, []int32{-5, -9, -1}, -6},
		{"the ends of int32", 2, []int32{math.MinInt32, math.MaxInt32, 0}, math.MaxInt32},
		{"zero is above a negative score", 2, []int32{-1, 0, -1}, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := make([]uint8, 0, len(c.scores)*ScoreBytes)
			for _, s := range c.scores {
				x = binary.LittleEndian.AppendUint32(x, uint32(s))
			}
			top := NewTop(c.k, len(c.scores))
			for range 2 { // a sum leaves nothing for the next
				if got := top.Sum(x); got != c.want {
					t.Errorf("sum of the highest %d of %v is %d, want %d", c.k, c.scores, got, c.want)
				}
			}
			if n := testing.AllocsPerRun(5, func() { top.Sum(x) }); n > 0 {
				t.Errorf("%g allocations per sum", n)
			}
		})
	}
}
