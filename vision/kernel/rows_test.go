package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// data fills a test's inputs: with random values, or with all values at one end of their range.
type data struct {
	name string
	x    func(rng *rand.Rand, n int) []uint8
	w    func(rng *rand.Rand, n int) []int8
}

func fill[T any](v T) func(*rand.Rand, int) []T {
	return func(_ *rand.Rand, n int) []T { return slices.Repeat([]T{v}, n) }
}

var extremes = []data{
	{"random", randomBytes, randomWeights},
	{"all 255 and 127", fill[uint8](255), fill[int8](127)},
	{"all 255 and -127", fill[uint8](255), fill[int8](-127)},
	{"all 0", fill[uint8](0), randomWeights},
	{"all 127 and random", randomBytes, fill[int8](127)},
}

// Numbers of channels and positions below, at and above every body's tile, with runs of one group
// and of several.
func TestRows(t *testing.T) {
	eachBody(t, func(t *testing.T, b *Body) {
		for _, d := range extremes {
			rng := rand.New(rand.NewPCG(5, 6))
			for _, blocks := range []int{1, 2, 3, 4, 5, 8} {
				for n := range 32 {
					channels := blocks * b.block
					groups := 1 + rng.IntN(5)
					v := Windows{Runs: 1 + rng.IntN(4), RunLen: groups * b.group}
					v.Step, v.RunStride = rng.IntN(2*v.RunLen), rng.IntN(3*v.RunLen)
					checkRows(t, b, d, rng, channels, n+1, v)
				}
			}
		}
		rng := rand.New(rand.NewPCG(7, 8))
		for _, n := range []int{41, 42, 43, 57} { // the second layer's windows
			checkRows(t, b, extremes[0], rng, padTo(64, b.block), n,
				Windows{Step: 256, Runs: 3, RunLen: 384, RunStride: 85 * 128})
		}
	})
}

// guardWeights moves packed weights between guard pages. A file for each architecture sets it for
// its types of rower.
var guardWeights = func(_ *guardPages, r rower, _ bool) rower { return r }

// guardLayer does the same for the weights of a firster, plainer, sharer or depthwiser.
var guardLayer = func(_ *guardPages, layer any, _ bool) any { return layer }

// checkRows runs a body's rows with every buffer between guard pages.
func checkRows(t *testing.T, b *Body, d data, rng *rand.Rand, channels, n int, v Windows) {
	t.Helper()
	seed := fmt.Sprintf("%s, %d channels, %d positions, %+v", d.name, channels, n, v)
	x, w := d.x(rng, v.reach(n)), d.w(rng, channels*v.depth())
	bias := randomSums(rng, channels, 1<<20)
	want := make([]int32, n*channels)
	RowsGeneric(want, x, n, v, w, bias)
	packed := b.pack(w, bias)
	for _, upper := range []bool{true, false} {
		free, g := guards(t)
		got, scratch := guarded(g, make([]int32, len(want)), upper), guarded(g, b.scratchFor(v), upper)
		guardWeights(g, packed, upper).rows(got, guarded(g, x, upper), n, v, scratch)
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("%s: sum %d is %d, want %d", seed, i, got[i], want[i])
			}
		}
		free()
	}
}

// Sums at the ends of int32 in neighbouring channels must not affect each other.
func TestRowsAtTheEndsOfInt32(t *testing.T) {
	const depth = 66_048 // 66048 * 255 * 127 is just inside int32
	eachBody(t, func(t *testing.T, b *Body) {
		v := Windows{Runs: 1, RunLen: depth}
		x := slices.Repeat([]uint8{255}, depth)
		for _, c := range []struct {
			name string
			w    [2]int8 // even and odd channels
			bias [2]int32
		}{
			{"all 127", [2]int8{127, 127}, [2]int32{8_000_000, 8_000_000}},
			{"all -127", [2]int8{-127, -127}, [2]int32{-8_000_000, -8_000_000}},
			{"low -, high +", [2]int8{-127, 127}, [2]int32{-8_000_000, 8_000_000}},
			{"low +, high -", [2]int8{127, -127}, [2]int32{8_000_000, -8_000_000}},
			{"low -1, high 0", [2]int8{0, 0}, [2]int32{-1, 0}},
			{"smallest biases", [2]int8{0, 0}, [2]int32{-math.MaxInt32, -math.MaxInt32}},
			{"largest biases", [2]int8{0, 0}, [2]int32{math.MaxInt32, math.MaxInt32}},
		} {
			var w []int8
			var bias []int32
			for i := range b.block {
				w = append(w, slices.Repeat([]int8{c.w[i%2]}, depth)...)
				bias = append(bias, c.bias[i%2])
			}
			got, want := make([]int32, b.block), make([]int32, b.block)
			b.pack(w, bias).rows(got, x, 1, v, b.scratchFor(v))
			if RowsGeneric(want, x, 1, v, w, bias); !slices.Equal(got, want) {
				t.Errorf("%s: %d, want %d", c.name, got, want)
			}
		}
	})
}

func TestPool(t *testing.T) {
	eachBody(t, func(t *testing.T, b *Body) {
		rng := rand.New(rand.NewPCG(9, 10))
		for _, blocks := range []int{1, 2, 3, 4, 5, 8} {
			for n := range 7 {
				c := blocks * b.block
				reach := []int{1, 300, 100_000, math.MaxInt32}[rng.IntN(4)]
				top, bottom := randomSums(rng, 2*n*c, reach), randomSums(rng, 2*n*c, reach)
				mult := make([]float32, c)
				for i := range mult {
					mult[i] = float32(math.Ldexp(1+rng.Float64(), rng.IntN(12)-4) * 255 / float64(reach))
				}
				want := make([]uint8, n*c)
				for i := range want {
					at := i/c*2*c + i%c
					want[i] = RequantizeGeneric(max(top[at], top[at+c], bottom[at], bottom[at+c]), mult[i%c])
				}
				for _, upper := range []bool{true, false} {
					free, g := guards(t)
					got := guarded(g, make([]uint8, n*c), upper)
					b.pool(got, guarded(g, top, upper), guarded(g, bottom, upper), n, guarded(g, mult, upper))
					if i := mismatch(got, want); i >= 0 {
						t.Fatalf("%d channels, %d outputs, sums to %d: byte %d is %d, want %d",
							c, n, reach, i, got[i], want[i])
					}
					for positions := 1; positions <= 2*n; positions++ {
						got := guarded(g, make([]uint8, positions*c), upper)
						b.requantize(got, guarded(g, top[:positions*c], upper), guarded(g, mult, upper))
						for i := range got {
							if want := RequantizeGeneric(top[i], mult[i%c]); got[i] != want {
								t.Fatalf("requantize of %d positions of %d channels: byte %d is %d, want %d",
									positions, c, i, got[i], want)
							}
						}
					}
					free()
				}
			}
		}
	})
}

// The function that a body has for later layers, with x between guard pages.
func TestShared(t *testing.T) {
	eachBody(t, func(t *testing.T, b *Body) {
		if b.packShared == nil {
			t.Skip("has no function for pooled layers")
		}
		for _, d := range extremes {
			rng := rand.New(rand.NewPCG(13, 14))
			for _, blocks := range []int{1, 2, 3} {
				for n := b.sharedLeast; n < 24; n++ {
					inC := (1 + rng.IntN(4)) * b.sharedGroup
					s := ConvShape{In: Area{H: 9, W: 4*n + 1, C: inC, Row: (4*n+1)*inC + rng.IntN(4)},
						OutC: blocks * b.sharedBlock,
						Conv: Window{Kernel: 3, Stride: 2, OutH: 4, OutW: 2 * n},
						Pool: Window{Kernel: 2, Stride: 2, OutH: 2, OutW: n}}
					x, w := d.x(rng, 8*s.In.Row+s.In.W*inC), d.w(rng, s.OutC*s.depth())
					bias, mult := randomSums(rng, s.OutC, 100_000), make([]float32, s.OutC)
					for i := range mult {
						mult[i] = float32(rng.Float64() / 3000)
						if rng.IntN(30) == 0 {
							mult[i] = math.MaxFloat32
						}
					}
					want := make([]uint8, s.OutSize())
					ConvGeneric(want, x, s, w, bias, mult)
					c := NewConv(b, s, w, bias, mult)
					if c.shared == nil {
						t.Fatal("Conv does not use the body's shared")
					}
					packed := c.shared
					for _, upper := range []bool{true, false} {
						free, g := guards(t)
						got := guarded(g, make([]uint8, len(want)), upper)
						c.shared = guardLayer(g, packed, upper).(sharer)
						c.scratch = guarded(g, make([]byte, len(c.scratch)), upper)
						c.Run(got, guarded(g, x, upper))
						if i := mismatch(got, want); i >= 0 {
							t.Fatalf("%s, %d channels of %d, %d outputs: byte %d is %d, want %d",
								d.name, s.OutC, inC, n, i, got[i], want[i])
						}
						free()
					}
				}
			}
		}
	})
}

// A body's function for the first layer, used by Conv, with the image between guard pages. It must
// not read any byte after the needed part of the image.
func TestFirst(t *testing.T) {
	eachBody(t, func(t *testing.T, b *Body) {
		if b.packFirst == nil {
			t.Skip("has no function for the first layer")
		}
		for _, d := range extremes {
			rng := rand.New(rand.NewPCG(11, 12))
			for _, blocks := range []int{1, 2, 3, 4, 5, 8, 9} {
				for _, n := range []int{1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33, 85} {
					s := ConvShape{In: Area{H: 9, W: 4*n + 1, C: 1, Row: 4*n + 1 + rng.IntN(4)},
						OutC: blocks * b.firstBlock,
						Conv: Window{Kernel: 3, Stride: 2, OutH: 4, OutW: 2 * n},
						Pool: Window{Kernel: 2, Stride: 2, OutH: 2, OutW: n}}
					x, w := d.x(rng, 8*s.In.Row+s.In.W), d.w(rng, s.OutC*9)
					bias, mult := randomSums(rng, s.OutC, 100_000), make([]float32, s.OutC)
					for i := range mult {
						mult[i] = float32(rng.Float64() / 300)
						if rng.IntN(30) == 0 {
							mult[i] = math.MaxFloat32
						}
					}
					want := make([]uint8, s.OutSize())
					ConvGeneric(want, x, s, w, bias, mult)
					c := NewConv(b, s, w, bias, mult)
					if c.first == nil {
						t.Fatal("Conv does not use the body's first")
					}
					packed := c.first
					for _, upper := range []bool{true, false} {
						free, g := guards(t)
						got := guarded(g, make([]uint8, len(want)), upper)
						c.first = guardLayer(g, packed, upper).(firster)
						c.edge = guarded(g, make([]uint8, len(c.edge)), upper)
						c.Run(got, guarded(g, x, upper))
						if i := mismatch(got, want); i >= 0 {
							t.Fatalf("%s, %d channels, %d outputs: byte %d is %d, want %d",
								d.name, s.OutC, n, i, got[i], want[i])
						}
						free()
					}
				}
			}
		}
	})
}
