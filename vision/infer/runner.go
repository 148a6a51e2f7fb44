package infer

import (
	"fmt"
	"slices"
	"time"

	"tirewatch/vision/graph"
	"tirewatch/vision/kernel"
)

// MaxMemory bounds what a Runner may take, in bytes: a station has little more than 1 GiB for
// everything.
const MaxMemory = 256 << 20

// Runner carries a Model out, one image at a time. It is not for concurrent use; several Runners
// may share a Model.
//
// Convolutions and pools form chains whose rows flow from layer to layer: the first one, which
// several goroutines may share, up to the stage where the network is split, and a second one behind
// it. The dense layers follow on the whole of what the chains made.
type Runner struct {
	input int // bytes of one image
	body  *kernel.Body

	front *chain // nil where the network begins with dense layers
	// the goroutine of Run computes rows 0 up to end of front's output, the helpers the rest
	end     int
	helpers []*helper
	middle  []uint8 // front's output

	back  *chain  // nil where nothing stands between front and the dense layers
	out   []uint8 // back's output, or else middle
	dense []denseLayer
	timed bool // Profile is under way

	whole []*chain // of Observe, a stage each; nil before its first call
}

// Option changes what NewRunner makes.
type Option func(*options)

type options struct{ threads int }

// Threads lets n goroutines share the rows of an image. Close ends them. The results are the same.
func Threads(n int) Option { return func(o *options) { o.threads = n } }

type denseLayer struct {
	name string
	macs int
	*kernel.Dense
	spent time.Duration
}

// NewRunner checks the model, packs its weights and allocates all memory that Run needs. The model
// is not changed and not needed afterwards. The environment variable kernel.Env forces a kernel.
func NewRunner(m *Model, opts ...Option) (*Runner, error) {
	o := options{threads: 1}
	for _, set := range opts {
		set(&o)
	}
	if o.threads < 1 {
		return nil, fmt.Errorf("prepare network: %d threads", o.threads)
	}
	if err := m.Validate(); err != nil {
		return nil, err
	}
	steps, err := m.Graph.Plan()
	if err != nil {
		return nil, err
	}
	body, err := kernel.Choose("")
	if err != nil {
		return nil, fmt.Errorf("prepare network: %w", err)
	}
	if n := memory(steps, body) * int64(o.threads); n > MaxMemory {
		return nil, fmt.Errorf("%w: running it takes %d MiB, the limit is %d", ErrModel, n>>20, MaxMemory>>20)
	}
	r := &Runner{input: m.Graph.Input.Size(), body: body}
	// the image keeps its dead border; what stages make has none
	row := m.Graph.Input.W * m.Graph.Input.C
	trained := 0
	var stages []*stage
	for i := 0; i < len(steps); i++ {
		s := steps[i]
		switch s.Kind {
		case graph.Conv2D:
			pool := poolBehind(steps, i)
			stages = append(stages, newConvStage(body, s, pool, row, &m.Layers[trained]))
			trained++
			for pool != nil && steps[i].Kind != graph.MaxPool2D {
				i++ // the pool is done
			}
		case graph.MaxPool2D:
			stages = append(stages, newPoolStage(s, row))
		case graph.Dense:
			l := &m.Layers[trained]
			trained++
			r.dense = append(r.dense, denseLayer{name: s.Name, macs: s.Weights(), Dense: kernel.NewDense(body, l.Weights(), l.Bias, slices.Clone(l.Mult))})
		default: // flatten and dropout leave the values as they are
			continue
		}
		row = steps[i].LiveOut.W * steps[i].LiveOut.C
	}
	if len(stages) > 0 {
		r.join(stages, o.threads)
	}
	return r, nil
}

// join makes chains of the stages and starts the helpers.
func (r *Runner) join(stages []*stage, threads int) {
	s := bestSplit(stages, threads)
	last := stages[s.stage]
	r.middle = make([]uint8, last.height*last.row)
	for w := len(s.at) - 2; w > 0; w-- {
		var copies []*stage
		for _, s := range stages[:s.stage+1] {
			copies = append(copies, s.clone())
		}
		r.helpers = append(r.helpers, startHelper(newChain(copies, r.middle), s.at[w], s.at[w+1]))
	}
	r.front, r.end = newChain(stages[:s.stage+1], r.middle), s.at[1]
	r.out = r.middle
	if rest := stages[s.stage+1:]; len(rest) > 0 {
		last := rest[len(rest)-1]
		r.out = make([]uint8, last.height*last.row)
		r.back = newChain(rest, r.out)
	}
}

// Close ends the goroutines of a Runner with Threads. No Run may be under way or follow.
func (r *Runner) Close() {
	for _, h := range r.helpers {
		h.job.set(closed)
	}
	r.helpers = nil
}

// poolBehind finds the pool that takes the maximum of layer i's sums, or nil. Dropout in between
// does nothing here.
func poolBehind(steps []graph.Step, i int) *graph.Step {
	for i++; steps[i].Kind == graph.Dropout; i++ {
	}
	if steps[i].Kind == graph.MaxPool2D {
		return &steps[i]
	}
	return nil
}

// memory bounds what the layers take, in bytes.
func memory(steps []graph.Step, b *kernel.Body) int64 {
	sum := int64(0)
	for i, s := range steps {
		switch s.Kind {
		case graph.Conv2D:
			shape := convShape(s, poolBehind(steps, i), 0)
			sum += shape.Memory(b) + int64(shape.OutSize())
		case graph.MaxPool2D:
			sum += int64(s.LiveOut.Size())
		case graph.Dense:
			sum += kernel.DenseMemory(b, s.Filters, s.In.C)
		}
	}
	return sum
}

// Run computes the network for pix, Spec.Size() bytes made by preprocess, and returns the sum of
// the last layer: Model.Logit makes the logit of it. It allocates nothing.
func (r *Runner) Run(pix []byte) (int32, error) {
	if len(pix) != r.input {
		return 0, r.wrongSize(pix)
	}
	if r.front != nil {
		for _, h := range r.helpers {
			h.post(pix)
		}
		r.front.run(pix, 0, r.end)
		for _, h := range r.helpers {
			h.finish()
		}
		if r.back != nil {
			r.back.run(r.middle, 0, r.back.height())
		}
		pix = r.out
	}
	last := len(r.dense) - 1
	for i := range r.dense[:last] {
		began := clock(r.timed)
		pix = r.dense[i].Run(pix)
		r.dense[i].spent += since(began)
	}
	began := clock(r.timed)
	sum := r.dense[last].Sums(pix)[0]
	r.dense[last].spent += since(began)
	return sum, nil
}

func (r *Runner) wrongSize(pix []byte) error {
	return fmt.Errorf("run network: image of %d bytes, want %d", len(pix), r.input)
}

// Kernel names the body of the operators that this Runner uses.
func (r *Runner) Kernel() string { return r.body.Name() }

// Scratch is the memory that Run works in, in bytes: activations and buffers, without the packed
// weights.
func (r *Runner) Scratch() int {
	sum := len(r.middle)
	if r.front != nil {
		sum += r.front.scratch()
	}
	for _, h := range r.helpers {
		sum += h.chain.scratch()
	}
	if r.back != nil {
		sum += r.back.scratch() + len(r.out)
	}
	for i := range r.dense {
		sum += r.dense[i].Scratch()
	}
	return sum
}
