package nn

import (
	"math"
	"math/rand/v2"
	"testing"

	"tirewatch/vision/graph"
)

// Checks every tensor of the thesis network itself. The gradients of the reference equal central
// differences in float64, and those of the float32 network equal the reference's. A tensor is moved
// along a random direction, all its parameters at once, so that a wrong gradient of any of them is
// visible.
//
// The loss is smooth only where each ReLU and each pool decides as before. With a million values in
// the first layer, even the smallest step changes some decision, and differences across such kinks
// are wrong by about 1e-3. So the moved networks keep the decisions of the original one; on that
// piece the loss has the same derivative. The small graphs of nn_test.go are checked without this.
func TestThesisGradients(t *testing.T) {
	const (
		// moves the loss by about 1e-6; curvature and rounding stay below 1e-9 of it
		h         = 1e-5
		tolerance = 1e-6 // relative to the length of a tensor's gradient
		label     = 1
	)
	n, ref, x, cut := setupNear(t, graph.Thesis(), 4, 0.02)
	ref.loss(x, label, true)
	want, inputs := ref.grads, ref.acts
	got := n.NewGradients()
	n.NewWorker().Step(cut, label, dropoutRNG(4), got)
	ref.held = true
	rng := rand.New(rand.NewPCG(4, 5))
	step := -1 // step of the network that has the tensor
	for i, p := range n.Params() {
		if i%2 == 0 {
			for step++; !n.steps[step].HasWeights(); step++ {
			}
		}
		direction := make([]float64, len(p.Data))
		expected, square, worst := 0.0, 0.0, 0.0
		for k, g := range want[i] {
			direction[k] = rng.NormFloat64()
			expected += direction[k] * g
			square += g * g
			worst = max(worst, math.Abs(float64(got.data[i][k])-g))
		}
		moved := func(by float64) float64 {
			old := ref.params[i]
			defer func() { ref.params[i] = old }()
			ref.params[i] = make([]float64, len(old))
			for k, v := range old {
				ref.params[i][k] = v + by*direction[k]
			}
			ref.acts = append([][]float64(nil), inputs[:step+1]...)
			return ref.lossFrom(step, i&^1, label, false)
		}
		slope, length := (moved(h)-moved(-h))/(2*h), math.Sqrt(square)
		apart := math.Abs(slope-expected) / length
		worst /= length
		t.Logf("%-8s slope %+.9f, differs from the reference by %.1e; float32 gradient by %.1e",
			p.Name, slope, apart, worst)
		if !(apart <= tolerance) || !(worst <= tolerance) {
			t.Errorf("%s: want at most %.0e of the gradient's length", p.Name, tolerance)
		}
	}
}
