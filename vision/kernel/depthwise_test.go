package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// randomDepthwise returns a depthwise convolution on the top left corner of a wider activation,
// with windows that overlap, touch or have gaps, padded or not.
func randomDepthwise(rng *rand.Rand) DepthwiseShape {
	for {
		s := DepthwiseShape{In: Area{H: 1 + rng.IntN(14), W: 1 + rng.IntN(14), C: 1 + rng.IntN(40)}}
		s.In.Row = s.In.W*s.In.C + rng.IntN(9)
		var ok bool
		if s.Conv, ok = randomWindow(rng, s.In.H, s.In.W, 5); ok {
			return s
		}
	}
}

func TestDepthwise(t *testing.T) {
	seeds := uint64(2000)
	if testing.Short() {
		seeds = 300
	}
	eachBody(t, func(t *testing.T, b *Body) {
		for seed := range seeds {
			rng := rand.New(rand.NewPCG(seed, 31))
			checkDepthwise(t, b, extremes[seed%uint64(len(extremes))], rng, randomDepthwise(rng), seed)
		}
	})
}

// Numbers of channels below, at and above a body's block, and windows at every place of a row.
func TestDepthwiseBlocks(t *testing.T) {
	eachBody(t, func(t *testing.T, b *Body) {
		for _, channels := range []int{1, 15, 16, 17, 31, 32, 33, 48, 100} {
			for width := 1; width < 7; width++ {
				for i := range 6 {
					w := Window{Kernel: 3, Stride: 1 + i/2, PadTop: i % 2, PadLeft: i % 2}
					if width+2*w.PadLeft < 3 {
						continue
					}
					w.OutH, w.OutW = (1+2*w.PadTop)/w.Stride+1, (width+2*w.PadLeft-3)/w.Stride+1
					s := DepthwiseShape{In: Area{H: 4, W: width, C: channels, Row: width * channels}, Conv: w}
					rng := rand.New(rand.NewPCG(uint64(width), 34))
					checkDepthwise(t, b, extremes[i%len(extremes)], rng, s, uint64(i))
				}
			}
		}
	})
}

// The layers of a MobileNet: 3x3 windows with TensorFlow's padding and PyTorch's.
func TestDepthwiseOfMobileNet(t *testing.T) {
	shapes := []DepthwiseShape{
		{Area{H: 12, W: 12, C: 24}, Window{Kernel: 3, Stride: 1, PadTop: 1, PadLeft: 1, OutH: 12, OutW: 12}},
		{Area{H: 12, W: 12, C: 48}, Window{Kernel: 3, Stride: 2, OutH: 6, OutW: 6}},
		{Area{H: 12, W: 12, C: 48}, Window{Kernel: 3, Stride: 2, PadTop: 1, PadLeft: 1, OutH: 6, OutW: 6}},
		{Area{H: 7, W: 7, C: 384}, Window{Kernel: 3, Stride: 1, PadTop: 1, PadLeft: 1, OutH: 7, OutW: 7}},
	}
	eachBody(t, func(t *testing.T, b *Body) {
		for i, s := range shapes {
			s.In.Row = s.In.W * s.In.C
			for _, d := range extremes {
				checkDepthwise(t, b, d, rand.New(rand.NewPCG(1, 32)), s, uint64(i))
			}
		}
	})
}

// checkDepthwise compares Row with the specification, with every buffer between guard pages.
func checkDepthwise(t *testing.T, b *Body, d data, rng *rand.Rand, s DepthwiseShape, seed uint64) {
	t.Helper()
	x, w := d.x(rng, (s.In.H-1)*s.In.Row+s.In.W*s.In.C), d.w(rng, s.In.C*s.area())
	bias, mult := randomSums(rng, s.In.C, 20_000), make([]float32, s.In.C)
	for c := range mult {
		mult[c] = float32((0.2 + rng.Float64()) / 200)
		if seed%2 == 1 && rng.IntN(30) == 0 { // too large for fast rounding
			mult[c] = math.MaxFloat32
		}
	}
	row := s.Conv.OutW * s.In.C
	want := make([]uint8, s.Conv.OutH*row)
	DepthwiseGeneric(want, x, s, w, bias, mult)
	op := NewDepthwise(b, s, w, bias, mult).Clone()
	if s.Conv.Kernel == 3 && b.packDepthwise != nil && s.In.C >= b.depthwiseLeast && op.packed == nil {
		t.Fatal("Depthwise does not use the body's function")
	}
	packed := op.packed
	for _, upper := range []bool{true, false} {
		free, g := guards(t)
		got := guarded(g, make([]uint8, len(want)), upper)
		if packed != nil {
			op.packed = guardLayer(g, packed, upper).(depthwiser)
		}
		for oy := s.Conv.OutH - 1; oy >= 0; oy-- {
			y0, y1 := op.Needs(oy)
			rows := x[y0*s.In.Row : min(len(x), y1*s.In.Row)]
			op.Row(got[oy*row:][:row], guarded(g, rows, upper), y0, oy)
		}
		if i := mismatch(got, want); i >= 0 {
			t.Fatalf("seed %d, %s, %+v: byte %d is %d, want %d", seed, d.name, s, i, got[i], want[i])
		}
		free()
	}
}

func TestDepthwiseAllocatesNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 33))
	s := randomDepthwise(rng)
	s.Conv.Kernel, s.In.C, s.In.Row = 3, 24, 24*s.In.W
	eachBody(t, func(t *testing.T, b *Body) {
		op := NewDepthwise(b, s, randomWeights(rng, s.In.C*s.area()), make([]int32, s.In.C), make([]float32, s.In.C))
		dst, x := make([]uint8, s.Conv.OutW*s.In.C), make([]uint8, s.In.H*s.In.Row)
		if n := testing.AllocsPerRun(5, func() { op.Row(dst, x, 0, 0) }); n > 0 {
			t.Errorf("%g allocations per row", n)
		}
	})
}
