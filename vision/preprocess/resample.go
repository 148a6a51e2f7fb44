package preprocess

import (
	"image"
	"math/bits"
	"sync"

	"tirewatch/vision/frame"
)

// The resampler is separable: each output row is a weighted sum of source rows, each output column one of source columns.
// Weights are 14-bit integers that sum to exactly 1<<14 for every output, so that a flat picture stays flat, and
// between the two passes a row is kept with 6 extra bits:
//
//	source 8 bit -> columns: sum(8 bit * 14 bit) >> 8 = 14 bit -> rows: sum(14 bit * 14 bit), rounded, >> 20 = 8 bit
//
// The largest sum is 255*2^6*2^14 < 2^28, so int32 never overflows.
const (
	weightBits = 14
	midBits    = 6
)

// taps are the weights of one axis. Output i reads source pixels first[i] .. first[i]+n-1 with weights w[i*n : i*n+n].
type taps struct {
	n     int
	first []int32
	w     []int32
}

// makeTaps computes the triangle filter for src pixels shrunk or enlarged to dst, in integers only.
//
// In units of 1/(2*dst) source pixels, output i has its centre at (2i+1)*src and source pixel j its centre at (2j+1)*dst.
// The triangle reaches 2*max(src, dst) to each side, and its height falls linearly with the distance.
func makeTaps(src, dst int) taps {
	reach := 2 * max(src, dst)
	n := min(src, reach/dst+2)
	t := taps{n: n, first: make([]int32, dst), w: make([]int32, dst*n)}
	raw := make([]int64, n)
	for i := range dst {
		centre := (2*i + 1) * src
		first := max(0, (centre-reach)/(2*dst))
		first = min(first, src-n)
		var sum int64
		for k := range raw {
			d := (2*(first+k)+1)*dst - centre
			if d < 0 {
				d = -d
			}
			raw[k] = int64(max(0, reach-d))
			sum += raw[k]
		}
		t.first[i] = int32(first)
		roundWeights(t.w[i*n:i*n+n], raw, sum)
	}
	return t
}

// roundWeights scales raw to integers that sum to exactly 1<<weightBits: cumulative sums are rounded, so no weight is off by
// more than one and the error never adds up.
func roundWeights(w []int32, raw []int64, sum int64) {
	var cum, prev int64
	for k, r := range raw {
		cum += r
		next := (cum<<weightBits + sum/2) / sum
		w[k] = int32(next - prev)
		prev = next
	}
}

// tapsKey and tapsCache keep the weights of recent sizes: a station asks for few of them, over and over.
type tapsKey struct{ src, dst int }

var tapsCache struct {
	sync.Mutex
	m map[tapsKey]taps
}

// maxCachedTaps bounds the cache: a data set of photographs of every size must not grow it for ever.
const maxCachedTaps = 256

func cachedTaps(src, dst int) taps {
	k := tapsKey{src, dst}
	tapsCache.Lock()
	defer tapsCache.Unlock()
	t, ok := tapsCache.m[k]
	if !ok {
		t = makeTaps(src, dst)
		if tapsCache.m == nil || len(tapsCache.m) >= maxCachedTaps {
			tapsCache.m = make(map[tapsKey]taps)
		}
		tapsCache.m[k] = t
	}
	return t
}

// scratch is reused between calls: a ring of horizontally resampled rows and a grey source row.
type scratch struct {
	ring []int32 // (slots, dst width), slots is a power of two
	row  []byte
	acc  []int32
}

var scratchPool = sync.Pool{New: func() any { return new(scratch) }}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// resample fills dst, dw x dh bytes, from region roi of f. Source rows are made grey and resampled horizontally once, in
// order, into a ring that holds as many rows as an output row reads.
func resample(dst []byte, dw, dh int, f *frame.Frame, roi image.Rectangle) {
	tx, ty := cachedTaps(roi.Dx(), dw), cachedTaps(roi.Dy(), dh)
	slots := 1 << bits.Len(uint(ty.n-1))
	s := scratchPool.Get().(*scratch)
	defer scratchPool.Put(s)
	s.ring, s.acc = grow(s.ring, slots*dw), grow(s.acc, dw)

	next := 0 // first source row not yet in the ring
	for y := range dh {
		first := int(ty.first[y])
		for ; next < first+ty.n; next++ {
			if next < first {
				continue
			}
			r := image.Rect(roi.Min.X, roi.Min.Y+next, roi.Max.X, roi.Min.Y+next+1)
			s.row = f.Gray(s.row, r)
			columns(s.ring[(next&(slots-1))*dw:][:dw:dw], s.row, tx)
		}
		acc := s.acc
		clear(acc)
		for k := range ty.n {
			w := ty.w[y*ty.n+k]
			if w == 0 {
				continue
			}
			row := s.ring[((first+k)&(slots-1))*dw:][:len(acc):len(acc)]
			for x := range acc {
				acc[x] += row[x] * w
			}
		}
		out := dst[y*dw:][:dw:dw]
		for x, v := range acc {
			out[x] = uint8((v + 1<<(weightBits+midBits-1)) >> (weightBits + midBits))
		}
	}
}

// columns resamples one grey row horizontally into out, which keeps midBits extra bits.
func columns(out []int32, src []byte, t taps) {
	const half = 1 << (weightBits - midBits - 1)
	for x := range out {
		w := t.w[x*t.n:][:t.n:t.n]
		p := src[t.first[x]:][:len(w):len(w)]
		var sum int32
		for k, wk := range w {
			sum += wk * int32(p[k])
		}
		out[x] = (sum + half) >> (weightBits - midBits)
	}
}
