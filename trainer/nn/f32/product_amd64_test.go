package f32

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// agree computes with the generic implementation and with every kernel of this CPU. The kernels
// differ from the generic one by rounding only, and not at all from each other.
func agree(t *testing.T, compute func() []float32) {
	t.Helper()
	var want []float32
	withLevel(t, levelGeneric, func() { want = compute() })
	var previous []float32
	for _, l := range []int{levelAVX2, levelAVX512} {
		t.Run(levelNames[l], func(t *testing.T) {
			withLevel(t, l, func() {
				got := compute()
				closeTo(t, "value ", got, want)
				if previous != nil && !slices.Equal(got, previous) {
					t.Error("AVX2 and AVX-512 differ")
				}
				previous = got
			})
		})
	}
}

// products are below, at and above the tiles of 6 and 8 rows, the blocks of 16 and 48 columns, and
// the panels of 128 terms and 512 rows.
var products = []struct{ m, k, n int }{
	{1, 1, 16}, {5, 3, 16}, {6, 127, 48}, {7, 128, 48}, {8, 129, 48}, {9, 24, 64}, {13, 300, 96}, {511, 2, 48},
	{530, 130, 112}, {3, 5, 7}, {16, 9, 24},
}

func TestProductBodiesAgree(t *testing.T) {
	for _, s := range products {
		for name, start := range map[string]bool{"bias": true, "sums": false} {
			for _, transposed := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d x %d x %d %s transposed=%v", s.m, s.k, s.n, name, transposed), func(t *testing.T) {
					rng := rand.New(rand.NewPCG(5, uint64(s.m*1000+s.k)))
					a := Matrix{random(rng, s.m*s.k), s.k, 1}
					if transposed {
						a.Row, a.Term = 1, s.m
					}
					b, sums := random(rng, s.k*s.n), random(rng, s.m*s.n)
					var bias []float32
					if start {
						bias = random(rng, s.n)
					}
					agree(t, func() []float32 {
						dst := slices.Clone(sums)
						Product(dst, a, b, bias, s.m, s.k, s.n, start, make([]float32, ProductScratch))
						return dst
					})
				})
			}
		}
	}
}

func TestReLU6GradientBodiesAgree(t *testing.T) {
	for _, c := range []int{8, 24, 5} {
		t.Run(fmt.Sprint("c=", c), func(t *testing.T) {
			const n = 7
			rng := rand.New(rand.NewPCG(6, uint64(c)))
			y, dy, sums := random(rng, n*c), random(rng, n*c), random(rng, c)
			y[0], y[1], y[2], y[3] = 6, 7, 0, float32(math.NaN())
			agree(t, func() []float32 {
				g, s := slices.Clone(dy), slices.Clone(sums)
				ReLU6Gradient(g, y, s, n)
				if g[0] != 0 || g[1] != 0 || g[2] != 0 || g[3] != 0 {
					t.Errorf("gradients %v at 6, 7, 0 and NaN, want 0", g[:4])
				}
				return append(g, s...)
			})
		})
	}
}

func TestLiveRows(t *testing.T) {
	const n, c = 6, 19
	dy := make([]float32, n*c)
	dy[0], dy[2*c+8], dy[3*c+18], dy[4*c] = 1, -1e-45, float32(math.NaN()), float32(math.Copysign(0, -1))
	for _, l := range []int{levelGeneric, levelAVX2, levelAVX512} {
		t.Run(levelNames[l], func(t *testing.T) {
			withLevel(t, l, func() {
				if got, want := LiveRows([]int32{9}, dy, n, c), []int32{9, 0, 2, 3}; !slices.Equal(got, want) {
					t.Errorf("got %v, want %v", got, want)
				}
			})
		})
	}
}

func TestDepthwiseBodiesAgree(t *testing.T) {
	for _, c := range []int{8, 16, 24, 48, 3} {
		for _, stride := range []int{1, 2} {
			for _, n := range []int{1, 2, 9} {
				t.Run(fmt.Sprintf("c=%d stride=%d n=%d", c, stride, n), func(t *testing.T) {
					rng := rand.New(rand.NewPCG(7, uint64(c*100+n)))
					rowStride := ((n-1)*stride + 3) * c
					x, w, bias, g := random(rng, 3*rowStride), random(rng, 9*c), random(rng, c), random(rng, n*c)
					agree(t, func() []float32 {
						plain, limited := make([]float32, n*c), make([]float32, n*c)
						Depthwise(plain, x, n, stride*c, rowStride, w, bias, false)
						Depthwise(limited, x, n, stride*c, rowStride, w, bias, true)
						dx, dw := slices.Clone(x), slices.Clone(w)
						DepthwiseInput(dx, g, n, stride*c, rowStride, w)
						DepthwiseWeights(dw, g, x, n, stride*c, rowStride)
						return slices.Concat(plain, limited, dx, dw)
					})
				})
			}
		}
	}
}

// The limits of ReLU6 hold for NaN and the infinities, as in nn.
func TestReLU6OfSpecialValues(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, l := range []int{levelGeneric, levelAVX2, levelAVX512} {
		t.Run(levelNames[l], func(t *testing.T) {
			withLevel(t, l, func() {
				for _, v := range []struct{ in, want float32 }{{nan, 0}, {inf, 6}, {-inf, 0}, {6.5, 6}, {3, 3}, {-1, 0}} {
					bias := slices.Repeat([]float32{v.in}, 16)
					y := make([]float32, 9*16)
					Product(y, Matrix{make([]float32, 9), 1, 1}, make([]float32, 16), bias, 9, 1, 16, true, make([]float32, ProductScratch))
					z := make([]float32, 16)
					Depthwise(z, make([]float32, 9*16), 1, 16, 3*16, make([]float32, 9*16), bias, true)
					r := slices.Repeat([]float32{v.in}, 9)
					ReLU6(r)
					if got := slices.Concat(y, z, r); slices.ContainsFunc(got, func(g float32) bool { return g != v.want }) {
						t.Errorf("ReLU6 of %g: got %v", v.in, got)
					}
				}
			})
		})
	}
}

// Products of the 1x1 convolutions in the upper blocks of graph.Mobile at 448 px.
func BenchmarkProduct(b *testing.B) {
	const positions, c = 784, 384
	rng := rand.New(rand.NewPCG(8, 8))
	x, w, bias := random(rng, positions*c), random(rng, c*c), random(rng, c)
	y, dw, scratch := make([]float32, positions*c), make([]float32, c*c), make([]float32, ProductScratch)
	rate := func(b *testing.B) {
		b.ReportMetric(float64(positions*c*c)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
	}
	b.Run("forward", func(b *testing.B) {
		for b.Loop() {
			Product(y, Matrix{x, c, 1}, w, bias, positions, c, c, true, scratch)
		}
		rate(b)
	})
	b.Run("weights", func(b *testing.B) {
		for b.Loop() {
			Product(dw, Matrix{y, 1, c}, x, nil, c, positions, c, false, scratch)
		}
		rate(b)
	})
}

func BenchmarkDepthwise(b *testing.B) {
	const n, c = 28, 384
	rng := rand.New(rand.NewPCG(9, 9))
	x, w, bias, y := random(rng, 3*(n+2)*c), random(rng, 9*c), random(rng, c), make([]float32, n*c)
	for name, f := range map[string]func(){
		"forward": func() { Depthwise(y, x, n, c, (n+2)*c, w, bias, true) },
		"input":   func() { DepthwiseInput(x, y, n, c, (n+2)*c, w) },
		"weights": func() { DepthwiseWeights(w, y, x, n, c, (n+2)*c) },
	} {
		b.Run(name, func(b *testing.B) {
			clear(y)
			for b.Loop() {
				f()
			}
			b.ReportMetric(float64(9*n*c)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
		})
	}
}
