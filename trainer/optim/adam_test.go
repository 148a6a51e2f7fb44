package optim_test

import (
	"errors"
	"math"
	"testing"

	"gorgonia.org/tensor"

	"tirewatch/trainer/optim"
)

func vector(v ...float32) *tensor.Dense { return tensor.New(tensor.WithBacking(v)) }

// The first step of Adam moves every parameter by the learning rate against the sign of its
// gradient; the second follows by hand: g = 1 then 3: m = 0.39, v = 0.009999; rate
// 0.001*sqrt(1-0.999^2)/(1-0.81) = 2.353168e-4; step = rate*0.39/0.0999950.
func TestByHand(t *testing.T) {
	p := vector(0, 0)
	a := optim.NewAdam([]*tensor.Dense{p})
	a.Step([]*tensor.Dense{vector(2, -8)}, 0.5)
	got := p.Data().([]float32)
	if math.Abs(float64(got[0])+0.001) > 1e-7 || math.Abs(float64(got[1])-0.001) > 1e-7 {
		t.Fatalf("after one step: %v, want -0.001 and 0.001", got)
	}
	a.Step([]*tensor.Dense{vector(6, 0)}, 0.5)
	if want := -0.001 - 2.353168e-4*0.39/0.0999950; math.Abs(float64(got[0])-want) > 1e-7 {
		t.Errorf("after two steps: %g, want %g", got[0], want)
	}
}

// A restored optimizer takes the same steps as one that never stopped.
func TestRestore(t *testing.T) {
	p, q := vector(1, 2, 3), vector(1, 2, 3)
	a, b := optim.NewAdam([]*tensor.Dense{p}), optim.NewAdam([]*tensor.Dense{q})
	a.Step([]*tensor.Dense{vector(1, -1, 0.5)}, 1)
	if err := b.Restore(a.State()); err != nil {
		t.Fatal(err)
	}
	copy(q.Data().([]float32), p.Data().([]float32))
	for range 3 {
		a.Step([]*tensor.Dense{vector(0.1, 4, -1)}, 1)
		b.Step([]*tensor.Dense{vector(0.1, 4, -1)}, 1)
	}
	for i, v := range p.Data().([]float32) {
		if w := q.Data().([]float32)[i]; v != w {
			t.Errorf("parameter %d: %g and %g", i, v, w)
		}
	}
	if err := b.Restore(optim.State{M: [][]float32{{1}}, V: [][]float32{{1}}}); !errors.Is(err, optim.ErrState) {
		t.Errorf("error %v, want ErrState", err)
	}
}

// A step with a zero gradient shrinks the marked tensor by rate times decay and no other.
func TestDecay(t *testing.T) {
	marked, other := vector(2, -4), vector(8, 1)
	a := optim.NewAdam([]*tensor.Dense{marked, other})
	a.Rate = 0.5
	a.Decay(0.5, []bool{true, false})
	a.Step([]*tensor.Dense{vector(0, 0), vector(0, 0)}, 1)
	if got := marked.Data().([]float32); got[0] != 1.5 || got[1] != -3 {
		t.Errorf("marked tensor %v, want [1.5 -3]", got)
	}
	if got := other.Data().([]float32); got[0] != 8 || got[1] != 1 {
		t.Errorf("other tensor %v, want [8 1]", got)
	}
}
