package nn

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"tirewatch/vision/graph"
)

// tuned returns the mobile network for size px with a worker that trains the blocks from 5 on.
func tuned(t testing.TB, size int) (*Net, *Worker) {
	t.Helper()
	n, err := New(graph.Mobile(size, 9), rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	frozen := []string{"conv"}
	for block := 1; block < 5; block++ {
		frozen = append(frozen, fmt.Sprint("depthwise", block), fmt.Sprint("pointwise", block))
	}
	if err := n.Freeze(frozen); err != nil {
		t.Fatal(err)
	}
	return n, n.NewWorker()
}

// One image of a fine-tuning, forward and backward, on one core.
func BenchmarkFineTune(b *testing.B) {
	for _, size := range []int{224, 448} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			n, w := tuned(b, size)
			x, grads := make([]float32, n.LiveInput().Size()), n.NewGradients()
			rng := rand.New(rand.NewPCG(1, 2))
			for i := range x {
				x[i] = rng.Float32()
			}
			for b.Loop() {
				w.Step(x, 1, rng, grads)
			}
		})
	}
}

// A step allocates nothing once the memory of the layers exists.
func TestFineTuneAllocatesNothing(t *testing.T) {
	n, w := tuned(t, 64)
	x, grads, rng := make([]float32, n.LiveInput().Size()), n.NewGradients(), rand.New(rand.NewPCG(1, 2))
	if allocs := testing.AllocsPerRun(3, func() { w.Step(x, 1, rng, grads) }); allocs > 0 {
		t.Errorf("a step allocates %g times", allocs)
	}
}
