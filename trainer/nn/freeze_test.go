package nn

import (
	"errors"
	"math"
	"testing"
)

// Freezing does not change the gradients of the other layers. The backward pass ends at the lowest
// layer that trains.
func TestFreezeKeepsTheOtherGradients(t *testing.T) {
	g := graphs["small thesis"]
	for _, frozen := range [][]string{{"c1"}, {"c1", "c2"}, {"c2"}, {"out"}, {"c1", "c2", "hidden"}} {
		n, _, _, cut := setup(t, g, 3)
		whole := n.NewGradients()
		n.NewWorker().StepWeighted(cut, 1, 0.5, dropoutRNG(3), whole)
		if err := n.Freeze(frozen); err != nil {
			t.Fatal(err)
		}
		part := n.NewGradients()
		n.NewWorker().StepWeighted(cut, 1, 0.5, dropoutRNG(3), part)
		n.ClearFrozen(part)
		for i, p := range n.Params() {
			for k, v := range part.data[i] {
				want := whole.data[i][k]
				if n.trained[i/2].frozen {
					want = 0
				}
				if v != want {
					t.Fatalf("%v frozen: %s[%d]: gradient %g, want %g", frozen, p.Name, k, v, want)
				}
			}
		}
	}
	n, _, _, _ := setup(t, g, 3)
	if err := n.Freeze([]string{"p1"}); !errors.Is(err, ErrLayer) {
		t.Errorf("a layer without weights: error %v, want ErrLayer", err)
	}
}

// The weight of an image scales its loss and its gradients.
func TestImageWeight(t *testing.T) {
	n, _, _, cut := setup(t, graphs["small thesis"], 4)
	one, three := n.NewGradients(), n.NewGradients()
	w := n.NewWorker()
	r1 := w.Step(cut, 1, dropoutRNG(4), one)
	r3 := w.StepWeighted(cut, 1, 3, dropoutRNG(4), three)
	if math.Abs(r3.Loss-3*r1.Loss) > 1e-12 || r3.Logit != r1.Logit {
		t.Errorf("weight 3 gives %+v, weight 1 %+v", r3, r1)
	}
	for i, d := range one.data {
		for k, v := range d {
			if diff := math.Abs(float64(three.data[i][k] - 3*v)); diff > 1e-5*math.Abs(float64(3*v))+1e-6 {
				t.Fatalf("%s[%d]: gradient %g, want %g", n.Params()[i].Name, k, three.data[i][k], 3*v)
			}
		}
	}
}

// A weight that is NaN may still give a finite loss.
func TestFinite(t *testing.T) {
	n, _, _, _ := setup(t, graphs["small thesis"], 5)
	if !n.Finite() {
		t.Fatal("fresh parameters are not finite")
	}
	n.Params()[0].Data[3] = float32(math.NaN())
	n.Changed()
	logit, err := n.NewPredictor().Logit(make([]byte, n.InputSize()), nil)
	if err != nil || math.IsNaN(logit) {
		t.Fatalf("logit %g, error %v: the loss shows the broken weight, so this test proves nothing", logit, err)
	}
	if n.Finite() {
		t.Error("a NaN weight was not noticed")
	}
}
