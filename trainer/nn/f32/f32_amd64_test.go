package f32

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// withLevel runs f with the bodies of one instruction set, or skips when this CPU lacks it.
func withLevel(t *testing.T, l int, f func()) {
	t.Helper()
	have := detect()
	if l > have {
		t.Skipf("this CPU has no %s", levelNames[l])
	}
	level = l
	defer func() { level = have }()
	f()
}

func random(rng *rand.Rand, n int) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = float32(rng.NormFloat64())
	}
	return s
}

// closeTo compares an assembly body with the generic one: their sums differ only by rounding.
func closeTo(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if d := math.Abs(float64(got[i] - want[i])); !(d <= 2e-4*(1+math.Abs(float64(want[i])))) {
			t.Fatalf("%s[%d]: got %g, want %g", what, i, got[i], want[i])
		}
	}
}

// shapes below, at and above the tile of 6 positions and the blocks of 16 and 64 channels.
var shapes = []struct{ n, f, c int }{
	{1, 16, 1}, {5, 16, 16}, {6, 64, 3}, {7, 64, 16}, {11, 80, 32}, {12, 128, 1}, {13, 144, 16}, {3, 5, 7}, {42, 64, 128},
}

// Every assembly body gives what the generic body gives, and AVX2 and AVX-512 agree to the last bit.
func TestBodiesAgree(t *testing.T) {
	for _, s := range shapes {
		t.Run(fmt.Sprintf("n=%d f=%d c=%d", s.n, s.f, s.c), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, uint64(s.n*1000+s.f)))
			rowLen := (2*s.n + 1) * s.c
			v := Windows{Step: 2 * s.c, Runs: 3, RunLen: 3 * s.c, RunStride: rowLen}
			x, w, bias := random(rng, 3*rowLen), random(rng, v.K()*s.f), random(rng, s.f)
			top, bottom := random(rng, 2*s.n*s.f), random(rng, 2*s.n*s.f)
			var entries []Entry
			for range 50 { // runs of one window and rising channels, of any length, and now and then the same channel twice
				at := rng.IntN(s.n) * v.Step
				for f := rng.IntN(s.f); f < s.f; f += rng.IntN(4) {
					entries = append(entries, NewEntry(float32(rng.NormFloat64()), at, f*v.K()))
					if rng.IntN(9) == 0 {
						break
					}
				}
			}
			dx0, dw0 := random(rng, len(x)), random(rng, len(w))

			type result struct {
				rows, pooled, dx, dw []float32
				winner               []uint8
			}
			compute := func() (r result) {
				r.rows = make([]float32, s.n*s.f)
				Rows(r.rows, x, s.n, v, w, bias)
				r.pooled, r.winner = make([]float32, s.n*s.f), make([]uint8, s.n*s.f)
				PoolReLU(r.pooled, r.winner, top, bottom, s.n, s.f)
				r.dx, r.dw = slices.Clone(dx0), slices.Clone(dw0)
				Scatter(entries, x, r.dx, w, r.dw, v)
				return r
			}
			var want result
			withLevel(t, levelGeneric, func() { want = compute() })
			var results []result
			for _, l := range []int{levelAVX2, levelAVX512} {
				t.Run(levelNames[l], func(t *testing.T) {
					withLevel(t, l, func() {
						got := compute()
						closeTo(t, "rows", got.rows, want.rows)
						closeTo(t, "dx", got.dx, want.dx)
						closeTo(t, "dw", got.dw, want.dw)
						if !slices.Equal(got.pooled, want.pooled) || !slices.Equal(got.winner, want.winner) {
							t.Fatal("pool differs from the generic body")
						}
						results = append(results, got)
					})
				})
			}
			if len(results) == 2 && (!slices.Equal(results[0].rows, results[1].rows) ||
				!slices.Equal(results[0].dx, results[1].dx) || !slices.Equal(results[0].dw, results[1].dw)) {
				t.Error("AVX2 and AVX-512 differ")
			}
		})
	}
}

func TestFirstBackwardBodiesAgree(t *testing.T) {
	for _, n := range []int{1, 2, 85} {
		const f, rowStride = 48, 400
		rng := rand.New(rand.NewPCG(2, uint64(n)))
		x, g := random(rng, 5*rowStride), random(rng, n*f)
		winner := make([]uint8, n*f)
		for i := range winner {
			winner[i] = uint8(rng.IntN(Dead + 1))
		}
		dw0 := random(rng, 10*f)
		compute := func() []float32 {
			dw := slices.Clone(dw0)
			FirstBackward(dw, g, winner, x, rowStride, n, f)
			return dw
		}
		var want []float32
		withLevel(t, levelGeneric, func() { want = compute() })
		for _, l := range []int{levelAVX2, levelAVX512} {
			t.Run(fmt.Sprintf("n=%d %s", n, levelNames[l]), func(t *testing.T) {
				withLevel(t, l, func() { closeTo(t, "dw", compute(), want) })
			})
		}
	}
}

// Shapes of the second convolution, which takes four fifths of the time.
func BenchmarkRows(b *testing.B) {
	rng := rand.New(rand.NewPCG(3, 3))
	v := Windows{Step: 256, Runs: 3, RunLen: 384, RunStride: 85 * 128}
	x, w, bias, dst := random(rng, 3*85*128), random(rng, v.K()*64), random(rng, 64), make([]float32, 42*64)
	for b.Loop() {
		Rows(dst, x, 42, v, w, bias)
	}
	b.ReportMetric(float64(42*64*v.K())*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
}

func BenchmarkScatter(b *testing.B) {
	rng := rand.New(rand.NewPCG(4, 4))
	v := Windows{Step: 256, Runs: 3, RunLen: 384, RunStride: 85 * 128}
	x, w := random(rng, 5*85*128), random(rng, v.K()*64)
	dx, dw := make([]float32, len(x)), make([]float32, len(w))
	var entries []Entry
	for c := range 64 {
		entries = append(entries, NewEntry(1e-3, rng.IntN(2)*256+rng.IntN(2)*2*85*128, c*v.K()))
	}
	for b.Loop() {
		Scatter(entries, x, dx, w, dw, v)
	}
	b.ReportMetric(float64(2*64*v.K())*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
}
