package preprocess

import (
	"image"
	"math/bits"
	"sync"

	"tirewatch/vision/frame"
	"tirewatch/vision/isa"
)

// The resampler is separable: each output row is a weighted sum of source rows, and each output
// column a weighted sum of source columns. Weights are 14-bit integers. They sum to exactly 1<<14
// for every output, so that a uniform image stays uniform. Between the two passes a row has 6 extra
// bits:
//
//	source, 8 bits
//	  -> columns: (sum(8 bits * 14 bits) + half) >> 8, 14 bits
//	  -> rows: (sum(14 bits * 14 bits) + half) >> 20, 8 bits
//
// Source rows are made grey first: luma is rounded to a byte once, and all later steps work on one
// channel. The largest sum is 255*2^6*2^14 < 2^28, so int32 never overflows. Weights and rows
// between the passes fit int16, the operands of multiply-and-add instructions.
const (
	weightBits = 14
	midBits    = 6

	columnsHalf = 1 << (weightBits - midBits - 1)
	rowsHalf    = 1 << (weightBits + midBits - 1)
)

// taps holds the weights of one axis of src pixels. Output i reads the source pixels first[i] to
// first[i]+n-1 with the weights w[i*pitch : i*pitch+n].
type taps struct {
	src   int
	n     int
	pitch int // n rounded up to even; the extra weight is zero
	first []int32
	w     []int16 // (outputs, pitch)
	plan  plan    // the same weights for the columns function in use
}

// makeTaps computes the triangle filter from src pixels to dst pixels, in integers only.
//
// In units of 1/(2*dst) source pixels, the centre of output i is at (2i+1)*src and that of source
// pixel j at (2j+1)*dst. The triangle extends 2*max(src, dst) to each side, and its height falls
// linearly with the distance.
func makeTaps(src, dst int) *taps {
	reach := 2 * max(src, dst)
	// Pixels are 2*dst apart, and the triangle is zero at both ends.
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

// roundWeights scales raw to integers that sum to exactly 1<<weightBits. It rounds cumulative sums,
// so that the error of a weight is at most one and errors do not add up.
func roundWeights(w []int16, raw []int64, sum int64) {
	var cum, prev int64
	for k, r := range raw {
		cum += r
		next := (cum<<weightBits + sum/2) / sum
		w[k] = int16(next - prev)
		prev = next
	}
}

// tapsKey and tapsCache keep the weights of recent sizes. A station needs only a few, again and
// again.
type tapsKey struct {
	src, dst int
	set      isa.Set
}

var tapsCache struct {
	sync.Mutex
	m map[tapsKey]*taps
}

// maxCachedTaps limits the cache, which a data set with photographs of every size would otherwise
// enlarge without end.
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
	// rowBlock is the number of columns that the rows functions compute in one step. Rows between
	// the passes are padded to it.
	rowBlock = 32
	// rowSlack is the number of bytes after a grey row that the columns functions may read. Their
	// values do not matter.
	rowSlack = 64
	// rowsAhead is how many rows early a source row is prefetched. A camera's frame is not in the
	// cache, and the rows of a region are too far apart for the CPU to guess the next one.
	rowsAhead = 2
)

// scratch holds buffers that are reused between calls. The assembly reads and writes whole blocks
// here, so that it never leaves the bytes of the frame or of the caller.
type scratch struct {
	gray []byte  // one grey source row and rowSlack bytes
	ring []int16 // (slots, stride) horizontally resampled rows; slots is a power of two
	off  []int   // offsets in ring of the rows of one output row
	out  []byte  // (stride) one output row
}

var scratchPool = sync.Pool{New: func() any { return new(scratch) }}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// resample fills dst, dw x dh bytes, from the region roi of f. Each source row is made grey and
// resampled horizontally once, in order, into a ring that holds the rows that one output row reads.
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

// columns resamples the grey row src, followed by rowSlack bytes, horizontally into mid, whose
// values have midBits extra bits.
func columns(mid []int16, src []byte, t *taps) {
	check(len(src) >= t.src+rowSlack && len(mid) >= len(t.first) && len(mid)%rowBlock == 0, "columns")
	columnsBody(mid, src, t)
}

// rows computes out as the sum of rows with the weights w[k]. Row k has len(out) values from
// ring[off[k]] on.
func rows(out []byte, ring []int16, off []int, w []int16) {
	check(len(out)%rowBlock == 0 && len(w) == len(off) && len(w)%2 == 0, "rows")
	for _, at := range off {
		check(at >= 0 && at+len(out) <= len(ring), "rows")
	}
	rowsBody(out, ring, off, w)
}

// check guards the assembly, which trusts its arguments.
func check(ok bool, function string) {
	if !ok {
		panic("internal error: preprocess." + function + ": slices do not fit the shape")
	}
}
