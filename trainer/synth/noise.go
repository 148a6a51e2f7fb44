package synth

import (
	"math"
	"math/rand/v2"
	"sync"
)

// The noise tiles repeat after tileSide samples in both directions, and all images share them:
// noise for each pixel would take longer than everything else together. Each image uses them with
// its own offsets and scales.
const (
	tileSide = 512
	tileMask = tileSide - 1
)

// tile is one period of a noise with mean 0 and deviation 1.
type tile []float32 // (tileSide, tileSide)

type noiseTiles struct {
	cloud  tile // all octaves from 4 cells on: dust, stains, patches
	coarse tile // octaves from 64 cells on: the unevenness of old rubber
	grain  tile // single pixels, slightly correlated: the skin of rubber
	white  tile // single pixels, independent: the sensor
}

var tiles = sync.OnceValue(func() *noiseTiles {
	r := rand.New(rand.NewPCG(0x7469726577617463, 0x73796e7468))
	t := &noiseTiles{
		cloud:  octaves(r, 4, 256, 0.64),
		coarse: octaves(r, 48, 256, 0.8),
		grain:  make(tile, tileSide*tileSide),
		white:  make(tile, tileSide*tileSide),
	}
	for i := range t.white {
		t.white[i] = clamp(float32(r.NormFloat64()), -3.5, 3.5)
	}
	raw := make(tile, tileSide*tileSide)
	for i := range raw {
		raw[i] = float32(r.NormFloat64())
	}
	for y := range tileSide {
		up, row, down := raw[(y-1)&tileMask*tileSide:], raw[y*tileSide:], raw[(y+1)&tileMask*tileSide:]
		for x := range tileSide {
			l, r := (x-1)&tileMask, (x+1)&tileMask
			t.grain[y*tileSide+x] = row[x] + 0.45*(row[l]+row[r]+up[x]+down[x]) + 0.2*(up[l]+up[r]+down[l]+down[r])
		}
	}
	t.grain.standardize()
	t.white.standardize()
	return t
})

// octaves adds value noise of cells, 2*cells, ... up to last cells per tile; fade is the amplitude
// ratio of one octave to the one before.
func octaves(r *rand.Rand, cells, last int, fade float32) tile {
	out := make(tile, tileSide*tileSide)
	for amp := float32(1); cells <= last; cells, amp = cells*2, amp*fade {
		lattice := make([]float32, cells*cells)
		for i := range lattice {
			lattice[i] = r.Float32()*2 - 1
		}
		scale := float32(cells) / tileSide
		for y := range tileSide {
			fy := float32(y) * scale
			y0 := int(fy)
			ty := smooth(0, 1, fy-float32(y0))
			a, b := lattice[y0*cells:][:cells], lattice[(y0+1)%cells*cells:][:cells]
			for x := range tileSide {
				fx := float32(x) * scale
				x0 := int(fx)
				x1 := (x0 + 1) % cells
				tx := smooth(0, 1, fx-float32(x0))
				out[y*tileSide+x] += amp * lerp(lerp(a[x0], a[x1], tx), lerp(b[x0], b[x1], tx), ty)
			}
		}
	}
	out.standardize()
	return out
}

func (t tile) standardize() {
	var sum, sum2 float64
	for _, v := range t {
		sum += float64(v)
		sum2 += float64(v) * float64(v)
	}
	n := float64(len(t))
	mean := sum / n
	inv := 1 / math.Sqrt(sum2/n-mean*mean)
	for i, v := range t {
		t[i] = float32((float64(v) - mean) * inv)
	}
}

// at interpolates the tile at (x, y), which may be any point.
func (t tile) at(x, y float32) float32 {
	// With the offset, truncation equals floor for every coordinate that pictures use.
	x, y = x+tileSide*64, y+tileSide*64
	x0, y0 := int(x), int(y)
	fx, fy := x-float32(x0), y-float32(y0)
	r0, r1 := (y0&tileMask)*tileSide, ((y0+1)&tileMask)*tileSide
	x1 := (x0 + 1) & tileMask
	x0 &= tileMask
	a := t[r0+x0]
	b := t[r1+x0]
	a += (t[r0+x1] - a) * fx
	b += (t[r1+x1] - b) * fx
	return a + (b-a)*fy
}

// field is a noise tile with the position and scale of one image.
type field struct {
	t            tile
	x, y, fx, fy float32
}

// newField places the tile at random. One sample step is step image units long.
func newField(t tile, s stream, step float32) field {
	return field{t: t, x: s.between(0, tileSide), y: s.between(0, tileSide), fx: 1 / step, fy: 1 / step}
}

func (f *field) at(x, y float32) float32 { return f.t.at(x*f.fx+f.x, y*f.fy+f.y) }
