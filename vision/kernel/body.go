package kernel

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// Body is the implementation of the operators for one instruction set. Conv and Dense are written
// once and use these hooks, so that a new body is a packing function and a few loops over flat
// memory.
//
// A body reads and writes nothing outside the ranges that are passed to its hooks, and its results
// equal those of Generic byte for byte.
type Body struct {
	name  string
	block int // channels computed together: sums, biases and scales are padded to a multiple of it
	// values of x multiplied together: run lengths and depths are padded to a multiple of it
	group int

	// pack lays out the weights w (channels, depth) and the biases (channels). channels is a
	// multiple of block, depth of group.
	pack        func(w []int8, bias []int32) rower
	weightBytes int // bytes that a weight takes when packed

	// scratch returns the bytes of scratch memory that rows needs for windows like v. nil: none.
	scratch func(v Windows) int

	// requantize turns the sums of some positions (n, len(mult)), at least one, into bytes.
	// len(mult) is a multiple of block.
	requantize func(dst []uint8, sums []int32, mult []float32)

	// pool takes the maximum of 2x2 windows with stride 2 and requantises it: top and bottom are
	// two rows of 2n positions with len(mult) channels, a multiple of block; dst is (n, len(mult)).
	pool func(dst []uint8, top, bottom []int32, n int, mult []float32)

	// packFirst prepares the first layer of an image network: 3x3 windows with stride 2 over one
	// channel and a 2x2 pool with stride 2. w is (channels, 3, 3), with channels a multiple of
	// firstBlock. nil: the layer uses rows and pool like any other.
	packFirst  func(w []int8, bias []int32, mult []float32) firster
	firstBlock int
	firstBytes int // bytes of a packed channel of such a layer
	firstSlack int // bytes after the last pixel of a row's windows that it may read

	// packPlain prepares a first layer with 3x3 windows over one channel and no pool. w is
	// (channels, 3, 3), with at least plainLeast channels. nil: the layer uses rows.
	packPlain  func(w []int8, bias []int32, mult []float32) plainer
	plainLeast int
	plainBytes int // bytes of a packed channel, at most

	// packShared prepares a layer of the same windows over more channels, for a body that computes
	// the four windows under a pool window faster together than one by one. w is (channels, 3, 3,
	// inC), with channels a multiple of sharedBlock and inC a multiple of sharedGroup. A row has at
	// least sharedLeast outputs. nil: as for packFirst.
	packShared    func(w []int8, bias []int32, mult []float32, inC int) sharer
	sharedBlock   int
	sharedGroup   int
	sharedLeast   int
	sharedBytes   int // bytes of the nine packed weights of a channel and an input channel
	sharedScratch func(inC int) int

	// packNarrow prepares a 1x1 convolution whose sums become bytes before they are stored. w is
	// (channels, taps), with channels a multiple of block and taps of narrowGroup. It returns nil if
	// the body has no function for these weights and scales; then, or if packNarrow is nil, the layer
	// uses rows and requantize. A row has at least narrowLeast positions.
	packNarrow  func(w []int8, bias []int32, mult []float32) narrower
	narrowGroup int
	narrowLeast int
	narrowBytes int // bytes of a packed channel, besides its weights

	// packDepthwise prepares a depthwise convolution with 3x3 windows over at least depthwiseLeast
	// channels. w is (channels, 3, 3). nil: plain Go computes it.
	packDepthwise  func(w []int8, bias []int32, mult []float32) depthwiser
	depthwiseLeast int
	depthwiseBytes int // bytes of a packed channel, at most
}

// rower holds a layer's packed weights. It is immutable, so several goroutines may share it.
type rower interface {
	// rows computes the sums of a row of n positions: dst (n, channels) = bias + windows of x * w.
	// scratch has at least Body.scratch(v) bytes.
	rows(dst []int32, x []uint8, n int, v Windows, scratch []byte)
}

// pooler is a rower that also computes rows under a 2x2 pool with stride 2 directly, without
// writing the sums.
type pooler interface {
	rower
	// pooled computes a row of n pooled outputs, dst (n, channels). Output p is the maximum over
	// positions 2p and 2p+1 of the windows v and of the windows down runs below them, scaled by
	// mult (channels) and rounded. scratch has at least Body.scratch(v.and(down)) bytes.
	pooled(dst, x []uint8, n int, v Windows, down int, mult []float32, scratch []byte)
}

// firster holds the packed weights of a first layer. It is immutable.
type firster interface {
	// first computes a row of n pooled outputs, dst (n, channels). Output p covers the 5x5 pixels
	// x[r*row+4*p+c].
	first(dst, x []uint8, row, n int)
}

// plainer holds the packed weights of a first layer without a pool. It is immutable.
type plainer interface {
	// plain computes a row of n outputs, dst (n, channels). Output p covers the 3x3 pixels
	// x[r*row+p*stride+c]. x has at least plainReach values.
	plain(dst, x []uint8, row, stride, n int)
}

// plainReach returns the number of values that plain may read for n outputs: one more than the
// windows cover.
func plainReach(row, stride, n int) int { return 2*row + (n-1)*stride + 4 }

// sharer holds the packed weights of a layer from packShared. It is immutable.
type sharer interface {
	// shared computes a row of n outputs, dst (n, channels). Output p covers 5x5 positions of x
	// with inC values each, from x[4*p*inC] on; row is the distance of their rows. scratch has at
	// least Body.sharedScratch(inC) bytes.
	shared(dst, x []uint8, row, n int, scratch []byte)
}

// narrower holds the packed weights of a 1x1 convolution. It is immutable.
type narrower interface {
	// narrow computes a row of n outputs, dst (n, channels), from windows of one run. n is at least
	// Body.narrowLeast. scratch has at least Body.scratch(v) bytes.
	narrow(dst, x []uint8, n int, v Windows, scratch []byte)
}

// depthwiser holds the packed weights of a depthwise convolution. It is immutable.
type depthwiser interface {
	// depthwise computes a row of n outputs, dst (n, channels). Output p covers the columns from
	// x+p*stride on of three rows (columns, channels).
	depthwise(dst []uint8, rows [][]uint8, x, stride, n int)
}

// borderer is a depthwiser that computes windows over the border too: where borders reports it, x
// may be -1, and the last window may cover one column after the end of the rows. These columns are
// zeros.
type borderer interface {
	depthwiser
	borders(stride int) bool
}

// Windows describes the windows of one row of positions. The window of position p starts at
// x[p*Step] and has Runs runs of RunLen contiguous values, at a distance of RunStride. For 3x3
// windows over C channels with stride 2 in rows of w positions:
//
//	Step 2*C, Runs 3, RunLen 3*C, RunStride w*C
type Windows struct{ Step, Runs, RunLen, RunStride int }

// depth returns the number of values of one window.
func (v Windows) depth() int { return v.Runs * v.RunLen }

// and returns the windows v extended to the windows down runs below.
func (v Windows) and(down int) Windows {
	v.Runs += down
	return v
}

// reach returns the number of values from the first to the last that n positions read.
func (v Windows) reach(n int) int { return (n-1)*v.Step + (v.Runs-1)*v.RunStride + v.RunLen }

// Name returns the name of the body, for Choose.
func (b *Body) Name() string { return b.name }

// Env is the environment variable that selects a body by its name, for tests and measurements.
const Env = "TIREWATCH_KERNEL"

// ErrNoBody means that this CPU, or this build, has no body with the given name.
var ErrNoBody = errors.New("no such kernel")

// Bodies returns the bodies that this CPU can run, the fastest first. The last one is Generic.
func Bodies() []*Body { return append(detect(), Generic) }

// Choose returns the body with a name. For "" it returns the body that Env names, or the fastest
// one if Env is not set.
func Choose(name string) (*Body, error) {
	from := ""
	if name == "" {
		name, from = os.Getenv(Env), Env+"="
	}
	have := Bodies()
	var names []string
	for _, b := range have {
		if b.name == name || name == "" {
			return b, nil
		}
		names = append(names, b.name)
	}
	return nil, fmt.Errorf("%w: %s%s; this CPU has %s", ErrNoBody, from, name, strings.Join(names, ", "))
}

// padTo rounds n up to a multiple of m.
func padTo(n, m int) int { return (n + m - 1) / m * m }

// channels returns the number of channels to which a layer of n channels is padded.
func (b *Body) channels(n int) int { return padTo(n, b.block) }

// packed pads w, runs of runLen weights for each channel, with zeros to whole groups and blocks,
// then packs it.
func (b *Body) packed(w []int8, bias []int32, runLen int) rower {
	depth := len(w) / len(bias)
	runs, padded := depth/runLen, padTo(runLen, b.group)
	wide := make([]int8, b.channels(len(bias))*runs*padded)
	for i := range len(bias) * runs {
		copy(wide[i*padded:], w[i*runLen:(i+1)*runLen])
	}
	biases := make([]int32, b.channels(len(bias)))
	copy(biases, bias)
	return b.pack(wide, biases)
}

// scales pads mult to whole blocks. The channels after the end are computed and never read.
func (b *Body) scales(mult []float32) []float32 {
	out := make([]float32, b.channels(len(mult)))
	copy(out, mult)
	return out
}

func (b *Body) scratchFor(v Windows) []byte {
	if b.scratch == nil {
		return nil
	}
	return make([]byte, b.scratch(v))
}
