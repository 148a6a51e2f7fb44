package kernel

// plainArm holds the weights of a first layer without a pool: 3x3 windows over one channel.
type plainArm struct {
	depthwiseNEON               // for any stride, sum and scale
	dot           []sdotRecord  // for SDOT, if sums are rounded in place
	neon          []plainRecord // otherwise
	outputs       int           // of a step
}

// plainRecord holds sixteen channels as neonPlain2 reads them. Its pixels are not signed.
type plainRecord struct {
	w     [9][16]int16
	mult  [16]float32
	bias  [16]int32 // includes 0x4B000000
	round [16]float32
}

//go:noescape
func neonPlain(dst *uint8, dstStep int, x *uint8, row, xStep, n int, w *depthwiseRecord)

//go:noescape
func neonPlain2(dst *uint8, dstStep int, x *uint8, row, steps, last int, w *plainRecord)

//go:noescape
func sdotPlain2(dst *uint8, dstStep int, x *uint8, row, steps, last int, w *sdotRecord)

func packPlainNEON(w []int8, bias []int32, mult []float32) plainer {
	p := &plainArm{depthwiseNEON: *packDepthwiseNEON(w, bias, mult).(*depthwiseNEON), outputs: 4}
	if w, bias, mult = settled(w, bias, mult); !p.fast {
		return p
	}
	p.neon = make([]plainRecord, len(p.records))
	for i := range p.neon {
		r, at := &p.neon[i], depthwiseAt(i, len(bias))
		for c := range depthwiseBlock {
			for k, v := range w[9*(at+c):][:9] {
				r.w[k][c] = int16(v)
			}
			r.bias[c] = bias[at+c] + 0x4B000000
		}
		r.mult, r.round = p.records[i].mult, p.records[i].round
	}
	return p
}

func packPlainSDOT(w []int8, bias []int32, mult []float32) plainer {
	p := &plainArm{depthwiseNEON: *packDepthwiseNEON(w, bias, mult).(*depthwiseNEON), outputs: 8}
	if w, bias, mult = settled(w, bias, mult); !p.fast {
		return p
	}
	p.dot = make([]sdotRecord, len(p.records))
	for i := range p.dot {
		r, at := &p.dot[i], depthwiseAt(i, len(bias))
		for c := range depthwiseBlock {
			for k, v := range w[9*(at+c):][:9] {
				r.w[k/3][c][k%3] = v // rows instead of columns
			}
		}
		r.scaledSums = p.records[i].scaledSums
	}
	return p
}

func (p *plainArm) plain(dst, x []uint8, row, stride, n int) {
	_, _ = dst[n*p.channels-1], x[plainReach(row, stride, n)-1]
	fast := p.fast && stride == 2 && n >= p.outputs
	steps := (n + p.outputs - 1) / p.outputs
	for i := range p.records {
		to := &dst[depthwiseAt(i, p.channels)]
		switch {
		case fast && p.dot != nil:
			sdotPlain2(to, p.channels, &x[0], row, steps, steps*p.outputs-n, &p.dot[i])
		case fast:
			neonPlain2(to, p.channels, &x[0], row, steps, steps*p.outputs-n, &p.neon[i])
		default:
			neonPlain(to, p.channels, &x[0], row, stride, n, &p.records[i])
		}
	}
}
