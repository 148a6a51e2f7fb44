package f32

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"tirewatch/vision/isa/isatest"
)

func TestMain(m *testing.M) {
	isatest.Main(m, isatest.Bodies{Built: levelNames[:], Have: levelNames[:detect()+1]})
}

// withLevel runs f with one instruction set, or skips when this CPU lacks it.
func withLevel(t *testing.T, l int, f func()) {
	t.Helper()
	have := detect()
	if l > have {
		t.Skipf("this CPU has no %s", levelNames[l])
	}
	level = l
	defer func() { level = have }()
	f()
	isatest.Exercised(levelNames[l])
}

func random(rng *rand.Rand, n int) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = float32(rng.NormFloat64())
	}
	return s
}

// closeTo compares an assembly kernel with the generic one: their sums differ only by rounding.
func closeTo(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if d := math.Abs(float64(got[i] - want[i])); !(d <= 2e-4*(1+math.Abs(float64(want[i])))) {
			t.Fatalf("%s[%d]: got %g, want %g", what, i, got[i], want[i])
		}
	}
}

// shapes are below, at and above the tile of 6 positions and the blocks of 16 and 64 channels.
var shapes = []struct{ n, f, c int }{
	{1, 16, 1}, {5, 16, 16}, {6, 64, 3}, {7, 64, 16}, {11, 80, 32}, {12, 128, 1}, {13, 144, 16}, {13, 24, 1}, {8, 72, 3}, {3, 5, 7}, {42, 64, 128},
}

// Every assembly kernel equals the generic one, and AVX2 and AVX-512 agree exactly.
func TestBodiesAgree(t *testing.T) {
	for _, s := range shapes {
		t.Run(fmt.Sprintf("n=%d f=%d c=%d", s.n, s.f, s.c), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, uint64(s.n*1000+s.f)))
			rowLen := (2*s.n + 1) * s.c
			v := Windows{Step: 2 * s.c, Runs: 3, RunLen: 3 * s.c, RunStride: rowLen}
			x, w, bias := random(rng, 3*rowLen), random(rng, v.K()*s.f), random(rng, s.f)
			top, bottom := random(rng, 2*s.n*s.f), random(rng, 2*s.n*s.f)
			var sums []Sum
			var terms []Term
			for p := range s.n { // some windows get no term, some the same channel twice
				sum := Sum{At: At(p * v.Step), First: int32(len(terms))}
				for f := rng.IntN(s.f); f < s.f && rng.IntN(9) > 0; f += rng.IntN(4) {
					terms = append(terms, Term{G: float32(rng.NormFloat64()), At: At(f * v.K())})
				}
				sum.Count = int32(len(terms)) - sum.First
				sums = append(sums, sum)
			}
			dx0 := random(rng, len(x))

			type result struct {
				rows, pooled, dx []float32
				winner           []uint8
			}
			compute := func() (r result) {
				r.rows = make([]float32, s.n*s.f)
				Rows(r.rows, x, s.n, v, w, bias)
				r.pooled, r.winner = make([]float32, s.n*s.f), make([]uint8, s.n*s.f)
				PoolReLU(r.pooled, r.winner, top, bottom, s.n, s.f)
				r.dx = slices.Clone(dx0)
				Gather(r.dx, v.RunStride, w, v.RunLen, sums, terms, v.Runs, v.RunLen)
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
						if !slices.Equal(got.pooled, want.pooled) || !slices.Equal(got.winner, want.winner) {
							t.Fatal("pool differs from the generic kernel")
						}
						results = append(results, got)
					})
				})
			}
			if len(results) == 2 && (!slices.Equal(results[0].rows, results[1].rows) || !slices.Equal(results[0].dx, results[1].dx)) {
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
			FirstBackward(dw, g, winner, x, rowStride, n, f, make([]float32, FirstScratch(n)))
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

// The fused first layer equals the row kernel followed by the pool, exactly.
func TestFirstForwardIsRowsAndPool(t *testing.T) {
	const f, rowStride = 48, 400
	for _, n := range []int{1, 2, 3, 4, 5, 7, 85} {
		rng := rand.New(rand.NewPCG(3, uint64(n)))
		x, w, bias := random(rng, 5*rowStride), random(rng, 9*f), random(rng, f)
		v := Windows{Step: 2, Runs: 3, RunLen: 3, RunStride: rowStride}
		rows, want, wantWinner := make([]float32, 2*2*n*f), make([]float32, n*f), make([]uint8, n*f)
		for i := range 2 {
			Rows(rows[i*2*n*f:][:2*n*f], x[2*i*rowStride:], 2*n, v, w, bias)
		}
		PoolReLU(want, wantWinner, rows[:2*n*f], rows[2*n*f:], n, f)
		for _, l := range []int{levelAVX2, levelAVX512} {
			t.Run(fmt.Sprintf("n=%d %s", n, levelNames[l]), func(t *testing.T) {
				withLevel(t, l, func() {
					got, winner := make([]float32, n*f), make([]uint8, n*f)
					if !FirstForward(got, winner, x, rowStride, w, bias, n) {
						if n >= firstTileAVX512 {
							t.Fatal("no kernel")
						}
						return
					}
					if !slices.Equal(got, want) || !slices.Equal(winner, wantWinner) {
						t.Error("differs from Rows and PoolReLU")
					}
				})
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

func BenchmarkGather(b *testing.B) {
	rng := rand.New(rand.NewPCG(4, 4))
	v := Windows{Step: 256, Runs: 3, RunLen: 384, RunStride: 85 * 128}
	dx, w := make([]float32, 5*85*128), random(rng, v.K()*64)
	sums, terms := make([]Sum, 84), []Term(nil)
	for i := range sums { // each channel at one of four windows
		sums[i] = Sum{At: At(i/42*2*v.RunStride + i%42*v.Step), First: int32(16 * i), Count: 16}
		for range 16 {
			terms = append(terms, Term{G: 1e-3, At: At(rng.IntN(64) * v.K())})
		}
	}
	for b.Loop() {
		Gather(dx, v.RunStride, w, v.RunLen, sums, terms, v.Runs, v.RunLen)
	}
	b.ReportMetric(float64(len(terms)*v.K())*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
}

// Gather writes and reads only inside its slices. Bad offsets are a broken invariant and panic
// before the assembly runs.
func TestGatherRefuses(t *testing.T) {
	for name, spoil := range map[string]func(s *Sum, ts []Term){
		"a sum before dst":  func(s *Sum, _ []Term) { s.At = -4 },
		"a sum past dst":    func(s *Sum, _ []Term) { s.At = At(64) },
		"a term before src": func(_ *Sum, ts []Term) { ts[1].At = -4 },
		"a term past src":   func(_ *Sum, ts []Term) { ts[1].At = At(64) },
		"missing terms":     func(s *Sum, _ []Term) { s.Count = 3 },
	} {
		t.Run(name, func(t *testing.T) {
			s, ts := []Sum{{Count: 2}}, make([]Term, 2)
			spoil(&s[0], ts)
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			Gather(make([]float32, 96), 32, make([]float32, 96), 32, s, ts, 2, 32)
		})
	}
}
