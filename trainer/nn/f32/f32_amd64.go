package f32

import "golang.org/x/sys/cpu"

// level is the instruction set in use. Tests lower it to run every implementation.
var level = detect()

const (
	levelGeneric = iota
	levelAVX2    // AVX2 and FMA
	levelAVX512  // AVX-512 F, BW, DQ, VL
)

var levelNames = [...]string{"generic", "avx2", "avx512"}

func detect() int {
	switch {
	case cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL && cpu.X86.HasFMA:
		return levelAVX512
	case cpu.X86.HasAVX2 && cpu.X86.HasFMA:
		return levelAVX2
	}
	return levelGeneric
}

// Kernel returns the name of the implementation in use.
func Kernel() string { return levelNames[level] }

// tile is the number of positions that rows6xN computes together, half the number of channels of
// the narrowest of them.
const tile, half = 6, Block / 2

//go:noescape
func rows6x64AVX512(dst *float32, dstStep int, x *float32, xStep, runs, runLen, runStride int,
	w *float32, wStep int, bias *float32)

//go:noescape
func rows6x16AVX2(dst *float32, dstStep int, x *float32, xStep, runs, runLen, runStride int,
	w *float32, wStep int, bias *float32)

//go:noescape
func rows6x8AVX2(dst *float32, dstStep int, x *float32, xStep, runs, runLen, runStride int,
	w *float32, wStep int, bias *float32)

//go:noescape
func poolReLUAVX512(dst *float32, winner *uint8, top, bottom *float32, n, f int)

//go:noescape
func poolReLUAVX2(dst *float32, winner *uint8, top, bottom *float32, n, f int)

//go:noescape
func gather128AVX512(dst *float32, sums *Sum, count int, terms *Term, src *float32)

//go:noescape
func gather64AVX512(dst *float32, sums *Sum, count int, terms *Term, src *float32)

//go:noescape
func gather16AVX512(dst *float32, sums *Sum, count int, terms *Term, src *float32)

//go:noescape
func gather64AVX2(dst *float32, sums *Sum, count int, terms *Term, src *float32)

//go:noescape
func gather16AVX2(dst *float32, sums *Sum, count int, terms *Term, src *float32)

//go:noescape
func firstForwardAVX512(dst *float32, winner *uint8, x *float32, rowStride int, w, bias *float32, tiles, last, f int)

//go:noescape
func firstForwardAVX2(dst *float32, winner *uint8, x *float32, rowStride int, w, bias *float32, tiles, last, f int)

//go:noescape
func firstCandidates(table, x *float32, rowStride, n int)

//go:noescape
func firstBackwardAVX512(dw, grad *float32, winner *uint8, table *float32, n, f int)

//go:noescape
func firstBackwardAVX2(dw, grad *float32, winner *uint8, table *float32, n, f int)

func rows(dst, x []float32, n int, v Windows, w, bias []float32) {
	f := len(bias)
	if level == levelGeneric || f%half != 0 {
		rowsGeneric(dst, x, n, v, w, bias)
		return
	}
	for p := 0; p < n; p += tile {
		step, dstStep := v.Step, f
		if p+tile > n {
			// The last tile overlaps the one before it. If there is none, the same position is
			// computed six times. Both repeat the same sums, so no result depends on where a tile
			// starts.
			if n >= tile {
				p = n - tile
			} else {
				step, dstStep = 0, 0
			}
		}
		c := 0
		if level == levelAVX512 {
			for ; c+64 <= f; c += 64 {
				rows6x64AVX512(&dst[p*f+c], 4*dstStep, &x[p*v.Step], 4*step, v.Runs, v.RunLen, 4*v.RunStride,
					&w[c], 4*f, &bias[c])
			}
		}
		for ; c+Block <= f; c += Block {
			rows6x16AVX2(&dst[p*f+c], 4*dstStep, &x[p*v.Step], 4*step, v.Runs, v.RunLen, 4*v.RunStride,
				&w[c], 4*f, &bias[c])
		}
		if c < f {
			rows6x8AVX2(&dst[p*f+c], 4*dstStep, &x[p*v.Step], 4*step, v.Runs, v.RunLen, 4*v.RunStride,
				&w[c], 4*f, &bias[c])
		}
		if step == 0 {
			p -= tile - 1 // only one position is done
		}
	}
}

func poolReLU(dst []float32, winner []uint8, top, bottom []float32, n, f int) {
	switch {
	case n == 0:
	case level == levelAVX512 && f%Block == 0:
		poolReLUAVX512(&dst[0], &winner[0], &top[0], &bottom[0], n, 4*f)
	case level == levelAVX2 && f%Block == 0:
		poolReLUAVX2(&dst[0], &winner[0], &top[0], &bottom[0], n, 4*f)
	default:
		poolReLUGeneric(dst, winner, top, bottom, n, f)
	}
}

func gather(dst []float32, dstStride int, src []float32, srcStride int, sums []Sum, terms []Term, runs, runLen int) {
	if level == levelGeneric || runLen%Block != 0 {
		gatherGeneric(dst, dstStride, src, srcStride, sums, terms, runs, runLen)
		return
	}
	if len(sums) == 0 || len(terms) == 0 {
		return
	}
	for r := range runs {
		for at := 0; at < runLen; {
			body, block := gather16AVX2, 16
			switch left := runLen - at; {
			case level == levelAVX512 && left >= 128:
				body, block = gather128AVX512, 128
			case level == levelAVX512 && left >= 64:
				body, block = gather64AVX512, 64
			case level == levelAVX512:
				body = gather16AVX512
			case left >= 64:
				body, block = gather64AVX2, 64
			}
			body(&dst[r*dstStride+at], &sums[0], len(sums), &terms[0], &src[r*srcStride+at])
			at += block
		}
	}
}

// Pooled positions that one call of a firstForward kernel computes together.
const (
	firstTileAVX512 = 4
	firstTileAVX2   = 2
)

func firstForward(dst []float32, winner []uint8, x []float32, rowStride int, w, bias []float32, n int) bool {
	f := len(bias)
	body, block, tile := firstForwardAVX512, 16, firstTileAVX512
	if level == levelAVX2 {
		body, block, tile = firstForwardAVX2, 8, firstTileAVX2
	}
	if level == levelGeneric || f%Block != 0 || n < tile {
		return false
	}
	tiles := (n + tile - 1) / tile
	for c := 0; c < f; c += block {
		// The last tile overlaps the one before it and computes some values again.
		body(&dst[c], &winner[c], &x[0], 4*rowStride, &w[c], &bias[c], tiles, n-(tiles-1)*tile, 4*f)
	}
	return true
}

func firstBackward(dw, g []float32, winner []uint8, x []float32, rowStride, n, f int, scratch []float32) {
	body, block := firstBackwardAVX512, 16
	if level == levelAVX2 {
		body, block = firstBackwardAVX2, 8
	}
	if level == levelGeneric || f%Block != 0 {
		firstBackwardGeneric(dw, g, winner, x, rowStride, n, f)
		return
	}
	if n == 0 {
		return
	}
	firstCandidates(&scratch[0], &x[0], 4*rowStride, n)
	for c := 0; c < f; c += block {
		body(&dw[c], &g[c], &winner[c], &scratch[0], n, 4*f)
	}
}
