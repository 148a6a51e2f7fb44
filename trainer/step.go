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
// and Adam takes one step. A Trainer holds one; it stands alone so that a measurement or a
// comparison runs the same code on images of its own. It is owned by one goroutine.
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
// of its images, and the parts are added in order, so the result does not depend on how many cores
// compute them.
const shards = 16

// part is what one shard of a batch contributes.
type part struct {
	grads nn.Gradients
	loss  float64
	right int
	err   error // of an example that could not be made
}

// Example is one image of a batch.
type Example struct {
	X      []float32 // live part of the image, values 0 to 1 (nn.Net.LiveInput)
	Crack  bool
	Weight float64    // how much its loss counts; 1 as a rule
	RNG    *rand.Rand // draws the dropout
}

// NewStepper makes the loop for a network, with a worker for each core. Freeze layers before.
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

// Step takes one step of the optimizer on n examples. get makes example i, in x or in memory of its
// own; it is called for several i at a time, each on another core, counted from 0 to below
// GOMAXPROCS. Step returns the sum of the losses and how many examples were classified right, as
// seen in training. After an error of get the weights are as they were.
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
			r := w.StepWeighted(e.X, label(e.Crack), e.Weight, e.RNG, p.grads)
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

// parallel calls do for 0..n-1, each on some core, counted from 0.
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
