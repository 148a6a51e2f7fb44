package dataset

import (
	"fmt"
	"image"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	"tirewatch/vision/isa/isatest"
)

// matchPlainly is match by its definition, without shortcuts: every window, every view made anew.
func matchPlainly(a, b *look) (o overlap, ok bool) {
	best := maxHashBits + 1
	for i, h := range a.windows[:windowsSide*windowsSide] {
		if d := bits.OnesCount64(h ^ b.turned[0]); d < best {
			best = d
			o = overlap{dx: i%windowsSide*windowStep - thumbSide/4, dy: i/windowsSide*windowStep - thumbSide/4}
		}
	}
	for t, h := range b.turned {
		if d := bits.OnesCount64(a.turned[0] ^ h); d < best {
			best, o = d, overlap{turn: t}
		}
	}
	if best > maxHashBits {
		return overlap{}, false
	}
	second := turnThumb(&b.detail, o.turn)
	o.corr = correlationPlainly(&a.detail, &second, o.dx, o.dy)
	climb := func(b *thumb) {
		x, y := o.dx, o.dy
		for moved := true; moved; {
			moved = false
			for _, step := range [][2]int{{1, 0}, {-1, 0}, {0, 1}, {0, -1}} {
				dx, dy := o.dx+step[0], o.dy+step[1]
				if max(dx-x, x-dx, dy-y, y-dy) > refine {
					continue
				}
				if c := correlationPlainly(&a.detail, b, dx, dy); c > o.corr {
					o.dx, o.dy, o.corr, moved = dx, dy, c, true
				}
			}
		}
	}
	climb(&second)
	if o.corr < minCorrelation && o.corr >= followCorrelation && best <= followBits {
		m := still
		for _, try := range [][]motion{
			{{-4, 1}, {-2, 1}, {2, 1}, {4, 1}},
			{{0, 0.94}, {0, 0.97}, {0, 1.03}, {0, 1.06}},
			{{-1, 1}, {1, 1}},
		} {
			from := m
			for _, step := range try {
				next := motion{from.degrees + step.degrees, from.scale * step.scale}
				moved := next.apply(&second)
				if c := correlationPlainly(&a.detail, &moved, o.dx, o.dy); c > o.corr {
					o.corr, m = c, next
				}
			}
		}
		moved := m.apply(&second)
		climb(&moved)
	}
	return o, o.corr >= minCorrelation
}

func correlationPlainly(a, b *thumb, dx, dy int) float64 {
	var n, sa, sb, saa, sbb, sab int64
	for y := max(0, dy); y < min(thumbSide, thumbSide+dy); y++ {
		for x := max(0, dx); x < min(thumbSide, thumbSide+dx); x++ {
			p, q := int64(a[y*thumbSide+x]), int64(b[(y-dy)*thumbSide+x-dx])
			n, sa, sb = n+1, sa+p, sb+q
			saa, sbb, sab = saa+p*p, sbb+q*q, sab+p*q
		}
	}
	va, vb := n*saa-sa*sa, n*sbb-sb*sb
	if va == 0 || vb == 0 {
		return 0
	}
	return float64(n*sab-sa*sb) / math.Sqrt(float64(va)*float64(vb))
}

// album has images that repeat others in every way that match recognises, different images that
// look similar, and files that cannot be read.
func album(t *testing.T) []photo {
	var photos []photo
	add := func(img image.Image) {
		p := photo{look: lookOf(t, img)}
		p.sum[0], p.sum[1] = byte(len(photos)), byte(len(photos)>>8)
		photos = append(photos, p)
	}
	for i := range 16 {
		wall := scene(uint64(500+i), 300, 300)
		add(crop(wall, 60, 60, 160, 160))
		add(crop(wall, 60+7*(i%6), 60-5*(i%7), 160, 160))
		sin, cos := math.Sincos(float64(i%5-2) * math.Pi / 180)
		scale := 1 + float64(i%4-1)/50
		add(edit(image.NewGray(image.Rect(0, 0, 160, 160)), func(x, y int) int {
			u, v := scale*(float64(x)-79.5), scale*(float64(y)-79.5)
			return int(wall.GrayAt(int(139.5+cos*u-sin*v), int(139.5+sin*u+cos*v)).Y)
		}))
		turned := turnThumb((*thumb)(crop(wall, 100, 100, thumbSide, thumbSide).Pix), i%turns)
		add(&image.Gray{Pix: turned[:], Stride: thumbSide, Rect: image.Rect(0, 0, thumbSide, thumbSide)})
		add(crop(wall, 100, 100, thumbSide, thumbSide))
		add(edit(wall, func(x, y int) int { // different tires in one pose
			if r := math.Hypot(float64(x)-150, float64(y)-150); r > 140 || r < 60 {
				return 190
			}
			return int(wall.GrayAt(x, y).Y)/8 + 20
		}))
	}
	for i := range photos { // some files are copies, some cannot be read
		switch i % 17 {
		case 7:
			photos[i] = photos[i/2]
		case 11:
			photos[i].look = nil
		}
	}
	return photos
}

// The search finds the same as a comparison of all pairs, with every instruction set, below, at and
// above the size of a block.
func TestPairsAreThoseOfAnExhaustiveSearch(t *testing.T) {
	all := album(t)
	for _, n := range []int{0, 1, 2, searchBlock, searchBlock + 1, len(all)} {
		photos := all[:n]
		var want []pair
		ways := make(map[string]int)
		for a := range photos {
			for b := a + 1; b < len(photos); b++ {
				p, q := photos[a], photos[b]
				if p.look == nil || q.look == nil {
					continue
				}
				if p.sum == q.sum {
					want = append(want, pair{a: a, b: b, overlap: overlap{corr: 1}, exact: true})
					ways["exact"]++
				} else if o, ok := matchPlainly(p.look, q.look); ok {
					want = append(want, pair{a: a, b: b, overlap: o})
					ways[fmt.Sprintf("turn %v shift %v", o.turn != 0, o.dx != 0)]++
				}
			}
		}
		if n == len(all) && len(ways) < 4 {
			t.Errorf("the album covers only %v", ways)
		}
		isatest.EachSet(t, &set, func(t *testing.T) {
			got, err := pairs(t.Context(), photos, nil)
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("of %d images: %d pairs, want %d (%v)", n, len(got), len(want), err)
			}
		})
	}
}

// Every version of the sums equals the generic one, for every shift that is tried and at the ends
// of the grey scale.
func TestSumsBodies(t *testing.T) {
	const seed = 5
	rng := rand.New(rand.NewPCG(seed, 0))
	noise := func() *thumb {
		p := new(thumb)
		for i := range p {
			p[i] = uint8(rng.Uint32())
		}
		return p
	}
	white := new(thumb)
	for i := range white {
		white[i] = 255
	}
	isatest.EachSet(t, &set, func(t *testing.T) {
		for name, c := range map[string][2]*thumb{"noise": {noise(), noise()}, "white": {white, white}, "black": {white, new(thumb)}} {
			for w := 32; w <= thumbSide; w++ {
				for _, h := range []int{1, 2, 31, thumbSide - 1, thumbSide} {
					pa, pb := (thumbSide-h)*thumbSide+thumbSide-w, (thumbSide-h)*thumbSide
					got, want := sumsOf(c[0], c[1], pa, pb, w, h), sumsGeneric(c[0], c[1], pa, pb, w, h)
					if got != want {
						t.Fatalf("%s, %d x %d: %+v, want %+v (seed %d)", name, w, h, got, want, seed)
					}
				}
			}
		}
	})
}

// A kernel that reads outside the thumbnails crashes here.
func TestBodiesStayInside(t *testing.T) {
	isatest.EachSet(t, &set, func(t *testing.T) {
		for _, atEnd := range []bool{false, true} {
			a := (*thumb)(isatest.Guarded(t, len(thumb{}), atEnd))
			b := (*thumb)(isatest.Guarded(t, len(thumb{}), atEnd))
			for shift := range 19 {
				for _, s := range [][2]int{{shift, shift}, {-shift, shift}, {shift, -shift}, {-shift, -shift}} {
					correlation(a, b, s[0], s[1])
				}
			}
		}
	})
}

// Every version of the distance equals the generic one, for counts below, at and above the blocks.
func TestClosestBodies(t *testing.T) {
	const seed = 6
	rng := rand.New(rand.NewPCG(seed, 0))
	isatest.EachSet(t, &set, func(t *testing.T) {
		for n := 1; n < 100; n++ {
			for _, to := range []uint64{0, math.MaxUint64, rng.Uint64()} {
				hashes := make([]uint64, n)
				for i := range hashes {
					hashes[i] = rng.Uint64()
				}
				for at := range hashes { // the closest at every position
					kept := hashes[at]
					hashes[at] = to ^ 1<<(at%64)
					if got, want := closest(hashes, to), closestGeneric(hashes, to); got != want {
						t.Fatalf("%d hashes, the closest at %d: %d, want %d (seed %d)", n, at, got, want, seed)
					}
					hashes[at] = kept
				}
				far := slices.Repeat([]uint64{^to}, n)
				if got := closest(far, to); got != 64 {
					t.Fatalf("%d hashes, all bits different: %d", n, got)
				}
			}
		}
	})
}

func BenchmarkPairs(b *testing.B) {
	const n = 400
	var photos []photo
	for i := range n {
		p := photo{look: lookOf(b, photograph(uint64(i)))}
		p.sum[0], p.sum[1] = byte(i), byte(i>>8)
		photos = append(photos, p)
	}
	for b.Loop() {
		if _, err := pairs(b.Context(), photos, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(n*(n-1)/2), "ns/pair")
}
