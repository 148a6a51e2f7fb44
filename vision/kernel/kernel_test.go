package kernel

import (
	"bytes"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// The name of each case says which tie or limit it tests.
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
	// 2^24+1 is not a float32. The conversion rounds it to 2^24 (even), so that the product is the
	// tie 0.5 and not above it.
	{"the conversion rounds first", 1<<24 + 1, 1.0 / (1 << 25), 0},
	{"and up to the next even", 1<<24 + 3, 1.0 / (1 << 25), 1},
	// The exact product 12.5000003 is not a float32. Rounded to 12.5 it is a tie; fused with an
	// addition it would not be one.
	{"the product rounds before the tie", 5754149, 2.1723456e-06, 12},
}

func TestRequantize(t *testing.T) {
	for _, c := range requantizeCases {
		t.Run(c.name, func(t *testing.T) {
			if got := RequantizeGeneric(c.sum, c.mult); got != c.want {
				t.Errorf("generic: %d, want %d", got, c.want)
			}
			eachBody(t, func(t *testing.T, b *Body) {
				got := make([]uint8, b.block)
				b.requantize(got, slices.Repeat([]int32{c.sum}, b.block), slices.Repeat([]float32{c.mult}, b.block))
				if want := slices.Repeat([]uint8{c.want}, b.block); !bytes.Equal(got, want) {
					t.Errorf("%d, want %d", got, want)
				}
			})
		})
	}
}

// exactRequantize is the specification in exact arithmetic, with a rounding to 24 bits where the
// specification has a float32.
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
	n = padTo(n, 4*64) // whole blocks of any body, in rows of four positions
	sums, mults, want := make([]int32, n), make([]float32, n), make([]uint8, n)
	for i := range n {
		sum := int32(rng.Uint32()) >> rng.IntN(31)
		mult := float32(math.Ldexp(1+rng.Float64(), -rng.IntN(32)))
		if rng.IntN(4) == 0 { // near a tie: k + 1/2 = sum * mult
			sum = max(1, sum&0xffffff)
			mult = (float32(rng.IntN(260)) + 0.5) / float32(sum)
		}
		sums[i], mults[i], want[i] = sum, mult, exactRequantize(sum, mult)
		if got := RequantizeGeneric(sum, mult); got != want[i] {
			t.Fatalf("%d * %g: generic %d, want %d", sum, mult, got, want[i])
		}
	}
	eachBody(t, func(t *testing.T, b *Body) {
		got := make([]uint8, n)
		b.requantize(got, sums, mults)
		if i := mismatch(got, want); i >= 0 {
			t.Fatalf("%d * %g: %d, want %d", sums[i], mults[i], got[i], want[i])
		}
	})
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
		s[i] = int32(rng.Int64N(2*int64(reach)+1) - int64(reach))
	}
	return s
}

// same is the padding rule of TensorFlow along one axis, as in graph.Plan.
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

// randomShape returns a random convolution on the top left corner of a wider image, with or without
// a pool, with windows that overlap, touch or have gaps, padded or not.
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
	bodies := Bodies()
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
		x2, want2 := randomBytes(rng, len(x)), make([]uint8, s.OutSize())
		ConvGeneric(want, x, s, w, bias, mult)
		ConvGeneric(want2, x2, s, w, bias, mult)
		for _, b := range bodies {
			c := NewConv(b, s, w, bias, mult)
			c.Run(got, x)
			if i := mismatch(got, want); i >= 0 {
				t.Fatalf("%s, seed %d, %+v: byte %d is %d, want %d", b.name, seed, s, i, got[i], want[i])
			}
			c.Run(got, x2) // the first image must not affect the second
			if i := mismatch(got, want2); i >= 0 {
				t.Fatalf("%s, seed %d, second image, %+v: byte %d is %d, want %d", b.name, seed, s, i, got[i], want2[i])
			}
		}
	}
}

// A row of positions that is longer than a tile of patches is computed in several tiles.
func TestConvTiles(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	s := ConvShape{In: Area{H: 4, W: 61, C: 511, Row: 61 * 511}, OutC: 5,
		Conv: Window{Kernel: 3, Stride: 1, PadTop: 1, PadLeft: 1, OutH: 4, OutW: 61}}
	x, w := randomBytes(rng, s.In.H*s.In.Row), randomWeights(rng, s.OutC*s.depth())
	bias, mult := make([]int32, s.OutC), slices.Repeat([]float32{1e-4}, s.OutC)
	want := make([]uint8, s.OutSize())
	ConvGeneric(want, x, s, w, bias, mult)
	eachBody(t, func(t *testing.T, b *Body) {
		got := make([]uint8, s.OutSize())
		NewConv(b, s, w, bias, mult).Run(got, x)
		if i := mismatch(got, want); i >= 0 {
			t.Fatalf("byte %d is %d, want %d", i, got[i], want[i])
		}
	})
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
		{"padded above and left", Window{Kernel: 3, Stride: 2, PadTop: 1, PadLeft: 1, OutH: 2, OutW: 2},
			[]uint8{9, 9, 9, 9}},
		{"gaps", Window{Kernel: 1, Stride: 2, OutH: 2, OutW: 2}, []uint8{1, 3, 7, 5}},
	} {
		got := make([]uint8, len(c.want))
		MaxPool(got, x, Area{H: 3, W: 3, C: 1, Row: 4}, c.w)
		if !bytes.Equal(got, c.want) {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// The first two layers of the thesis network take nearly all of its time: 33 and 130 million of its
// 165 million multiply-accumulates.
var thesisLayers = []struct {
	name string
	s    ConvShape
}{
	{"conv1", ConvShape{In: Area{H: 341, W: 341, C: 1, Row: 379}, OutC: 128,
		Conv: Window{Kernel: 3, Stride: 2, OutH: 170, OutW: 170},
		Pool: Window{Kernel: 2, Stride: 2, OutH: 85, OutW: 85}}},
	{"conv2", ConvShape{In: Area{H: 85, W: 85, C: 128, Row: 85 * 128}, OutC: 64,
		Conv: Window{Kernel: 3, Stride: 2, OutH: 42, OutW: 42},
		Pool: Window{Kernel: 2, Stride: 2, OutH: 21, OutW: 21}}},
}

func BenchmarkConv(b *testing.B) {
	for _, l := range thesisLayers {
		for _, body := range Bodies() {
			b.Run(l.name+"/"+body.name, func(b *testing.B) {
				rng := rand.New(rand.NewPCG(1, 1))
				s := l.s
				x := randomBytes(rng, s.In.H*s.In.Row)
				c := NewConv(body, s, randomWeights(rng, s.OutC*s.depth()), make([]int32, s.OutC),
					slices.Repeat([]float32{1e-4}, s.OutC))
				dst := make([]uint8, s.OutSize())
				fastest := time.Hour // the mean would depend on other work on the machine
				for b.Loop() {
					began := time.Now()
					c.Run(dst, x)
					fastest = min(fastest, time.Since(began))
				}
				b.ReportMetric(float64(fastest.Nanoseconds()), "min-ns/op")
				macs := s.Conv.OutH * s.Conv.OutW * s.OutC * s.depth()
				b.ReportMetric(float64(macs)/float64(fastest.Nanoseconds()), "max-GMAC/s")
			})
		}
	}
}
