package kernel

import (
	"bytes"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// The cases name the tie or the border that each one distinguishes.
var requantizeCases = []struct {
	name string
	sum  int32
	mult float32
	want uint8
}{
	{"zero", 0, 1, 0},
	{"negative", -1, 1, 0},
	{"negative rounds to zero", -1, 0.25, 0},
	{"half to even below", 1, 0.5, 0},
	{"half to even above", 3, 0.5, 2},
	{"half to even again", 5, 0.5, 2},
	{"just above a half", 1, 0.50000006, 1},
	{"just below a half", 1, 0.49999997, 0},
	{"quarter and a half", 6, 0.25, 2},
	{"254.5 to even", 509, 0.5, 254},
	{"just above 254.5", 509, 0.50000006, 255},
	{"255", 255, 1, 255},
	{"255.5", 511, 0.5, 255},
	{"just above", 256, 1, 255},
	{"largest sum", math.MaxInt32, 1, 255},
	{"largest product", math.MaxInt32, math.MaxFloat32, 255},
	{"smallest sum", math.MinInt32, 1, 0},
	{"smallest sum, largest scale", math.MinInt32, math.MaxFloat32, 0},
	{"a subnormal scale", math.MaxInt32, math.SmallestNonzeroFloat32, 0},
	// 2^24+1 has no float32: the conversion rounds it to 2^24 (even), so that the product is the tie 0.5 and not above it.
	{"the conversion rounds first", 1<<24 + 1, 1.0 / (1 << 25), 0},
	{"and up to the next even", 1<<24 + 3, 1.0 / (1 << 25), 1},
	// The exact product 12.5000003 is no float32: rounded to 12.5 it is a tie, fused with an addition it would not be.
	{"the product rounds before the tie", 5754149, 2.1723456e-06, 12},
}

func TestRequantize(t *testing.T) {
	for _, c := range requantizeCases {
		t.Run(c.name, func(t *testing.T) {
			if got := RequantizeGeneric(c.sum, c.mult); got != c.want {
				t.Errorf("generic: %d, want %d", got, c.want)
			}
			var got [1]uint8
			if Requantize(got[:], []int32{c.sum}, []float32{c.mult}); got[0] != c.want {
				t.Errorf("in use: %d, want %d", got[0], c.want)
			}
		})
	}
}

// exactRequantize is the law in exact arithmetic, with a rounding to 24 bits where the law has a float32.
func exactRequantize(sum int32, mult float32) uint8 {
	f := new(big.Float).SetPrec(24).SetMode(big.ToNearestEven).SetInt64(int64(sum))
	p := new(big.Float).SetPrec(24).SetMode(big.ToNearestEven)
	p.Mul(f, new(big.Float).SetFloat64(float64(mult)))
	if p.Sign() <= 0 {
		return 0
	}
	if p.Cmp(big.NewFloat(256)) >= 0 {
		return 255
	}
	// Half a unit below 256 and above, exactly.
	whole, _ := p.Int64()
	rest := new(big.Float).SetPrec(64).Sub(p, new(big.Float).SetInt64(whole))
	switch rest.Cmp(big.NewFloat(0.5)) {
	case 1:
		whole++
	case 0:
		whole += whole & 1
	}
	return uint8(min(whole, 255))
}

func TestRequantizeAgainstExactArithmetic(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	n := 200_000
	if testing.Short() {
		n = 20_000
	}
	for range n {
		sum := int32(rng.Uint32()) >> rng.IntN(31)
		mult := float32(math.Ldexp(1+rng.Float64(), -rng.IntN(32)))
		if rng.IntN(4) == 0 { // near a tie: k + 1/2 = sum * mult
			sum = max(1, sum&0xffffff)
			mult = (float32(rng.IntN(260)) + 0.5) / float32(sum)
		}
		want := exactRequantize(sum, mult)
		var got [1]uint8
		Requantize(got[:], []int32{sum}, []float32{mult})
		if generic := RequantizeGeneric(sum, mult); generic != want || got[0] != want {
			t.Fatalf("%d * %g: generic %d, in use %d, want %d", sum, mult, generic, got[0], want)
		}
	}
}

func randomBytes(rng *rand.Rand, n int) []uint8 {
	x := make([]uint8, n)
	for i := range x {
		x[i] = uint8(rng.Uint32())
	}
	return x
}

func randomWeights(rng *rand.Rand, n int) []int8 {
	w := make([]int8, n)
	for i := range w {
		w[i] = int8(rng.IntN(255) - 127)
	}
	return w
}

func randomSums(rng *rand.Rand, n, reach int) []int32 {
	s := make([]int32, n)
	for i := range s {
		s[i] = int32(rng.IntN(2*reach+1) - reach)
	}
	return s
}

// Channel counts below, at and above the block; depths down to one weight.
func TestMatrixMul(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, channels := range []int{1, 2, 3, 7, 8, 9, 15, 16, 17, 64} {
		for _, depth := range []int{1, 2, 9, 31, 128} {
			for _, rows := range []int{1, 2, 5} {
				x, w := randomBytes(rng, rows*depth), randomWeights(rng, channels*depth)
				bias := randomSums(rng, channels, 1<<20)
				checkMul(t, fmt.Sprintf("%d channels of %d, %d rows", channels, depth, rows), x, w, bias)
			}
		}
	}
}

// Sums at the ends of int32 in neighbouring channels: the pair in one word must not disturb each other.
func TestMatrixMulExtremes(t *testing.T) {
	const depth = 66_000 // 66000 * 255 * 127 is just inside int32
	fill := func(v int8) []int8 { return slices.Repeat([]int8{v}, depth) }
	full := slices.Repeat([]uint8{255}, depth)
	for name, c := range map[string]struct {
		w    []int8
		bias []int32
	}{
		"all 127":         {slices.Concat(fill(127), fill(127)), []int32{10_000_000, 10_000_000}},
		"all -127":        {slices.Concat(fill(-127), fill(-127)), []int32{-10_000_000, -10_000_000}},
		"low -, high +":   {slices.Concat(fill(-127), fill(127)), []int32{-10_000_000, 10_000_000}},
		"low +, high -":   {slices.Concat(fill(127), fill(-127)), []int32{10_000_000, -10_000_000}},
		"low -1, high 0":  {slices.Concat(fill(0), fill(0)), []int32{-1, 0}},
		"smallest biases": {slices.Concat(fill(0), fill(0)), []int32{-math.MaxInt32, -math.MaxInt32}},
		"largest biases":  {slices.Concat(fill(0), fill(0)), []int32{math.MaxInt32, math.MaxInt32}},
	} {
		checkMul(t, name, full, c.w, c.bias)
	}
}

func checkMul(t *testing.T, name string, x []uint8, w []int8, bias []int32) {
	t.Helper()
	depth := len(w) / len(bias)
	m := Pack(w, bias)
	got := make([]int32, len(x)/depth*m.Padded())
	m.Mul(got, x)
	want := make([]int32, len(bias))
	for r := range len(x) / depth {
		DenseGeneric(want, x[r*depth:(r+1)*depth], w, bias)
		if g := got[r*m.Padded():][:len(bias)]; !slices.Equal(g, want) {
			t.Fatalf("%s: row %d is %d, want %d", name, r, g, want)
		}
	}
}

// same is the padding rule of TensorFlow along one axis, as graph.Plan infers it.
func same(in, kernel, stride int) (out, pad int) {
	out = (in + stride - 1) / stride
	return out, max(0, (out-1)*stride+kernel-in) / 2
}

func randomWindow(rng *rand.Rand, h, w, most int) (Window, bool) {
	p := Window{Kernel: 1 + rng.IntN(most), Stride: 1 + rng.IntN(4)}
	if rng.IntN(2) == 0 {
		p.OutH, p.PadTop = same(h, p.Kernel, p.Stride)
		p.OutW, p.PadLeft = same(w, p.Kernel, p.Stride)
		return p, true
	}
	if h < p.Kernel || w < p.Kernel {
		return p, false
	}
	p.OutH, p.OutW = (h-p.Kernel)/p.Stride+1, (w-p.Kernel)/p.Stride+1
	return p, true
}

// randomShape draws a convolution with or without a pool, with overlapping, touching or gaping windows, padded or not, on
// the top left corner of a wider image.
func randomShape(rng *rand.Rand) ConvShape {
	for {
		s := ConvShape{In: Area{H: 1 + rng.IntN(14), W: 1 + rng.IntN(14), C: 1 + rng.IntN(5)}, OutC: 1 + rng.IntN(18)}
		s.In.Row = s.In.W*s.In.C + rng.IntN(9)
		var ok bool
		if s.Conv, ok = randomWindow(rng, s.In.H, s.In.W, 5); !ok {
			continue
		}
		if rng.IntN(3) > 0 {
			if s.Pool, ok = randomWindow(rng, s.Conv.OutH, s.Conv.OutW, 4); !ok {
				continue
			}
		}
		return s
	}
}

func TestConv(t *testing.T) {
	seeds := uint64(3000)
	if testing.Short() {
		seeds = 300
	}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 0))
		s := randomShape(rng)
		x := randomBytes(rng, s.In.H*s.In.Row)
		w := randomWeights(rng, s.OutC*s.depth())
		bias := randomSums(rng, s.OutC, 20_000)
		mult := make([]float32, s.OutC)
		for c := range mult {
			mult[c] = float32((0.2 + rng.Float64()) / (40 * math.Sqrt(float64(s.depth()))))
		}
		got, want := make([]uint8, s.OutSize()), make([]uint8, s.OutSize())
		c := NewConv(s, w, bias, mult)
		for range 2 { // the second image must not see what the first left behind
			c.Run(got, x)
			ConvGeneric(want, x, s, w, bias, mult)
			if i := mismatch(got, want); i >= 0 {
				t.Fatalf("seed %d, %+v: byte %d is %d, want %d", seed, s, i, got[i], want[i])
			}
			x = randomBytes(rng, len(x))
		}
	}
}

// A row of positions longer than a tile is computed in several.
func TestConvTiles(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	s := ConvShape{In: Area{H: 4, W: 61, C: 512, Row: 61 * 512}, OutC: 5, Conv: Window{Kernel: 3, Stride: 1, OutH: 2, OutW: 59}}
	if s.tile() < 2 || s.tile() >= s.Conv.OutW || s.Conv.OutW%s.tile() == 0 {
		t.Fatalf("tile %d of %d does not test a remainder", s.tile(), s.Conv.OutW)
	}
	x, w := randomBytes(rng, s.In.H*s.In.Row), randomWeights(rng, s.OutC*s.depth())
	bias, mult := make([]int32, s.OutC), slices.Repeat([]float32{1e-4}, s.OutC)
	got, want := make([]uint8, s.OutSize()), make([]uint8, s.OutSize())
	NewConv(s, w, bias, mult).Run(got, x)
	ConvGeneric(want, x, s, w, bias, mult)
	if i := mismatch(got, want); i >= 0 {
		t.Fatalf("byte %d is %d, want %d", i, got[i], want[i])
	}
}

func mismatch(got, want []uint8) int {
	if bytes.Equal(got, want) {
		return -1
	}
	for i := range want {
		if got[i] != want[i] {
			return i
		}
	}
	return len(want)
}

func TestMaxPool(t *testing.T) {
	x := []uint8{ // 3 x 3, one channel, in a wider image
		1, 2, 3, 99,
		4, 9, 6, 99,
		7, 8, 5, 99,
	}
	for _, c := range []struct {
		name string
		w    Window
		want []uint8
	}{
		{"touching", Window{Kernel: 2, Stride: 2, OutH: 1, OutW: 1}, []uint8{9}},
		{"overlapping", Window{Kernel: 2, Stride: 1, OutH: 2, OutW: 2}, []uint8{9, 9, 9, 9}},
		{"same", Window{Kernel: 2, Stride: 2, OutH: 2, OutW: 2}, []uint8{9, 6, 8, 5}},
		{"padded above and left", Window{Kernel: 3, Stride: 2, PadTop: 1, PadLeft: 1, OutH: 2, OutW: 2}, []uint8{9, 9, 9, 9}},
		{"gaps", Window{Kernel: 1, Stride: 2, OutH: 2, OutW: 2}, []uint8{1, 3, 7, 5}},
	} {
		got := make([]uint8, len(c.want))
		MaxPool(got, x, Area{H: 3, W: 3, C: 1, Row: 4}, c.w)
		if !bytes.Equal(got, c.want) {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// BenchmarkConv2 is the layer that takes most of the thesis network's time: 130 of its 165 million multiply-accumulates.
func BenchmarkConv2(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	s := ConvShape{In: Area{H: 85, W: 85, C: 128, Row: 85 * 128}, OutC: 64,
		Conv: Window{Kernel: 3, Stride: 2, OutH: 42, OutW: 42}, Pool: Window{Kernel: 2, Stride: 2, OutH: 21, OutW: 21}}
	x := randomBytes(rng, s.In.H*s.In.Row)
	c := NewConv(s, randomWeights(rng, s.OutC*s.depth()), make([]int32, s.OutC), slices.Repeat([]float32{1e-4}, s.OutC))
	dst := make([]uint8, s.OutSize())
	for b.Loop() {
		c.Run(dst, x)
	}
	b.ReportMetric(float64(s.Conv.OutH*s.Conv.OutW*s.OutC*s.depth())*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
}
