package infer

import (
	"fmt"
	"slices"
	"time"

	"tirewatch/vision/graph"
	"tirewatch/vision/kernel"
)

// MaxMemory limits the memory of a Runner, in bytes. A station has little more than 1 GiB for
// everything.
const MaxMemory = 256 << 20

// Runner runs a Model, one image at a time. It is not safe for concurrent use. Several Runners may
// share a Model.
//
// Convolutions and pools form chains, in which rows flow from layer to layer. The first chain,
// which several goroutines may share, ends at the stage where the network is split. The second
// chain has the stages after it. The dense layers, or the sum of the highest scores, use the whole
// output of the chains.
type Runner struct {
	input int // bytes of one image
	body  *kernel.Body

	front *chain // nil if the network starts with a dense layer
	// the goroutine of Run computes the rows before end of front's output, the helpers the rest
	end     int
	helpers []*helper
	middle  []uint8 // front's output
	kept    []uint8 // middle if Keep chose the split, otherwise nil

	back  *chain  // nil if there is no stage between front and the dense layers
	out   []uint8 // back's output, otherwise middle
	dense []denseLayer
	top   *topLayer // instead of dense layers, or nil
	timed bool      // Profile is running

	whole []*chain // for Observe, one stage each; nil before its first call
}

// Option is an option of NewRunner.
type Option func(*options)

type options struct {
	threads int
	keep    string
}

// Threads lets n goroutines share the rows of an image. The results stay the same. Close ends the
// goroutines.
func Threads(n int) Option { return func(o *options) { o.threads = n } }

// Keep lets Run keep the activation of a convolution, for Kept. The network is split after that
// layer, so the activation exists as a whole and nothing is copied. The results stay the same.
func Keep(layer string) Option { return func(o *options) { o.keep = layer } }

type denseLayer struct {
	name string
	macs int
	*kernel.Dense
	spent time.Duration
}

type topLayer struct {
	name string
	*kernel.Top
	spent time.Duration
}

// NewRunner checks the model, packs its weights and allocates all memory that Run needs. It does
// not change the model and does not use it afterwards. The environment variable kernel.Env selects
// a kernel.
func NewRunner(m *Model, opts ...Option) (*Runner, error) {
	o := options{threads: 1}
	for _, set := range opts {
		set(&o)
	}
	if o.threads < 1 {
		return nil, fmt.Errorf("prepare network: %d threads, want at least 1", o.threads)
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
		return nil, fmt.Errorf("%w: it needs %d MiB of memory, the limit is %d", ErrModel, n>>20, MaxMemory>>20)
	}
	r := &Runner{input: m.Graph.Input.Size(), body: body}
	stages := r.assemble(m, steps)
	if o.keep != "" {
		i := slices.IndexFunc(stages, func(s *stage) bool { return s.name == o.keep })
		if i < 0 || !stages[i].bytes() {
			return nil, fmt.Errorf("prepare network: layer %q has no activation to keep", o.keep)
		}
		r.join(stages, split{stage: i, at: evenly(stages[i].height, o.threads)})
		r.kept = r.middle
	} else if len(stages) > 0 {
		r.join(stages, bestSplit(stages, o.threads))
	}
	return r, nil
}

// Kept returns the activation (H, W, C) of the layer of Keep in the last Run, valid until the next
// one. H and W are those of the live region.
func (r *Runner) Kept() []uint8 { return r.kept }

// assemble prepares the layers. It returns those that work row by row.
func (r *Runner) assemble(m *Model, steps []graph.Step) []*stage {
	var stages []*stage
	layers := m.Layers
	next := func() *Layer {
		l := &layers[0]
		layers = layers[1:]
		return l
	}
	// The image still has its unused border; the outputs of the stages have none.
	row := m.Graph.Input.W * m.Graph.Input.C
	for i := 0; i < len(steps); i++ {
		s := steps[i]
		switch s.Kind {
		case graph.Conv2D:
			if i == output(steps) {
				stages = append(stages, newScoreStage(r.body, s, row, next()))
				break
			}
			pool := poolAfter(steps, i)
			stages = append(stages, newConvStage(r.body, s, pool, row, next()))
			for pool != nil && steps[i].Kind != graph.MaxPool2D {
				i++ // the pool is part of the stage
			}
		case graph.Depthwise2D:
			stages = append(stages, newDepthwiseStage(r.body, s, row, next()))
		case graph.MaxPool2D:
			stages = append(stages, newPoolStage(s, row))
		case graph.MeanPool:
			stages = append(stages, newMeanStage(s, row))
		case graph.Dense:
			l := next()
			d := kernel.NewDense(r.body, l.Weights(), l.Bias, slices.Clone(l.Mult))
			r.dense = append(r.dense, denseLayer{name: s.Name, macs: s.Weights(), Dense: d})
		case graph.TopMean:
			r.top = &topLayer{name: s.Name, Top: kernel.NewTop(s.Top, s.In.Size())}
		default: // flatten and dropout do not change the values
			continue
		}
		row = steps[i].LiveOut.W * steps[i].LiveOut.C
	}
	return stages
}

// join makes chains from the stages, split at s, and starts the helpers.
func (r *Runner) join(stages []*stage, s split) {
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

// Close ends the goroutines of a Runner with Threads. Do not call it during Run, and do not call
// Run after it.
func (r *Runner) Close() {
	for _, h := range r.helpers {
		h.job.set(closed)
	}
	r.helpers = nil
}

// poolAfter returns the pool that takes the maximum of layer i's sums, or nil. It skips Dropout,
// which has no effect here.
func poolAfter(steps []graph.Step, i int) *graph.Step {
	for i++; steps[i].Kind == graph.Dropout; i++ {
	}
	if steps[i].Kind == graph.MaxPool2D {
		return &steps[i]
	}
	return nil
}

// memory returns an upper limit for the memory of the layers, in bytes.
func memory(steps []graph.Step, b *kernel.Body) int64 {
	sum := int64(0)
	for i, s := range steps {
		switch s.Kind {
		case graph.Conv2D:
			shape := convShape(s, poolAfter(steps, i), 0)
			sum += shape.Memory(b) + int64(shape.OutSize())
		case graph.Depthwise2D:
			shape := depthwiseShape(s, 0)
			sum += shape.Memory(b) + int64(s.LiveOut.Size())
		case graph.MaxPool2D, graph.MeanPool:
			sum += int64(s.LiveOut.Size() + kernel.ScoreBytes*s.LiveOut.W*s.In.C)
		case graph.Dense:
			sum += kernel.DenseMemory(b, s.Filters, s.In.C)
		case graph.TopMean: // the scores, and their copy to sort
			sum += int64(2 * kernel.ScoreBytes * s.In.Size())
		}
	}
	return sum
}

// Run computes the network for pix, Spec.Size() bytes from package preprocess, and returns the sum
// of the last layer, or of its highest scores. Model.Logit turns it into the logit. Run allocates
// nothing.
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
	if r.top != nil {
		began := clock(r.timed)
		sum := r.top.Sum(pix)
		r.top.spent += since(began)
		return sum, nil
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

// Kernel returns the name of the kernel.Body that this Runner uses.
func (r *Runner) Kernel() string { return r.body.Name() }

// Scratch returns the memory that Run works in, in bytes: activations and buffers, without the
// packed weights.
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
	if r.top != nil {
		sum += r.top.Scratch()
	}
	return sum
}
