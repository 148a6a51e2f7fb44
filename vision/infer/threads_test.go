package infer_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
	"tirewatch/vision/isa/isatest"
	"tirewatch/vision/kernel"
)

// eachKernel runs f as a subtest with every kernel of this CPU.
func eachKernel(t *testing.T, f func(t *testing.T)) {
	for _, b := range kernel.Bodies() {
		isatest.Exercise(t, b.Name(), func(t *testing.T) {
			t.Setenv(kernel.Env, b.Name())
			f(t)
		})
	}
}

// On any network, any number of goroutines computes the same sum as one.
func TestThreadsAgree(t *testing.T) {
	seeds := uint64(300)
	if testing.Short() {
		seeds = 60
	}
	eachKernel(t, func(t *testing.T) {
		for seed := range seeds {
			rng := rand.New(rand.NewPCG(seed, 2))
			m := randomModel(randomGraph(rng), rng)
			compareThreads(t, fmt.Sprintf("seed %d", seed), m, []int{2, 3, 8}, rng)
		}
		rng := rand.New(rand.NewPCG(3, 3))
		compareThreads(t, "thesis", randomModel(graph.Thesis(), rng), []int{2, 3, 4, 21, 64}, rng)
	})
}

func compareThreads(t *testing.T, name string, m *infer.Model, threads []int, rng *rand.Rand) {
	t.Helper()
	one, err := infer.NewRunner(m)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for _, n := range threads {
		many, err := infer.NewRunner(m, infer.Threads(n))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for range 5 {
			pix := randomImage(m.Graph.Input.Size(), rng)
			want, err := one.Run(pix)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := many.Run(pix); err != nil || got != want {
				t.Fatalf("%s, %d threads: sum %d, %v, want %d\n%v", name, n, got, err, want, &m.Graph)
			}
		}
		many.Close()
	}
}

// A profile names every layer with its work, and the measurement does not change the sum.
func TestProfile(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	m := randomModel(graph.Thesis(), rng)
	pix := randomImage(m.Graph.Input.Size(), rng)
	steps, err := m.Graph.Plan()
	if err != nil {
		t.Fatal(err)
	}
	_, _, live := graph.Totals(steps)
	for _, threads := range []int{1, 3} {
		r, err := infer.NewRunner(m, infer.Threads(threads))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		want, _ := r.Run(pix)
		layers, err := r.Profile(pix)
		if err != nil {
			t.Fatal(err)
		}
		macs, names := 0, ""
		for _, l := range layers {
			macs, names = macs+l.MACs, names+" "+l.Name
			if l.Spent <= 0 {
				t.Errorf("%d threads: %s took %v", threads, l.Name, l.Spent)
			}
		}
		if want := " conv1+pool1 conv2+pool2 conv3+pool3 conv4+pool4 dense1 dense2 dense3"; names != want || macs != live {
			t.Errorf("%d threads: layers%s with %d multiply-accumulates, want%s with %d",
				threads, names, macs, want, live)
		}
		if got, _ := r.Run(pix); got != want {
			t.Errorf("%d threads: sum %d after the profile, %d before", threads, got, want)
		}
	}
}
