package infer

import (
	"fmt"
	"slices"

	"tirewatch/vision/graph"
	"tirewatch/vision/kernel"
)

// MaxMemory bounds what a Runner may take, in bytes: the thesis network takes 2.5 MiB, and a station has little more than
// 1 GiB for everything.
const MaxMemory = 256 << 20

// Runner carries a Model out, one image at a time. It is not for concurrent use; several Runners may share a Model.
type Runner struct {
	input  int // bytes of one image
	ops    []op
	kernel string
	out    int32
}

// op computes one or two layers: it reads the activations x and returns those it made, in memory of its own. The last one
// writes the sum instead.
type op interface {
	run(x []uint8) []uint8
}

// NewRunner checks the model, packs its weights and allocates all memory that Run needs. The model is not changed and not
// needed afterwards.
func NewRunner(m *Model) (*Runner, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	steps, err := m.Graph.Plan()
	if err != nil {
		return nil, err
	}
	if n := memory(steps); n > MaxMemory {
		return nil, fmt.Errorf("%w: running it takes %d MiB, the limit is %d", ErrModel, n>>20, MaxMemory>>20)
	}
	r := &Runner{input: m.Graph.Input.Size(), kernel: kernel.Name()}
	row := m.Graph.Input.W * m.Graph.Input.C // the image keeps its dead border; what ops make has none
	trained := 0
	for i := 0; i < len(steps); i++ {
		s := steps[i]
		switch s.Kind {
		case graph.Conv2D:
			pool := poolBehind(steps, i)
			r.ops = append(r.ops, newConv(s, pool, row, &m.Layers[trained]))
			trained++
			for pool != nil && steps[i].Kind != graph.MaxPool2D {
				i++ // the pool is done
			}
		case graph.MaxPool2D:
			r.ops = append(r.ops, newPool(s, row))
		case graph.Dense:
			d := newDense(s, &m.Layers[trained])
			trained++
			r.ops = append(r.ops, d)
			if i == len(steps)-1 {
				d.last = &r.out
			}
		default: // flatten and dropout leave the values as they are
			continue
		}
		row = steps[i].LiveOut.W * steps[i].LiveOut.C
	}
	return r, nil
}

// poolBehind finds the pool that takes the maximum of layer i's sums, or nil. Dropout in between does nothing here.
func poolBehind(steps []graph.Step, i int) *graph.Step {
	for i++; steps[i].Kind == graph.Dropout; i++ {
	}
	if steps[i].Kind == graph.MaxPool2D {
		return &steps[i]
	}
	return nil
}

// memory is what the operators take, in bytes.
func memory(steps []graph.Step) int64 {
	sum := int64(0)
	for i, s := range steps {
		switch s.Kind {
		case graph.Conv2D:
			shape := convShape(s, poolBehind(steps, i), 0)
			sum += shape.Memory() + int64(shape.OutSize())
		case graph.MaxPool2D:
			sum += int64(s.LiveOut.Size())
		case graph.Dense:
			sum += kernel.PackedSize(s.Filters, s.In.C)
		}
	}
	return sum
}

// Run computes the network for pix, Spec.Size() bytes made by preprocess, and returns the sum of the last layer:
// Model.Logit makes the logit of it. It allocates nothing.
func (r *Runner) Run(pix []byte) (int32, error) {
	if len(pix) != r.input {
		return 0, fmt.Errorf("run network: image of %d bytes, want %d", len(pix), r.input)
	}
	for _, o := range r.ops {
		pix = o.run(pix)
	}
	return r.out, nil
}

// Kernel names the body of the operators that this Runner uses.
func (r *Runner) Kernel() string { return r.kernel }

type convOp struct {
	conv *kernel.Conv
	out  []uint8
}

func convShape(s graph.Step, pool *graph.Step, row int) kernel.ConvShape {
	shape := kernel.ConvShape{In: area(s.LiveIn, row), OutC: s.Filters, Conv: window(s)}
	if pool != nil {
		shape.Pool = window(*pool)
	}
	return shape
}

func newConv(s graph.Step, pool *graph.Step, row int, l *Layer) *convOp {
	shape := convShape(s, pool, row)
	return &convOp{
		conv: kernel.NewConv(shape, l.Weights(), l.Bias, slices.Clone(l.Mult)),
		out:  make([]uint8, shape.OutSize()),
	}
}

func (o *convOp) run(x []uint8) []uint8 {
	o.conv.Run(o.out, x)
	return o.out
}

type poolOp struct {
	in   kernel.Area
	pool kernel.Window
	out  []uint8
}

func newPool(s graph.Step, row int) *poolOp {
	return &poolOp{in: area(s.LiveIn, row), pool: window(s), out: make([]uint8, s.LiveOut.Size())}
}

func (o *poolOp) run(x []uint8) []uint8 {
	kernel.MaxPool(o.out, x, o.in, o.pool)
	return o.out
}

type denseOp struct {
	w    *kernel.Matrix
	mult []float32
	sums []int32
	out  []uint8
	last *int32 // where the network's sum goes; nil inside the network
}

func newDense(s graph.Step, l *Layer) *denseOp {
	w := kernel.Pack(l.Weights(), l.Bias)
	return &denseOp{w: w, mult: slices.Clone(l.Mult), sums: make([]int32, w.Padded()), out: make([]uint8, s.Filters)}
}

func (o *denseOp) run(x []uint8) []uint8 {
	o.w.Mul(o.sums, x)
	if o.last != nil {
		*o.last = o.sums[0]
		return nil
	}
	kernel.Requantize(o.out, o.sums, o.mult)
	return o.out
}

func window(s graph.Step) kernel.Window {
	return kernel.Window{
		Kernel: s.Kernel, Stride: s.Stride, PadTop: s.PadTop, PadLeft: s.PadLeft,
		OutH: s.LiveOut.H, OutW: s.LiveOut.W,
	}
}

func area(s graph.Shape, row int) kernel.Area { return kernel.Area{H: s.H, W: s.W, C: s.C, Row: row} }
