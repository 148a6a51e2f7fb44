package kernel

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// Body is one implementation of the operators: what one instruction set makes of them. Conv and
// Dense are written once, over these hooks, so that a new body is a packing function and a few
// loops over flat memory.
//
// A body reads and writes nothing outside the ranges that its hooks are given, and its results
// equal those of Generic byte for byte.
type Body struct {
	name  string
	block int // channels computed together: sums, biases and scales are padded to a multiple of it
	// values of x multiplied together: run lengths and depths are padded to a multiple of it
	group int

	// pack lays out the weights w (channels, depth) and the biases (channels); both counts are
	// multiples of block and group.
	pack        func(w []int8, bias []int32) rower
	weightBytes int // bytes that a weight takes when packed

	// scratch is the number of bytes of scratch memory that rows needs for windows like v. nil:
	// none.
	scratch func(v Windows) int

	// requantize turns len(mult) sums into bytes; a multiple of block.
	requantize func(dst []uint8, sums []int32, mult []float32)

	// pool takes the maximum of 2x2 windows with stride 2 and requantises it: top and bottom are
	// two rows of 2n positions with len(mult) channels, a multiple of block; dst is (n, len(mult)).
	pool func(dst []uint8, top, bottom []int32, n int, mult []float32)

	// packFirst prepares the first layer of a picture network, 3x3 windows with stride 2 over one
	// channel and a 2x2 pool with stride 2, for w (channels, 3, 3); the number of channels is a
	// multiple of firstBlock. nil: the layer goes through rows and pool like any other.
	packFirst  func(w []int8, bias []int32, mult []float32) firster
	firstBlock int
	firstBytes int // that a channel of such a layer takes when packed
	firstSlack int // bytes behind the last pixel of a row's windows that it may read

	// packShared prepares a layer of the same windows over more channels, where the body can make
	// more of the four windows together than of each one: w (channels, 3, 3, inC). The channels are
	// a multiple of sharedBlock, inC one of sharedGroup, and a row has sharedLeast outputs or more.
	// nil: as for packFirst.
	packShared    func(w []int8, bias []int32, mult []float32, inC int) sharer
	sharedBlock   int
	sharedGroup   int
	sharedLeast   int
	sharedBytes   int // that the nine weights of a channel and an input channel take when packed
	sharedScratch func(inC int) int
}

// rower holds a layer's weights as its body packed them. It is immutable: several goroutines may
// share one.
type rower interface {
	// rows computes the sums of a row of n positions: dst (n, channels) = bias + windows of x * w.
	// It may use scratch, of at least Body.scratch(v) bytes.
	rows(dst []int32, x []uint8, n int, v Windows, scratch []byte)
}

// pooler is a rower with a way of its own for rows below which a 2x2 pool with stride 2 takes the
// maximum: no sum is ever written.
type pooler interface {
	rower
	// pooled computes a row of n pooled outputs, dst (n, channels): output p is the maximum over
	// positions 2p and 2p+1 of the windows v and of the windows that lie down runs below them,
	// scaled by mult (channels) and rounded. It may use scratch, of at least
	// Body.scratch(v.and(down)) bytes.
	pooled(dst, x []uint8, n int, v Windows, down int, mult []float32, scratch []byte)
}

// firster holds the weights of a first layer as its body packed them. It is immutable.
type firster interface {
	// first computes a row of n pooled outputs, dst (n, channels): output p covers the 5x5 pixels
	// x[r*row+4*p+c].
	first(dst, x []uint8, row, n int)
}

// sharer holds the weights of a layer for packShared. It is immutable.
type sharer interface {
	// shared computes a row of n outputs, dst (n, channels): output p covers the 5x5 positions of
	// x, inC values each, from x[4*p*inC], with rows row apart. It may use scratch, of at least
	// Body.sharedScratch(inC) bytes.
	shared(dst, x []uint8, row, n int, scratch []byte)
}

// Windows says where the windows of one row of positions lie: position p has its first value at
// x[p*Step], and its window is Runs runs of RunLen contiguous values, RunStride apart.
//
//	3x3 windows over C channels, stride 2, rows of w positions:  Step 2*C, Runs 3, RunLen 3*C, RunStride w*C
type Windows struct{ Step, Runs, RunLen, RunStride int }

// depth is the number of values of one window.
func (v Windows) depth() int { return v.Runs * v.RunLen }

// and adds the runs of the windows that lie down runs below.
func (v Windows) and(down int) Windows {
	v.Runs += down
	return v
}

// reach is the number of values that n positions read, from the first.
func (v Windows) reach(n int) int { return (n-1)*v.Step + (v.Runs-1)*v.RunStride + v.RunLen }

// Name is what Choose knows the body by.
func (b *Body) Name() string { return b.name }

// Env is the environment variable that forces a body by its name, for tests and measurements.
const Env = "TIREWATCH_KERNEL"

// ErrNoBody says that this CPU, or this build, has no body of the name asked for.
var ErrNoBody = errors.New("no such kernel")

// Bodies are the bodies that this CPU can run, the fastest first. The last is Generic.
func Bodies() []*Body { return append(detect(), Generic) }

// Choose gives the body of a name; "" stands for what Env says, or else the fastest one.
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

// channels is the number of channels that a layer of n is padded to.
func (b *Body) channels(n int) int { return padTo(n, b.block) }

// packed pads w, runs of runLen weights for each channel, with zeros to whole groups and blocks,
// and packs it.
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

// scales pads mult to whole blocks. The channels behind the end are computed and never read.
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
