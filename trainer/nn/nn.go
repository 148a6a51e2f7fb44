// Package nn is the float network of training: forward pass, loss, backward pass.
//
//	images -> split -> augment -> NN (forward, loss, backward) -> optim -> checkpoint
//
// It walks the same graph.Graph as the int8 runner and works on the live regions only. Parameters
// belong to a Net; everything that changes per image belongs to a Worker, so that images of a batch
// are computed in parallel. Newcomers need New, Net.NewWorker and Worker.Step for training,
// Net.NewPredictor for everything behind it.
//
// # How a convolution runs
//
// A 3x3 convolution with stride 2 that a 2x2 pool follows, as in the thesis, is computed two rows
// at a time and pooled at once; the full activation never exists. Backwards, the pool passes the
// gradient to one position in four and ReLU stops more, so only those positions are visited
// (f32.Gather). The two lowest layers take turns at the rows of what lies between them, forwards
// and backwards (stream).
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

// Net holds a network's parameters. It may be read by many workers at once; whoever changes the
// parameters calls Changed while none of them runs.
type Net struct {
	steps   []graph.Step
	trained []trainedLayer
}

// trainedLayer is a layer with parameters.
type trainedLayer struct {
	graph.Step
	w, b          *tensor.Dense // (outC, K) and (outC)
	weights, bias []float32     // the memory of w and b, which Data would box anew at each call
	packed        []float32     // (K, outC): w as the forward kernel reads it
	frozen        bool
}

// New makes a network with fresh parameters: Glorot uniform weights and zero biases, as Keras does,
// and first filters without a mean. Source: Glorot and Bengio 2010; limit sqrt(6 / (fan in + fan
// out)), fans count the receptive field.
//
// Keras leaves the mean in. But pixels are never negative, so a filter with a mean answers to
// brightness above all, every image looks alike to the layers behind it, and training stands still
// at first, at worst until ReLU has died for good.
func New(g *graph.Graph, rng *rand.Rand) (*Net, error) {
	n, err := empty(g)
	if err != nil {
		return nil, err
	}
	for _, l := range n.trained {
		field := 1
		if l.Kind == graph.Conv2D {
			field = l.Kernel * l.Kernel
		}
		limit := math.Sqrt(6 / float64(field*l.In.C+field*l.Filters))
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

// removeMeans shifts the weights of each filter so that they sum to zero: a flat picture gives no
// answer.
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

// FromParams makes a network with the given parameters, which it copies. The error wraps ErrParams
// and names the tensor.
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
			return nil, fmt.Errorf("%w: tensor %d is %s %v, want %s %v", ErrParams, i, p.Name, p.Shape, want.Name, want.Shape)
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

// Params shows the parameters, weights and biases in turn. Data is the network's own memory: call
// Changed after writing to it.
func (n *Net) Params() []Param {
	var ps []Param
	for i := range n.trained {
		l := &n.trained[i]
		shape := []int{l.Filters, l.In.C}
		if l.Kind == graph.Conv2D {
			shape = []int{l.Filters, l.Kernel, l.Kernel, l.In.C}
		}
		ps = append(ps,
			Param{Name: l.Name + "/w", Shape: shape, Data: l.weights},
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

// InputSize is the number of pixels of one image.
func (n *Net) InputSize() int { return n.steps[0].In.Size() }

// Tensors shows the parameters as arrays, in the order of Params: (outC, K) and (outC) for each
// trained layer. Call Changed after writing.
func (n *Net) Tensors() []*tensor.Dense {
	var ts []*tensor.Dense
	for i := range n.trained {
		ts = append(ts, n.trained[i].w, n.trained[i].b)
	}
	return ts
}

// Gradients are sums over images of the loss' derivative, one array for each of Net.Tensors, in its
// order and shape.
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
