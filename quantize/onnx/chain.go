package onnx

import (
	"fmt"
	"slices"

	"tirewatch/trainer/nn"
	"tirewatch/vision/graph"
)

// chain is the network that the walk has found so far.
type chain struct {
	image   graph.Shape
	layers  []graph.Layer
	params  []nn.Param
	changes int // number of operations so far that change values; a new order of them does not count
	trained int // 1 + index of the newest layer with weights; 0 before the first

	// scale is the factor from our values to the file's values after the newest layer: 255 if the
	// network reads pixels from 0 to 255. The weights of the next layer are multiplied by it.
	scale float64

	probability bool // the sigmoid or softmax at the end was found
	choosing    bool // the newest value is the highest scores, whose mean must follow
}

// newest returns the newest layer with weights, nil before the first.
func (c *chain) newest() *graph.Layer {
	if c.trained == 0 {
		return nil
	}
	return &c.layers[c.trained-1]
}

// add appends a layer. Its name is its kind and a number, such as conv1.
func (c *chain) add(l graph.Layer) {
	short := map[graph.Kind]string{graph.Conv2D: "conv", graph.MaxPool2D: "pool", graph.Dense: "dense",
		graph.Dropout: "dropout", graph.Flatten: "flatten", graph.Depthwise2D: "depthwise", graph.MeanPool: "mean",
		graph.TopMean: "top"}
	n := 1
	for _, other := range c.layers {
		if other.Kind == l.Kind {
			n++
		}
	}
	if l.Name = fmt.Sprint(short[l.Kind], n); l.Kind == graph.Flatten {
		l.Name = short[l.Kind]
	}
	c.layers = append(c.layers, l)
	c.changes++
}

// addTrained appends a layer with its parameters. w has the given shape, in our order. A nil bias
// is zero.
func (c *chain) addTrained(l graph.Layer, shape []int, w, bias []float32) {
	if c.scale != 1 {
		for i, v := range w {
			w[i] = float32(float64(v) * c.scale)
		}
		c.scale = 1
	}
	if bias == nil {
		bias = make([]float32, l.Filters)
	}
	l.Activation = graph.Linear // a Relu or the head may change it later
	c.add(l)
	c.trained = len(c.layers)
	name := c.newest().Name
	c.params = append(c.params, nn.Param{Name: name + "/w", Shape: shape, Data: w},
		nn.Param{Name: name + "/b", Shape: []int{l.Filters}, Data: bias})
}

// weights returns the parameters of the newest layer.
func (c *chain) weights() (w, b *nn.Param) {
	return &c.params[len(c.params)-2], &c.params[len(c.params)-1]
}

// relu sets the activation of the newest layer to ReLU.
func (w *walk) relu(c call) (*value, error) { return w.activation(c, graph.ReLU) }

// activation sets the activation of the newest layer. After a max pool it has the same result as
// before it, because it keeps the order of values. Values that are limited already stay as they
// are, also after a mean. On the image itself it does nothing, because pixels are 0 to 1.
func (w *walk) activation(c call, a graph.Activation) (*value, error) {
	v, err := w.imageOf(c)
	if err != nil {
		return nil, err
	}
	l := w.newest()
	switch {
	case w.probability:
		return nil, c.refuse("it is after the sigmoid or softmax")
	case a == graph.ReLU6 && w.scale != 1:
		return nil, c.refuse("it limits values after a factor of %g", 1/w.scale)
	case l == nil || l.Activation == a || l.Activation == graph.ReLU6:
		return &value{layout: v.layout, changes: w.changes}, nil
	}
	for _, after := range w.layers[w.trained:] {
		if after.Kind == graph.MeanPool {
			return nil, c.refuse("it is after a mean, want it directly after a convolution or dense layer")
		}
	}
	l.Activation = a
	w.changes++
	return &value{layout: v.layout, changes: w.changes}, nil
}

// addBias adds a constant to the newest layer's sums.
func (w *walk) addBias(c call) (*value, error) {
	if c.in[0].constant != nil { // both orders are allowed
		c.in = []*value{c.in[1], c.in[0]}
	}
	v, err := w.imageOf(c)
	if err != nil {
		return nil, err
	}
	t, err := c.constant(1)
	if err != nil {
		return nil, c.branches()
	}
	add, err := t.floats()
	if err != nil {
		return nil, c.refuse("%v", err)
	}
	// adding zero changes nothing; Keras' Rescaling layer does so
	if !slices.ContainsFunc(add, func(f float32) bool { return f != 0 }) && v.perChannel(t.Shape) {
		return v, nil
	}
	l := w.newest()
	if l == nil || l.Activation != graph.Linear || w.trained != len(w.layers) || w.scale != 1 ||
		w.probability || !v.perChannel(t.Shape) {
		return nil, c.refuse("a constant of shape %v is not the bias of a convolution or dense layer", t.Shape)
	}
	_, b := w.weights()
	for i := range b.Data {
		b.Data[i] += add[min(i, len(add)-1)]
	}
	w.changes++
	return &value{layout: v.layout, changes: w.changes}, nil
}

// multiply remembers a factor, such as that of a layer that rescales pixels, for the weights of the
// next layer.
func (w *walk) multiply(c call) (*value, error) {
	divide := c.Op == "Div"
	if !divide && c.in[0].constant != nil {
		c.in = []*value{c.in[1], c.in[0]}
	}
	v, err := w.imageOf(c)
	if err != nil {
		return nil, err
	}
	t, err := c.constant(1)
	if err != nil {
		return nil, c.branches()
	}
	f, err := t.floats()
	if err != nil || len(f) != 1 || !(f[0] > 0) || w.probability {
		return nil, c.refuse("want one positive constant")
	}
	if divide {
		w.scale /= float64(f[0])
	} else {
		w.scale *= float64(f[0])
	}
	w.changes++
	return &value{layout: v.layout, changes: w.changes}, nil
}

func (c call) branches() error {
	return fmt.Errorf("%w: %s of node %q joins two branches, but only a chain of layers is supported",
		ErrCannotHold, c.operator(), c.label())
}

// dropout adds a dropout layer. It acts in training only, and is kept for later training.
func (w *walk) dropout(c call) (*value, error) {
	v, err := w.imageOf(c)
	if err != nil {
		return nil, err
	}
	rate := float32(0.5) // ONNX's default
	if a := c.attr("ratio"); a.Name != "" {
		rate = a.Float
	}
	if t, err := c.constant(1); err != nil {
		return nil, err
	} else if t != nil {
		f, err := t.floats()
		if err != nil || len(f) != 1 {
			return nil, c.refuse("its rate must be one number")
		}
		rate = f[0]
	}
	if w.probability || !(rate >= 0 && rate < 1) {
		return nil, c.refuse("invalid rate %g, or it is after the sigmoid or softmax", rate)
	}
	w.add(graph.Layer{Kind: graph.Dropout, Rate: decimal(rate)})
	return &value{layout: v.layout, changes: w.changes}, nil
}

// headOf ends the network at a Sigmoid or Softmax.
func (w *walk) headOf(c call) (*value, error) {
	v, err := w.imageOf(c)
	if err != nil {
		return nil, err
	}
	units, want := v.shape.Size(), 1
	if c.Op == "Softmax" {
		want = 2
		otherwise := int64(-1)
		if w.version < 13 {
			otherwise = 1
		}
		if a := c.intAttr("axis", otherwise); a != -1 && a != int64(len(v.dims)-1) {
			return nil, c.refuse("it works along axis %d of %v, want the last axis", a, v.dims)
		}
	}
	switch {
	case w.probability:
		return nil, c.refuse("the network already has a sigmoid or softmax")
	case units != want && c.Op == "Softmax":
		return nil, fmt.Errorf("%w: the softmax of node %q has %d classes, want two",
			ErrCannotHold, c.label(), units)
	case units != want:
		return nil, fmt.Errorf("%w: the sigmoid of node %q has %d values, want one, at the end of the network",
			ErrCannotHold, c.label(), units)
	}
	if err := w.head(fmt.Sprintf("node %q", c.label())); err != nil {
		return nil, err
	}
	return &value{layout: v.layout, changes: w.changes}, nil
}

// head turns the newest layer, which has one or two linear units, into the last layer: one unit
// with the probability of a crack.
//
// The softmax of two sums a and b is the sigmoid of their difference: e^b / (e^a + e^b) = 1 / (1 +
// e^(a-b)).
func (w *walk) head(where string) error {
	l := w.newest()
	if n := len(w.layers); n > 0 && w.layers[n-1].Kind == graph.TopMean && w.scale == 1 {
		return w.topHead(where)
	}
	if l == nil || l.Kind != graph.Dense || l.Activation != graph.Linear ||
		w.trained != len(w.layers) || w.scale != 1 {
		return fmt.Errorf("%w: %s is not directly after a dense layer", ErrCannotHold, where)
	}
	weights, bias := w.weights()
	crack := w.options.Crack
	switch {
	case l.Filters > 2:
		return fmt.Errorf("%w: %s has %d outputs, want one or two", ErrCannotHold, where, l.Filters)
	case l.Filters == 2 && crack == Unsaid:
		return ErrWhichCrack
	case l.Filters == 2:
		for _, p := range []*nn.Param{weights, bias} {
			n := len(p.Data) / 2
			other, this := p.Data[:n], p.Data[n:]
			if crack == First {
				other, this = this, other
			}
			for i := range this {
				this[i] -= other[i]
			}
			p.Data, p.Shape = this, slices.Concat([]int{1}, p.Shape[1:])
		}
		l.Filters = 1
	case crack == First:
		nn.OtherClass(w.params)
	}
	l.Activation = graph.Sigmoid
	w.probability = true
	w.changes++
	return nil
}
