package trainer

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"

	"tirewatch/trainer/nn"
	"tirewatch/trainer/optim"
)

// Stepper is the innermost loop of a training: it runs a batch forward and backward on all cores,
// and Adam takes one step. A Trainer holds one. It is a type of its own so that measurements and
// comparisons can run the same code on other images. It is owned by one goroutine.
type Stepper struct {
	Adam *optim.Adam

	net     *nn.Net
	workers []stepWorker
	parts   [shards]part
}

// stepWorker is the memory of one core.
type stepWorker struct {
	*nn.Worker
	image []float32 // live part of one image
}

// shards is the number of parts that a batch is cut into. Each part sums its gradients in the order
// of its images, and the parts are added in order. So the result does not depend on the number of
// cores.
const shards = 16

// part is the contribution of one shard of a batch.
type part struct {
	grads nn.Gradients
	loss  float64
	right int
	err   error // from an example that could not be made
}

// Example is one image of a batch.
type Example struct {
	X      []float32 // live part of the image, values 0 to 1 (nn.Net.LiveInput)
	Crack  bool
	Weight float64    // weight of its loss; usually 1
	RNG    *rand.Rand // draws the dropout

	// The label of a sound tire is Smoothing and that of a crack 1 - Smoothing, usually 0 and 1.
	Smoothing float64
}

// label returns what the network should answer.
func (e *Example) label() float64 {
	if e.Crack {
		return 1 - e.Smoothing
	}
	return e.Smoothing
}

// NewStepper makes the loop for a network, with a worker for each core. Freeze layers before this
// call.
func NewStepper(net *nn.Net) *Stepper {
	s := &Stepper{Adam: optim.NewAdam(net.Tensors()), net: net}
	for range runtime.GOMAXPROCS(0) {
		s.workers = append(s.workers, stepWorker{net.NewWorker(), make([]float32, net.LiveInput().Size())})
	}
	for i := range s.parts {
		s.parts[i].grads = net.NewGradients()
	}
	return s
}

// Step takes one optimizer step on n examples. get makes example i, in x or in its own memory. It
// is called for several i at the same time, each on another core (0 to below GOMAXPROCS). Step
// returns the sum of the losses and how many examples were classified correctly, with dropout and
// augmentation. If get fails, the weights are unchanged.
func (s *Stepper) Step(n int, get func(core, i int, x []float32) (Example, error)) (loss float64, right int, err error) {
	parallel(len(s.workers), shards, func(core, shard int) {
		w, p := &s.workers[core], &s.parts[shard]
		p.grads.Clear()
		p.loss, p.right, p.err = 0, 0, nil
		for i := shard * n / shards; i < (shard+1)*n/shards; i++ {
			e, err := get(core, i, w.image)
			if err != nil {
				p.err = err
				return
			}
			r := w.StepWeighted(e.X, e.label(), e.Weight, e.RNG, p.grads)
			p.loss += r.Loss
			if (r.Logit >= 0) == e.Crack {
				p.right++
			}
		}
	})
	for i := range s.parts {
		if s.parts[i].err != nil {
			return 0, 0, s.parts[i].err
		}
	}
	for i := range s.parts {
		loss, right = loss+s.parts[i].loss, right+s.parts[i].right
		if i > 0 {
			s.parts[0].grads.Add(s.parts[i].grads)
		}
	}
	s.net.ClearFrozen(s.parts[0].grads)
	s.Adam.Step(s.parts[0].grads.Tensors, 1/float64(n))
	s.net.Changed()
	return loss, right, nil
}

func label(crack bool) float64 {
	if crack {
		return 1
	}
	return 0
}

// parallel calls do for 0..n-1, each on one of the cores, counted from 0.
func parallel(cores, n int, do func(core, i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for k := range cores {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(k, i)
			}
		})
	}
	wg.Wait()
}
