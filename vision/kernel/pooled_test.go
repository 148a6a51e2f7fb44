package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// Numbers of outputs below, at and above what a body pools at a time, and windows that overlap,
// touch or have gaps. Every buffer is between guard pages.
func TestPooled(t *testing.T) {
	eachBody(t, func(t *testing.T, b *Body) {
		if _, ok := b.pack(make([]int8, b.block*b.group), make([]int32, b.block)).(pooler); !ok {
			t.Skip("has no function for pooled rows")
		}
		for _, d := range extremes {
			rng := rand.New(rand.NewPCG(15, 16))
			for _, blocks := range []int{1, 2, 4} {
				for _, n := range []int{1, 2, 3, 4, 5, 21, 31, 32, 33, 65} {
					v := Windows{Runs: 1 + rng.IntN(4), RunLen: (1 + rng.IntN(6)) * b.group}
					v.Step, v.RunStride = rng.IntN(2*v.RunLen), rng.IntN(3*v.RunLen)
					checkPooled(t, b, d, rng, blocks*b.block, n, v, 1+rng.IntN(3))
				}
			}
		}
		// the second layer, and windows that are too long to copy many at a time
		rng := rand.New(rand.NewPCG(17, 18))
		checkPooled(t, b, extremes[0], rng, padTo(64, b.block), 21,
			Windows{Step: 256, Runs: 3, RunLen: 384, RunStride: 85 * 128}, 2)
		checkPooled(t, b, extremes[0], rng, b.block, 37,
			Windows{Step: 1024, Runs: 3, RunLen: 1536, RunStride: 80 * 512}, 2)
	})
}

func checkPooled(t *testing.T, b *Body, d data, rng *rand.Rand, channels, n int, v Windows, down int) {
	t.Helper()
	seed := fmt.Sprintf("%s, %d channels, %d outputs, %+v, %d down", d.name, channels, n, v, down)
	x, w := d.x(rng, v.and(down).reach(2*n)), d.w(rng, channels*v.depth())
	bias, mult := randomSums(rng, channels, 1<<20), make([]float32, channels)
	for c := range mult {
		mult[c] = float32(rng.Float64() / 4000)
	}
	top, bottom := make([]int32, 2*n*channels), make([]int32, 2*n*channels)
	RowsGeneric(top, x, 2*n, v, w, bias)
	RowsGeneric(bottom, x[down*v.RunStride:], 2*n, v, w, bias)
	want := make([]uint8, n*channels)
	for i := range want {
		p, c := i/channels*2*channels, i%channels
		most := max(top[p+c], top[p+channels+c], bottom[p+c], bottom[p+channels+c])
		want[i] = RequantizeGeneric(most, mult[c])
	}
	packed := b.pack(w, bias)
	for _, upper := range []bool{true, false} {
		free, g := guards(t)
		got, scratch := guarded(g, make([]uint8, len(want)), upper), guarded(g, b.scratchFor(v.and(down)), upper)
		w := guardWeights(g, packed, upper).(pooler)
		w.pooled(got, guarded(g, x, upper), n, v, down, guarded(g, mult, upper), scratch)
		if i := mismatch(got, want); i >= 0 {
			t.Fatalf("%s: byte %d is %d, want %d", seed, i, got[i], want[i])
		}
		free()
	}
}

// A convolution on the top left corner of a wider activation, with a pool that does not read all of
// its rows and columns.
func TestConvPooled(t *testing.T) {
	eachBody(t, func(t *testing.T, b *Body) {
		rng := rand.New(rand.NewPCG(19, 20))
		for _, kernel := range []int{1, 2, 3, 5} {
			for _, stride := range []int{1, 2, 3} {
				s := ConvShape{In: Area{H: 17, W: 15, C: 16, Row: 15*16 + 5}, OutC: 2 * b.block,
					Conv: Window{Kernel: kernel, Stride: stride, OutH: (17-kernel)/stride + 1, OutW: (15-kernel)/stride + 1}}
				s.Pool = Window{Kernel: 2, Stride: 2, OutH: s.Conv.OutH / 2, OutW: s.Conv.OutW / 2}
				x, w := randomBytes(rng, 16*s.In.Row+15*16), randomWeights(rng, s.OutC*s.depth())
				bias, mult := randomSums(rng, s.OutC, 20_000), make([]float32, s.OutC)
				for i := range mult {
					mult[i] = float32(rng.Float64() / 400)
				}
				got, want := make([]uint8, s.OutSize()), make([]uint8, s.OutSize())
				c := NewConv(b, s, w, bias, mult)
				if _, ok := c.w.(pooler); ok && c.pool == nil {
					t.Fatalf("kernel %d, stride %d: does not use the body's pooled", kernel, stride)
				}
				c.Run(got, x)
				ConvGeneric(want, x, s, w, bias, mult)
				if i := mismatch(got, want); i >= 0 {
					t.Fatalf("kernel %d, stride %d: byte %d is %d, want %d", kernel, stride, i, got[i], want[i])
				}
			}
		}
	})
}
