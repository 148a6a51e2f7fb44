package kernel

//go:noescape
func sdotExpand(panel *byte, x *uint8, row, steps int)

//go:noescape
func sdotFirst(dst *uint8, dstStep int, panel *byte, n int, layer *sdotLayer)

//go:noescape
func sdotFirstAny(dst *uint8, dstStep int, panel *byte, n int, layer *sdotLayer)

//go:noescape
func neonExpand(panel *byte, x *uint8, row, steps int)

//go:noescape
func neonFirst(dst *uint8, dstStep int, panel *byte, n int, layer *neonLayer)

//go:noescape
func neonFirstAny(dst *uint8, dstStep int, panel *byte, n int, layer *neonLayer)

// The first layer runs in two passes over a row of outputs. The expand function lays out the pixels
// as the multiplications need them, once for all channels, in a panel that stays in the first-level
// cache. Then 16 channels are computed at a time, with their weights in registers.
const (
	expandStep = 4 // outputs that expand lays out in a step, from 18 pixels of each row
	// pixels that it reads after the fifth pixel of an output that is alone in the last step
	expandSlack = 13
	panelSteps  = 24  // steps of a panel; neon_arm64.s has its parts of 64, 64 and 32 bytes per step
	sdotPanel   = 192 // bytes of a step
	neonPanel   = 160 // bytes of a step
)

// expandReach returns the number of pixels of a row that expand reads for n outputs.
func expandReach(n int) int { return padTo(n, expandStep)*4 + 2 }

// scaling holds the scales that turn the sums of 16 channels into bytes.
type scaling struct {
	mult  [armBlock]float32
	round [armBlock]float32 // -2^23 * mult
}

// sdotLayer holds 16 channels of a first layer as sdotFirst reads them. The sum of a position
// starts with the table row that its ninth pixel selects: the product of that pixel plus the bias.
// Two SDOT are then enough for the other eight taps; without the table, a third SDOT would be three
// quarters empty. The 16 KiB of the table stay in the first-level cache for a row of outputs.
type sdotLayer struct {
	w [4][2][4][4]int8 // (channel/4, product, channel%4, tap)
	scaling
	start [256][armBlock]int32 // (ninth pixel, channel)
}

// sdotTaps are the taps of the two products.
var sdotTaps = [2][4]int{{0, 1, 3, 4}, {6, 7, 2, 5}}

// neonLayer holds 16 channels of a first layer as neonFirst reads them.
type neonLayer struct {
	pairs [4][armBlock][2]int8 // (pair of taps, channel)
	ninth [armBlock]int16
	scaling
	bias [armBlock]int32
}

// neonTaps are the taps of the pairs: the first two of each row, then the last ones of the first
// two rows.
var neonTaps = [4][2]int{{0, 1}, {3, 4}, {6, 7}, {2, 5}}

// newScaling prepares the scaling of 16 channels with weights w (16, 9). It also returns the start
// values of the sums: the biases for signed pixels, plus 0x4B000000 if rounding is fast.
func newScaling(w []int8, bias []int32, mult []float32) (s scaling, start []int32, fast bool) {
	fast = roundsFast(w, bias, mult)
	start = signedBias(w, bias)
	for c, m := range mult {
		s.mult[c], s.round[c] = m, -(1<<23)*m
		if fast {
			start[c] += 0x4B000000
		}
	}
	return s, start, fast
}

// roundsFast reports whether the limits of ROUNDFAST hold for all channels: every sum fits 23 bits,
// and every scaled sum 15.
func roundsFast(w []int8, bias []int32, mult []float32) bool {
	depth := len(w) / len(bias)
	for c := range bias {
		reach := max(1, int64(bias[c]), -int64(bias[c]))
		for _, v := range w[c*depth : (c+1)*depth] {
			reach += 255 * max(int64(v), -int64(v))
		}
		if reach >= 1<<23 || float64(reach)*float64(mult[c]) >= 32_000 {
			return false
		}
	}
	return true
}

type sdotFirster struct {
	layers []sdotLayer
	fast   []bool
}

func packFirstSDOT(w []int8, bias []int32, mult []float32) firster {
	f := &sdotFirster{make([]sdotLayer, len(bias)/armBlock), make([]bool, len(bias)/armBlock)}
	for i := range f.layers {
		l, at := &f.layers[i], i*armBlock
		w := w[9*at : 9*(at+armBlock)]
		var start []int32
		l.scaling, start, f.fast[i] = newScaling(w, bias[at:at+armBlock], mult[at:at+armBlock])
		for c := range armBlock {
			for k, taps := range sdotTaps {
				for j, tap := range taps {
					l.w[c/4][k][c%4][j] = w[9*c+tap]
				}
			}
			for x := range l.start {
				l.start[x][c] = start[c] + int32(w[9*c+8])*int32(x-128)
			}
		}
	}
	return f
}

func (f *sdotFirster) first(dst, x []uint8, row, n int) {
	var panel [panelSteps * sdotPanel]byte
	channels := len(f.layers) * armBlock
	dst, x = dst[:n*channels], x[:4*row+expandReach(n)]
	for at := 0; at < n; at += panelSteps * expandStep {
		now := min(panelSteps*expandStep, n-at)
		sdotExpand(&panel[0], &x[4*at], row, (now+expandStep-1)/expandStep)
		for i := range f.layers {
			out := &dst[at*channels+i*armBlock]
			if f.fast[i] {
				sdotFirst(out, channels, &panel[0], now, &f.layers[i])
			} else {
				sdotFirstAny(out, channels, &panel[0], now, &f.layers[i])
			}
		}
	}
}

type neonFirster struct {
	layers []neonLayer
	fast   []bool
}

func packFirstNEON(w []int8, bias []int32, mult []float32) firster {
	f := &neonFirster{make([]neonLayer, len(bias)/armBlock), make([]bool, len(bias)/armBlock)}
	for i := range f.layers {
		l, at := &f.layers[i], i*armBlock
		w := w[9*at : 9*(at+armBlock)]
		for c := range armBlock {
			for k, taps := range neonTaps {
				l.pairs[k][c] = [2]int8{w[9*c+taps[0]], w[9*c+taps[1]]}
			}
			l.ninth[c] = int16(w[9*c+8])
		}
		var start []int32
		l.scaling, start, f.fast[i] = newScaling(w, bias[at:at+armBlock], mult[at:at+armBlock])
		copy(l.bias[:], start)
	}
	return f
}

func (f *neonFirster) first(dst, x []uint8, row, n int) {
	var panel [panelSteps * neonPanel]byte
	channels := len(f.layers) * armBlock
	dst, x = dst[:n*channels], x[:4*row+expandReach(n)]
	for at := 0; at < n; at += panelSteps * expandStep {
		now := min(panelSteps*expandStep, n-at)
		neonExpand(&panel[0], &x[4*at], row, (now+expandStep-1)/expandStep)
		for i := range f.layers {
			out := &dst[at*channels+i*armBlock]
			if f.fast[i] {
				neonFirst(out, channels, &panel[0], now, &f.layers[i])
			} else {
				neonFirstAny(out, channels, &panel[0], now, &f.layers[i])
			}
		}
	}
}
