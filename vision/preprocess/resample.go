package preprocess

import (
	"image"
	"math/bits"
	"sync"

	"tirewatch/vision/frame"
	"tirewatch/vision/isa"
)

// The resampler is separable: each output row is a weighted sum of source rows, each output column
// one of source columns. Weights are 14-bit integers that sum to exactly 1<<14 for every output, so
// that a flat picture stays flat, and between the two passes a row is kept with 6 extra bits:
//
//	source 8 bit -> columns: sum(8 bit * 14 bit) + half, >> 8 = 14 bit -> rows: sum(14 bit * 14 bit) + half, >> 20 = 8 bit
//
// Source rows are made grey first: luma is rounded to a byte once, then everything runs on one
// channel. The largest sum is 255*2^6*2^14 < 2^28, so int32 never overflows; weights and rows
// between the passes fit int16, which is what multiply-and-add instructions take.
const (
	weightBits = 14
	midBits    = 6

	columnsHalf = 1 << (weightBits - midBits - 1)
	rowsHalf    = 1 << (weightBits + midBits - 1)
)

// taps are the weights of one axis of src pixels. Output i reads source pixels first[i] ..
// first[i]+n-1 with weights w[i*pitch : i*pitch+n].
type taps struct {
	src   int
	n     int
	pitch int // n rounded up to even: the odd weight in between is zero
	first []int32
	w     []int16 // (outputs, pitch)
	plan  plan    // the same for the columns body in use
}

// makeTaps computes the triangle filter for src pixels shrunk or enlarged to dst, in integers only.
//
// In units of 1/(2*dst) source pixels, output i has its centre at (2i+1)*src and source pixel j its
// centre at (2j+1)*dst. The triangle reaches 2*max(src, dst) to each side, and its height falls
// linearly with the distance.
func makeTaps(src, dst int) *taps {
	reach := 2 * max(src, dst)
	// pixels are 2*dst apart, and the triangle is open at both ends
	n := min(src, (reach+dst-1)/dst)
	t := &taps{src: src, n: n, pitch: (n + 1) &^ 1, first: make([]int32, dst)}
	t.w = make([]int16, dst*t.pitch)
	raw := make([]int64, n)
	for i := range dst {
		centre := (2*i + 1) * src
		first := 0
		if left := centre - reach - dst; left >= 0 {
			first = left/(2*dst) + 1 // the first pixel with a weight
		}
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
		roundWeights(t.w[i*t.pitch:][:n], raw, sum)
	}
	return t
}

// roundWeights scales raw to integers that sum to exactly 1<<weightBits: cumulative sums are
// rounded, so no weight is off by more than one and the error never adds up.
func roundWeights(w []int16, raw []int64, sum int64) {
	var cum, prev int64
	for k, r := range raw {
		cum += r
		next := (cum<<weightBits + sum/2) / sum
		w[k] = int16(next - prev)
		prev = next
	}
}

// tapsKey and tapsCache keep the weights of recent sizes: a station asks for few of them, over and
// over.
type tapsKey struct {
	src, dst int
	set      isa.Set
}

var tapsCache struct {
	sync.Mutex
	m map[tapsKey]*taps
}

// maxCachedTaps bounds the cache: a data set of photographs of every size must not grow it for
// ever.
const maxCachedTaps = 256

func cachedTaps(src, dst int) *taps {
	k := tapsKey{src, dst, set}
	tapsCache.Lock()
	defer tapsCache.Unlock()
	t := tapsCache.m[k]
	if t == nil {
		t = makeTaps(src, dst)
		t.plan = makePlan(t)
		if tapsCache.m == nil || len(tapsCache.m) >= maxCachedTaps {
			tapsCache.m = make(map[tapsKey]*taps)
		}
		tapsCache.m[k] = t
	}
	return t
}

const (
	// rowBlock is the number of columns that the rows bodies compute at a time: rows between the
	// passes are padded to it.
	rowBlock = 32
	// rowSlack is the number of bytes behind a grey row that the columns bodies may read; what they
	// hold does not matter.
	rowSlack = 64
	// rowsAhead is how early the cache is asked for a source row: a camera's frame lies in memory,
	// and rows, which a region cuts short, are too far apart for the CPU to guess the next one.
	rowsAhead = 2
)

// scratch is reused between calls. Bodies read and write whole blocks here, so that none ever
// leaves the frame's or the caller's bytes.
type scratch struct {
	gray []byte  // one grey source row and rowSlack bytes
	ring []int16 // (slots, stride) horizontally resampled rows; slots is a power of two
	off  []int   // where the rows of one output row lie in the ring
	out  []byte  // (stride) one output row
}

var scratchPool = sync.Pool{New: func() any { return new(scratch) }}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// resample fills dst, dw x dh bytes, from region roi of f. Source rows are made grey and resampled
// horizontally once, in order, into a ring that holds as many rows as an output row reads.
func resample(dst []byte, dw, dh int, f *frame.Frame, roi image.Rectangle) {
	tx, ty := cachedTaps(roi.Dx(), dw), cachedTaps(roi.Dy(), dh)
	slots := 1 << bits.Len(uint(ty.n-1))
	stride := (dw + rowBlock - 1) / rowBlock * rowBlock
	s := scratchPool.Get().(*scratch)
	defer scratchPool.Put(s)
	s.gray, s.ring = grow(s.gray, roi.Dx()+rowSlack), grow(s.ring, slots*stride)
	s.off, s.out = grow(s.off, ty.pitch), grow(s.out, stride)

	channels := f.Format.Channels()
	next := 0 // first source row not yet in the ring
	for y := range dh {
		first := int(ty.first[y])
		for next = max(next, first); next < first+ty.n; next++ {
			top := roi.Min.Y + next
			f.Gray(s.gray, image.Rect(roi.Min.X, top, roi.Max.X, top+1))
			if next+rowsAhead < roi.Dy() && set != isa.Generic {
				prefetch(f.Pix[(top+rowsAhead)*f.Stride+roi.Min.X*channels:][:roi.Dx()*channels])
			}
			columns(s.ring[next&(slots-1)*stride:][:stride], s.gray, tx)
		}
		for k := range s.off {
			s.off[k] = (first + min(k, ty.n-1)) & (slots - 1) * stride
		}
		rows(s.out, s.ring, s.off, ty.w[y*ty.pitch:][:ty.pitch])
		copy(dst[y*dw:][:dw], s.out)
	}
}

// columns resamples the grey row src, with rowSlack bytes behind it, horizontally into mid, which
// keeps midBits extra bits.
func columns(mid []int16, src []byte, t *taps) {
	check(len(src) >= t.src+rowSlack && len(mid) >= len(t.first) && len(mid)%rowBlock == 0, "columns")
	columnsBody(mid, src, t)
}

// rows weighs the rows of len(out) values that begin at ring[off[k]] with w[k].
func rows(out []byte, ring []int16, off []int, w []int16) {
	check(len(out)%rowBlock == 0 && len(w) == len(off) && len(w)%2 == 0, "rows")
	for _, at := range off {
		check(at >= 0 && at+len(out) <= len(ring), "rows")
	}
	rowsBody(out, ring, off, w)
}

// check stands between the assembly bodies, which trust their arguments, and everything else.
func check(ok bool, body string) {
	if !ok {
		panic("internal error: preprocess." + body + ": slices do not fit the shape")
	}
}
