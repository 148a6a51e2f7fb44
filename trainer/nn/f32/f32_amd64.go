package f32

import "golang.org/x/sys/cpu"

// level is the instruction set in use; tests lower it to exercise every body.
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

// Kernel names the bodies in use.
func Kernel() string { return levelNames[level] }

// tile is the number of positions that rows6xN computes together.
const tile = 6

//go:noescape
func rows6x64AVX512(dst *float32, dstStep int, x *float32, xStep, runs, runLen, runStride int, w *float32, wStep int, bias *float32)

//go:noescape
func rows6x16AVX2(dst *float32, dstStep int, x *float32, xStep, runs, runLen, runStride int, w *float32, wStep int, bias *float32)

//go:noescape
func poolReLUAVX512(dst *float32, winner *uint8, top, bottom *float32, n, f int)

//go:noescape
func poolReLUAVX2(dst *float32, winner *uint8, top, bottom *float32, n, f int)

//go:noescape
func scatterAVX512(entries *Entry, count int, x, dx, w, dw *float32, runs, runLen, runStride int)

//go:noescape
func scatterAVX2(entries *Entry, count int, x, dx, w, dw *float32, runs, runLen, runStride int)

//go:noescape
func scatter4AVX512(entries *Entry, count int, x, dx, w, dw *float32, runs, runLen, runStride int)

//go:noescape
func scatter4AVX2(entries *Entry, count int, x, dx, w, dw *float32, runs, runLen, runStride int)

//go:noescape
func firstBackwardAVX512(dw, grad *float32, winner *uint8, x *float32, rowStride, n, f int)

//go:noescape
func firstBackwardAVX2(dw, grad *float32, winner *uint8, x *float32, rowStride, n, f int)

func rows(dst, x []float32, n int, v Windows, w, bias []float32) {
	f := len(bias)
	if level == levelGeneric || f%Block != 0 {
		rowsGeneric(dst, x, n, v, w, bias)
		return
	}
	for p := 0; p < n; p += tile {
		step, dstStep := v.Step, f
		if p+tile > n {
			// The last tile overlaps the one before it; where there is none, six times the same position is computed. Both
			// repeat the same sums, so no result depends on where a tile starts.
			if n >= tile {
				p = n - tile
			} else {
				step, dstStep = 0, 0
			}
		}
		c := 0
		if level == levelAVX512 {
			for ; c+64 <= f; c += 64 {
				rows6x64AVX512(&dst[p*f+c], 4*dstStep, &x[p*v.Step], 4*step, v.Runs, v.RunLen, 4*v.RunStride, &w[c], 4*f, &bias[c])
			}
		}
		for ; c < f; c += Block {
			rows6x16AVX2(&dst[p*f+c], 4*dstStep, &x[p*v.Step], 4*step, v.Runs, v.RunLen, 4*v.RunStride, &w[c], 4*f, &bias[c])
		}
		if step == 0 {
			p -= tile - 1 // one position was done
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

func scatter(entries []Entry, x, dx, w, dw []float32, v Windows) {
	if level == levelGeneric || v.RunLen%Block != 0 {
		scatterGeneric(entries, x, dx, w, dw, v)
		return
	}
	one, four := scatterAVX2, scatter4AVX2
	if level == levelAVX512 {
		one, four = scatterAVX512, scatter4AVX512
	}
	for len(entries) > 0 {
		body, n := four, fours(entries)
		if n == 0 {
			body, n = one, 1
		}
		body(&entries[0], n, &x[0], &dx[0], &w[0], &dw[0], v.Runs, 4*v.RunLen, 4*v.RunStride)
		entries = entries[n:]
	}
}

// fours gives how many entries, a multiple of 4, come first in groups of four with one window and rising channels.
func fours(entries []Entry) int {
	n := 0
	for ; n+4 <= len(entries); n += 4 {
		for i := n; i < n+3; i++ {
			if entries[i].X != entries[i+1].X || entries[i].W >= entries[i+1].W {
				return n
			}
		}
	}
	return n
}

func firstBackward(dw, g []float32, winner []uint8, x []float32, rowStride, n, f int) {
	switch {
	case n == 0:
	case level == levelAVX512 && f%Block == 0:
		for c := 0; c < f; c += 16 {
			firstBackwardAVX512(&dw[c], &g[c], &winner[c], &x[0], 4*rowStride, n, 4*f)
		}
	case level == levelAVX2 && f%Block == 0:
		for c := 0; c < f; c += 8 {
			firstBackwardAVX2(&dw[c], &g[c], &winner[c], &x[0], 4*rowStride, n, 4*f)
		}
	default:
		firstBackwardGeneric(dw, g, winner, x, rowStride, n, f)
	}
}
