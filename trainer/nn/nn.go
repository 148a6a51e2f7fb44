// Package nn is the floating-point network for training: forward pass, loss, backward pass.
//
//	images -> split -> augment -> NN (forward, loss, backward) -> optim -> checkpoint
//
// It uses the same graph.Graph as the int8 runner and computes only the live regions. A Net holds
// the parameters. A Worker holds everything that changes with the image, so the images of a batch
// are computed in parallel. Start with [New], [Net.NewWorker] and [Worker.Step] to train, and with
// [Net.NewPredictor] to predict.
//
// # How a convolution runs
//
// A 3x3 convolution with stride 2 and a 2x2 pool after it, as in the thesis, is computed two rows
// at a time and pooled at once. The full activation is never stored. In the backward pass, the pool
// passes the gradient to one position in four, and ReLU stops more, so only those positions are
// computed (f32.Gather). The two lowest layers alternate on the rows of the activation between
// them, forward and backward (stream).
//
// A 1x1 convolution is three products of matrices (f32.Product). In the mobile network, a tenth of
// the positions has a gradient at first, so the backward passes leave out the others (pointwise).
package nn

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"gorgonia.org/tensor"

	"tirewatch/vision/graph"
)

// ErrParams marks parameters that do not fit the network.
var ErrParams = errors.New("parameters do not fit the network")

// Net holds a network's parameters. Many workers may read it at the same time. Parameters change
// only while no worker runs, followed by a call of Changed.
type Net struct {
	steps   []graph.Step
	trained []trainedLayer
}

// trainedLayer is a layer with parameters.
type trainedLayer struct {
	graph.Step
	w, b          *tensor.Dense // (outC, K) and (outC)
	weights, bias []float32     // memory of w and b; Data() would allocate at each call
	packed        []float32     // (K, outC): w as the forward kernel reads it
	frozen        bool
}

// New makes a network with new parameters: He uniform weights, zero biases, and filters of the
// first layer without a mean. Source: He et al. 2015; limit sqrt(6 / fan in), where the fan
// includes the receptive field.
//
// Keras starts with Glorot's limit, sqrt(6 / (fan in + fan out)), and leaves the mean in. But the
// first layer of the thesis makes 128 channels of one. Glorot's limit divides by all of them and
// starts with activations of 0.005, so that the first steps of a training change almost nothing.
// And pixels are never negative, so a filter with a mean mostly measures brightness. All images
// then look alike to the later layers, and in the worst case ReLU units die for good.
func New(g *graph.Graph, rng *rand.Rand) (*Net, error) {
	n, err := empty(g)
	if err != nil {
		return nil, err
	}
	for _, l := range n.trained {
		limit := math.Sqrt(6 / float64(len(l.weights)/l.Filters)) // values that a filter reads
		for i := range l.weights {
			l.weights[i] = float32((2*rng.Float64() - 1) * limit)
		}
	}
	if n.steps[0].Kind == graph.Conv2D {
		n.trained[0].removeMeans()
	}
	n.Changed()
	return n, nil
}

// removeMeans shifts the weights of each filter to the sum zero, so that a flat image results in 0.
func (l *trainedLayer) removeMeans() {
	k := len(l.weights) / l.Filters
	for f := range l.Filters {
		w := l.weights[f*k : (f+1)*k]
		mean := float32(0)
		for _, v := range w {
			mean += v / float32(k)
		}
		for i := range w {
			w[i] -= mean
		}
	}
}

// FromParams makes a network with a copy of the given parameters. The error wraps ErrParams and
// names the tensor.
func FromParams(g *graph.Graph, params []Param) (*Net, error) {
	n, err := empty(g)
	if err != nil {
		return nil, err
	}
	if len(params) != 2*len(n.trained) {
		return nil, fmt.Errorf("%w: %d tensors, want %d", ErrParams, len(params), 2*len(n.trained))
	}
	for i, want := range n.Params() {
		p := params[i]
		if p.Name != want.Name || fmt.Sprint(p.Shape) != fmt.Sprint(want.Shape) || len(p.Data) != len(want.Data) {
			return nil, fmt.Errorf("%w: tensor %d is %s %v, want %s %v",
				ErrParams, i, p.Name, p.Shape, want.Name, want.Shape)
		}
		for k, v := range p.Data {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return nil, fmt.Errorf("%w: %s[%d] is %g", ErrParams, p.Name, k, v)
			}
		}
		copy(want.Data, p.Data)
	}
	n.Changed()
	return n, nil
}

func empty(g *graph.Graph) (*Net, error) {
	steps, err := g.Plan()
	if err != nil {
		return nil, err
	}
	n := &Net{steps: steps}
	for _, s := range steps {
		if s.HasWeights() {
			l := trainedLayer{
				Step:    s,
				weights: make([]float32, s.Weights()),
				bias:    make([]float32, s.Filters),
				packed:  make([]float32, s.Weights()),
			}
			l.w = tensor.New(tensor.WithShape(s.Filters, s.Weights()/s.Filters), tensor.WithBacking(l.weights))
			l.b = tensor.New(tensor.WithShape(s.Filters), tensor.WithBacking(l.bias))
			n.trained = append(n.trained, l)
		}
	}
	return n, nil
}

// Params returns the parameters, weights and biases alternating. Data is the network's own memory:
// call Changed after writing to it.
func (n *Net) Params() []Param {
	var ps []Param
	for i := range n.trained {
		l := &n.trained[i]
		ps = append(ps,
			Param{Name: l.Name + "/w", Shape: l.WeightShape(), Data: l.weights},
			Param{Name: l.Name + "/b", Shape: []int{l.Filters}, Data: l.bias})
	}
	return ps
}

// Changed repacks the weights for the forward kernels.
func (n *Net) Changed() {
	for i := range n.trained {
		l := &n.trained[i]
		w, k := l.weights, len(l.packed)/l.Filters
		for c := range l.Filters {
			for j, v := range w[c*k : (c+1)*k] {
				l.packed[j*l.Filters+c] = v
			}
		}
	}
}

// InputSize returns the number of pixels of one image.
func (n *Net) InputSize() int { return n.steps[0].In.Size() }

// Tensors returns the parameters as arrays, in the order of Params: (outC, K) and (outC) for each
// layer with weights. Call Changed after writing.
func (n *Net) Tensors() []*tensor.Dense {
	var ts []*tensor.Dense
	for i := range n.trained {
		ts = append(ts, n.trained[i].w, n.trained[i].b)
	}
	return ts
}

// Gradients holds the derivative of the loss, summed over images. It has one array for each of
// Net.Tensors, in the same order and shape.
type Gradients struct {
	Tensors []*tensor.Dense
	data    [][]float32 // their memory
}

// NewGradients makes zero gradients.
func (n *Net) NewGradients() Gradients {
	var g Gradients
	for _, p := range n.Tensors() {
		data := make([]float32, p.Shape().TotalSize())
		g.data = append(g.data, data)
		g.Tensors = append(g.Tensors, tensor.New(tensor.WithShape(p.Shape()...), tensor.WithBacking(data)))
	}
	return g
}

// Clear sets all gradients to zero.
func (g Gradients) Clear() {
	for _, d := range g.data {
		clear(d)
	}
}

// Add adds other to g.
func (g Gradients) Add(other Gradients) {
	for i, t := range g.Tensors {
		if _, err := tensor.Add(t, other.Tensors[i], tensor.UseUnsafe()); err != nil {
			panic(fmt.Sprintf("internal error: add gradients: %v", err))
		}
	}
}
