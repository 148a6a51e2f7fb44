package f32

import (
	"math/rand/v2"
	"testing"
)

func TestScoresBodiesAgree(t *testing.T) {
	defer func(l int) { level = l }(level)
	rng := rand.New(rand.NewPCG(1, 2))
	for _, channels := range []int{1, 31, 32, 48, 64, 192, 384} {
		for _, n := range []int{0, 1, 2, 49, 196} {
			x, v := make([]byte, n*channels), make([]float32, channels)
			for i := range x {
				x[i] = byte(rng.Uint32())
			}
			for i := range v {
				v[i] = float32(rng.NormFloat64())
			}
			want, got := make([]float32, n), make([]float32, n)
			level = levelGeneric
			Scores(want, x, v, 0.25)
			level = detect()
			Scores(got, x, v, 0.25)
			for p := range want {
				if got[p] != want[p] {
					t.Fatalf("%d channels, position %d of %d: %v by %s, %v by Go", channels, p, n, got[p], Kernel(), want[p])
				}
			}
		}
	}
}

func BenchmarkScores(b *testing.B) {
	x, v, dst := make([]byte, 196*384), make([]float32, 384), make([]float32, 196)
	for b.Loop() {
		Scores(dst, x, v, 0)
	}
}
