package preprocess

import (
	"bytes"
	"fmt"
	"image"
	"math/rand/v2"
	"testing"

	"tirewatch/vision/frame"
	"tirewatch/vision/isa"
	"tirewatch/vision/isa/isatest"
)

// axes returns source and destination sizes below, at and above the block sizes, at every scale:
// enlarging, the same size, near (scales up to about 3 on NEON, 4 on AVX-512, 4.6 on AVX2) and far,
// with few and with many weights.
func axes() [][2]int {
	sizes := [][2]int{
		{1, 1}, {1, 40}, {2, 1}, {2, 3}, {3, 100}, {40, 1}, {4000, 1}, {4000, 7}, {2000, 33},
		{379, 379}, {227, 379}, {1080, 379}, {1920, 379}, {1000, 300}, {1000, 310}, {1000, 250},
		{1000, 240}, {1000, 220}, {1000, 210}, {1000, 16}, {3840, 379}, {5, 4096},
	}
	for dst := 1; dst < 70; dst++ {
		sizes = append(sizes, [2]int{1 + dst*dst%131, dst}, [2]int{dst * 3, dst}, [2]int{dst*9/2 + 1, dst})
	}
	return sizes
}

// sources returns the extreme values and noise.
func sources(rng *rand.Rand, n int) map[string][]byte {
	noise := make([]byte, n)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	return map[string][]byte{"black": make([]byte, n), "white": bytes.Repeat([]byte{255}, n), "noise": noise}
}

// Every implementation of the horizontal pass equals the generic one.
func TestColumnsBodies(t *testing.T) {
	const seed = 3
	isatest.EachSet(t, &set, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(seed, 0))
		near := 0
		for _, a := range axes() {
			tx := makeTaps(a[0], a[1])
			tx.plan = makePlan(tx)
			for name, src := range sources(rng, a[0]+rowSlack) {
				got, want := make([]int16, pad(a[1])), make([]int16, pad(a[1]))
				columns(got, src, tx)
				columnsGeneric(want, src, tx)
				for i := range a[1] {
					if got[i] != want[i] {
						t.Fatalf("%d -> %d, %s: value %d is %d, want %d (seed %d)",
							a[0], a[1], name, i, got[i], want[i], seed)
					}
				}
			}
			if tx.plan.near {
				near++
			}
		}
		if set != isa.Generic && (near == 0 || near == len(axes())) {
			t.Errorf("%d of %d sizes are near: one of near and far was not tested", near, len(axes()))
		}
	})
}

// Every implementation of the vertical pass equals the generic one, up to the largest values.
func TestRowsBodies(t *testing.T) {
	const seed, largest = 4, 255 << midBits
	isatest.EachSet(t, &set, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(seed, 0))
		for _, a := range axes() {
			ty := makeTaps(a[0], a[1])
			for _, stride := range []int{rowBlock, 3 * rowBlock} {
				ring := make([]int16, (ty.n+1)*stride)
				for i := range ring {
					ring[i] = int16(rng.IntN(largest + 1))
					if i%stride < 2 {
						ring[i] = largest
					}
				}
				off := make([]int, ty.pitch)
				for i := range off {
					off[i] = rng.IntN(ty.n+1) * stride
				}
				y := rng.IntN(a[1])
				w := ty.w[y*ty.pitch:][:ty.pitch]
				got, want := make([]byte, stride), make([]byte, stride)
				rows(got, ring, off, w)
				rowsGeneric(want, ring, off, w)
				for i := range want {
					if got[i] != want[i] {
						t.Fatalf("%d -> %d, row %d: byte %d is %d, want %d (seed %d)",
							a[0], a[1], y, i, got[i], want[i], seed)
					}
				}
				if got[0] != 255 {
					t.Fatalf("%d -> %d, row %d: white became %d", a[0], a[1], y, got[0])
				}
			}
		}
	})
}

// Apply writes the same bytes with every implementation, for regions of every kind of frame.
func TestApplyBodies(t *testing.T) {
	const seed = 5
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 60 {
		format := []frame.Format{frame.Gray, frame.BGR, frame.RGBA}[rng.IntN(3)]
		f := &frame.Frame{Width: 1 + rng.IntN(400), Height: 1 + rng.IntN(300), Format: format}
		f.Stride = f.Width*format.Channels() + rng.IntN(9)
		f.Pix = make([]byte, (f.Height-1)*f.Stride+f.Width*format.Channels())
		for i := range f.Pix {
			f.Pix[i] = byte(rng.Uint32())
		}
		x, y := rng.IntN(f.Width), rng.IntN(f.Height)
		roi := image.Rect(x, y, x+1+rng.IntN(f.Width-x), y+1+rng.IntN(f.Height-y))
		s := Spec{Width: 1 + rng.IntN(150), Height: 1 + rng.IntN(150), Filter: FilterTriangle}
		var want []byte
		t.Run(fmt.Sprintf("%s %v to %d x %d", format, roi, s.Width, s.Height), func(t *testing.T) {
			isatest.EachSet(t, &set, func(t *testing.T) {
				got := make([]byte, s.Size())
				if err := s.Apply(got, f, roi); err != nil {
					t.Fatal(err)
				}
				if set == isa.Generic {
					want = got
				}
				for i := range want {
					if got[i] != want[i] {
						t.Fatalf("byte %d is %d, want %d (seed %d)", i, got[i], want[i], seed)
					}
				}
			})
		})
	}
}

func pad(n int) int { return (n + rowBlock - 1) / rowBlock * rowBlock }

func BenchmarkBodies(b *testing.B) {
	const src, dst = 1080, 379
	before := set
	defer func() { set = before }()
	for _, s := range isa.Have() {
		set = s
		t := makeTaps(src, dst)
		t.plan = makePlan(t)
		gray, ring, out := make([]byte, src+rowSlack), make([]int16, 8*pad(dst)), make([]byte, pad(dst))
		off := make([]int, t.pitch)
		for i := range off {
			off[i] = i * pad(dst)
		}
		b.Run("columns/"+s.String(), func(b *testing.B) {
			for b.Loop() {
				columns(ring[:pad(dst)], gray, t)
			}
		})
		b.Run("rows/"+s.String(), func(b *testing.B) {
			for b.Loop() {
				rows(out, ring, off, t.w[dst/2*t.pitch:][:t.pitch])
			}
		})
	}
}
