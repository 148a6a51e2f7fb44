package kernel

// Mean is the mean of each window for each channel. All windows are inside the input. It is not
// safe for concurrent use; Clone makes another one.
//
// The sum of a window is exact. It is requantised like the sum of any other layer, with the
// multiplier MeanScale, so the output has the scale of the input.
type Mean struct {
	In     Area
	H, W   int // size of the window
	Stride int
	OutW   int // positions in a row

	sums []int32 // (OutW, In.C), owned by the goroutine that calls Row
}

// MaxMean is the largest number of values of a mean: their sum fits int32, and their number is a
// float32.
const MaxMean = 1 << 23

// MeanScale returns the multiplier of a mean of n values.
func MeanScale(n int) float32 { return 1 / float32(n) }

// MeanGeneric is the specification of Mean.
//
//	x   (In.H, In.W, In.C), rows at a distance of In.Row
//	dst (outH, OutW, In.C)
func MeanGeneric(dst, x []uint8, m Mean, outH int) {
	for oy := range outH {
		for ox := range m.OutW {
			for c := range m.In.C {
				sum := int32(0)
				for y := range m.H {
					for i := range m.W {
						sum += int32(x[(oy*m.Stride+y)*m.In.Row+(ox*m.Stride+i)*m.In.C+c])
					}
				}
				dst[(oy*m.OutW+ox)*m.In.C+c] = RequantizeGeneric(sum, MeanScale(m.H*m.W))
			}
		}
	}
}

// Clone returns another Mean, for another goroutine.
func (m *Mean) Clone() *Mean {
	n := *m
	n.sums = make([]int32, m.OutW*m.In.C)
	return &n
}

// Scratch returns the memory of a Mean, in bytes.
func (m *Mean) Scratch() int { return 4 * m.OutW * m.In.C }

// Needs returns the rows of x, from y0 up to but not including y1, from which output row oy is
// computed.
func (m *Mean) Needs(oy int) (y0, y1 int) { return oy * m.Stride, oy*m.Stride + m.H }

// Row computes output row oy, dst (OutW, In.C). x holds rows of the input from row top on, at a
// distance of In.Row.
func (m *Mean) Row(dst, x []uint8, top, oy int) {
	y0, y1 := m.Needs(oy)
	m.Begin()
	for y := y0; y < y1; y++ {
		m.Add(x[(y-top)*m.In.Row:])
	}
	m.End(dst)
}

// Apart reports whether no row of x is part of two rows of windows. Then the rows that Needs
// returns may be added one by one between Begin and End, and nobody must keep them.
func (m *Mean) Apart() bool { return m.Stride >= m.H || m.H == m.In.H }

// Begin starts the sums of a row of windows.
func (m *Mean) Begin() { clear(m.sums) }

// Add adds the next row of x to the sums.
func (m *Mean) Add(x []uint8) {
	ch := m.In.C
	for ox := range m.OutW {
		sums := m.sums[ox*ch:][:ch]
		for i := range m.W {
			for c, v := range x[(ox*m.Stride+i)*ch:][:ch] {
				sums[c] += int32(v)
			}
		}
	}
}

// End writes the means of a row of windows, dst (OutW, In.C).
func (m *Mean) End(dst []uint8) {
	scale := MeanScale(m.H * m.W)
	for i, sum := range m.sums {
		dst[i] = requantizeWord(sum, scale)
	}
}
