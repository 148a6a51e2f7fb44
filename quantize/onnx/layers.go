package onnx

import (
	"fmt"
	"slices"

	"tirewatch/vision/graph"
)

// conv adds a convolution: x (N, C, H, W), w (outC, inC, kh, kw), bias (outC). With a group for
// each channel, inC is 1 and it is a depthwise convolution.
func (w *walk) conv(c call) (*value, error) {
	l := graph.Layer{Kind: graph.Conv2D}
	t, err := c.constant(1)
	if err != nil {
		return nil, err
	}
	if len(t.Shape) != 4 || t.Shape[2] != t.Shape[3] {
		return nil, c.refuse("filters of shape %v, only square windows are supported", t.Shape)
	}
	l.Filters, l.Kernel = t.Shape[0], t.Shape[2]
	groups := c.intAttr("group", 1)
	if groups > 1 {
		l.Kind = graph.Depthwise2D
	}
	v, out, err := w.slide(c, &l)
	if err != nil {
		return nil, err
	}
	inC := v.shape.C
	if groups > 1 {
		inC = 1
	}
	switch {
	case groups != 1 && (groups != int64(v.shape.C) || l.Filters != v.shape.C):
		return nil, c.refuse("%d groups and %d filters for %d channels, want one group, or one filter for each channel",
			groups, l.Filters, v.shape.C)
	case t.Shape[1] != inC:
		return nil, c.refuse("filters of shape %v do not fit %d channels", t.Shape, v.shape.C)
	}
	weights, err := w.copyOf(c, t)
	if err != nil {
		return nil, err
	}
	bias, err := w.bias(c, l.Filters)
	if err != nil {
		return nil, err
	}
	k := l.Kernel
	weights = channelsLast(weights, graph.Shape{H: k, W: k, C: inC})
	w.addTrained(l, []int{l.Filters, k, k, inC}, weights, bias)
	return &value{layout: v.windowed(out), changes: w.changes}, nil
}

// maxPool adds a max pool.
func (w *walk) maxPool(c call) (*value, error) { return w.pool(c, graph.MaxPool2D) }

// pool adds a pool of one of the two kinds.
func (w *walk) pool(c call, kind graph.Kind) (*value, error) {
	l := graph.Layer{Kind: kind}
	k := c.attr("kernel_shape").Ints
	if len(k) != 2 || k[0] != k[1] || k[0] < 1 || k[0] > MaxSize {
		return nil, c.refuse("windows of %v, only square windows are supported", k)
	}
	l.Kernel = int(k[0])
	v, out, err := w.slide(c, &l)
	if err != nil {
		return nil, err
	}
	w.add(l)
	return &value{layout: v.windowed(out), changes: w.changes}, nil
}

// slide completes a layer with a sliding window: stride and padding. It returns the input and the
// shape of the output.
func (w *walk) slide(c call, l *graph.Layer) (*value, graph.Shape, error) {
	var out graph.Shape
	v, err := w.imageOf(c)
	if err != nil {
		return nil, out, err
	}
	if !v.channelsFirst() || w.probability {
		return nil, out, c.refuse("its input %v is not an image (N, C, H, W)", v.dims)
	}
	strides := c.attr("strides").Ints
	if strides == nil {
		strides = []int64{1, 1}
	}
	if len(strides) != 2 || strides[0] != strides[1] || strides[0] < 1 || strides[0] > MaxSize {
		return nil, out, c.refuse("strides %v, but only equal strides in both directions are supported", strides)
	}
	l.Stride = int(strides[0])
	if d := c.attr("dilations").Ints; slices.ContainsFunc(d, func(v int64) bool { return v != 1 }) {
		return nil, out, c.refuse("dilations %v, but only windows without gaps are supported", d)
	}
	if k := c.attr("kernel_shape").Ints; k != nil && !slices.Equal(k, []int64{int64(l.Kernel), int64(l.Kernel)}) {
		return nil, out, c.refuse("kernel_shape %v does not fit filters of size %d", k, l.Kernel)
	}
	for _, l.Padding = range []graph.Padding{graph.Valid, graph.Same, graph.Explicit} {
		l.Pad = 0
		if pads := c.attr("pads").Ints; l.Padding == graph.Explicit && len(pads) == 4 && pads[0] < MaxSize {
			l.Pad = int(pads[0])
		}
		layer := *l
		if layer.HasWeights() {
			layer.Activation = graph.Linear
		}
		if layer.Kind == graph.Depthwise2D { // conv checks the number of filters
			layer.Filters = v.shape.C
		}
		s, err := layer.On(v.shape)
		if err == nil && padded(c, s) {
			return v, s.Out, nil
		}
	}
	return nil, out, c.refuse("on %v, %s: only no padding (valid), TensorFlow's padding same and equal padding on all sides "+
		"are supported, and no padding for a mean", v.shape, paddingText(c, l))
}

func paddingText(c call, l *graph.Layer) string {
	return fmt.Sprintf("window %d, stride %d, pads %v %s",
		l.Kernel, l.Stride, c.attr("pads").Ints, c.attr("auto_pad").Text)
}

// padded reports whether the windows of a node are those of s: the same number, and the first at
// the same place. Zeros after the last window do not matter.
func padded(c call, s graph.Step) bool {
	pads := c.attr("pads").Ints
	switch c.attr("auto_pad").Text {
	case "VALID":
		return s.Padding == graph.Valid
	case "SAME_UPPER":
		return s.Padding == graph.Same
	case "", "NOTSET":
	default: // SAME_LOWER puts the extra zero first
		return false
	}
	if pads == nil {
		pads = make([]int64, 4)
	}
	if len(pads) != 4 || slices.ContainsFunc(pads, func(p int64) bool { return p < 0 || p > MaxSize }) {
		return false
	}
	windows := func(in int, before, after int64) int {
		room := in + int(before+after) - s.Kernel
		if room < 0 {
			return 0
		}
		n := room/s.Stride + 1
		// With ceil_mode a window may reach past the end, but not start after it.
		if c.intAttr("ceil_mode", 0) != 0 && room%s.Stride > 0 && n*s.Stride < in+int(before) {
			n++
		}
		return n
	}
	return int(pads[0]) == s.PadTop && int(pads[1]) == s.PadLeft &&
		windows(s.In.H, pads[0], pads[2]) == s.Out.H && windows(s.In.W, pads[1], pads[3]) == s.Out.W
}

// gemm adds a dense layer: x (N, K), w (K, units), or (units, K) with transB, bias (units).
func (w *walk) gemm(c call) (*value, error) {
	for _, name := range []string{"alpha", "beta"} {
		if a := c.attr(name); a.Name != "" && a.Float != 1 {
			return nil, c.refuse("%s is %g, want 1", name, a.Float)
		}
	}
	if c.intAttr("transA", 0) != 0 {
		return nil, c.refuse("transA is not supported")
	}
	return w.dense(c, c.intAttr("transB", 0) != 0)
}

func (w *walk) matMul(c call) (*value, error) { return w.dense(c, false) }

// dense adds a dense layer. Its weights are (units, inputs) if unitsFirst, otherwise (inputs,
// units). The inputs are in the order of the image's layout.
func (w *walk) dense(c call, unitsFirst bool) (*value, error) {
	v, err := w.imageOf(c)
	if err != nil {
		return nil, err
	}
	t, err := c.constant(1)
	if err != nil {
		return nil, err
	}
	if !v.flat() || w.probability {
		return nil, c.refuse("its input %v is not flat", v.dims)
	}
	if len(t.Shape) != 2 {
		return nil, c.refuse("weights of shape %v, want two axes", t.Shape)
	}
	units, inputs := t.Shape[1], t.Shape[0]
	if unitsFirst {
		units, inputs = inputs, units
	}
	if inputs != v.shape.Size() || units < 1 || units > maxSide {
		return nil, c.refuse("weights of shape %v do not fit %d values", t.Shape, v.shape.Size())
	}
	from, err := w.copyOf(c, t)
	if err != nil {
		return nil, err
	}
	bias, err := w.bias(c, units)
	if err != nil {
		return nil, err
	}
	places := v.places()
	weights := make([]float32, len(from)) // (units, H, W, C)
	for u := range units {
		for k, place := range places {
			at := k*units + u
			if unitsFirst {
				at = u*inputs + k
			}
			weights[u*inputs+place] = from[at]
		}
	}
	if !slices.ContainsFunc(w.layers, func(l graph.Layer) bool { return l.Kind == graph.Flatten }) {
		w.add(graph.Layer{Kind: graph.Flatten})
	}
	w.addTrained(graph.Layer{Kind: graph.Dense, Filters: units}, []int{units, inputs}, weights, bias)
	return &value{layout: v.layout.dense(units), changes: w.changes}, nil
}

// copyOf returns a copy of the numbers of a constant, and counts them.
func (w *walk) copyOf(c call, t *Tensor) ([]float32, error) {
	if err := w.spend(len(t.Data) / 4); err != nil {
		return nil, err
	}
	f, err := t.floats()
	if err != nil {
		return nil, c.refuse("%v", err)
	}
	return f, nil
}

// bias returns the third input of a layer, or nil if it has none.
func (w *walk) bias(c call, units int) ([]float32, error) {
	t, err := c.constant(2)
	if t == nil || err != nil {
		return nil, err
	}
	b, err := w.copyOf(c, t)
	if err == nil && len(b) != units {
		return nil, c.refuse("%d biases for %d units", len(b), units)
	}
	return b, err
}

// channelsLast reverses channelsFirst: w (units, C, H, W) becomes (units, H, W, C).
func channelsLast[T any](w []T, s graph.Shape) []T {
	moved := make([]T, 0, len(w))
	for ; len(w) > 0; w = w[s.Size():] {
		for i := range s.H * s.W {
			for c := range s.C {
				moved = append(moved, w[c*s.H*s.W+i])
			}
		}
	}
	return moved
}
