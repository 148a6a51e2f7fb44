package onnx

import (
	"fmt"
	"math"
	"slices"

	"tirewatch/vision/graph"
)

// averagePool adds a mean over windows inside the image.
func (w *walk) averagePool(c call) (*value, error) { return w.pool(c, graph.MeanPool) }

// globalAveragePool adds a mean over the whole map.
func (w *walk) globalAveragePool(c call) (*value, error) {
	v, err := w.imageOf(c)
	if err != nil {
		return nil, err
	}
	if !v.channelsFirst() || w.probability {
		return nil, c.refuse("its input %v is not an image (N, C, H, W)", v.dims)
	}
	w.add(graph.Layer{Kind: graph.MeanPool})
	return &value{layout: v.windowed(graph.Shape{H: 1, W: 1, C: v.shape.C}), changes: w.changes}, nil
}

// reduceMean adds a mean over all rows and columns, or completes the mean of the highest scores.
func (w *walk) reduceMean(c call) (*value, error) {
	chosen := w.choosing
	w.choosing = false
	v, err := w.imageOf(c)
	if err != nil {
		return nil, err
	}
	over, err := axes(c)
	if err != nil {
		return nil, err
	}
	l := v.layout
	l.dims = nil
	for i, d := range v.dims {
		switch {
		case !isAxis(over, i, len(v.dims)) && over != nil:
			l.dims = append(l.dims, d)
		case c.intAttr("keepdims", 1) != 0:
			l.dims = append(l.dims, 1)
		}
	}
	switch {
	case chosen:
		l.shape = graph.Shape{H: 1, W: 1, C: 1}
	case w.probability || !v.over(over, rows, columns):
		return nil, c.refuse("it is a mean over axes %v of %v, want all rows and columns of an image", over, v.dims)
	default:
		w.add(graph.Layer{Kind: graph.MeanPool})
		l.shape = graph.Shape{H: 1, W: 1, C: v.shape.C}
	}
	l.order = l.present(slices.Clone(v.order)...)
	if l.count() != l.batch*l.shape.C {
		return nil, c.refuse("it is a mean over axes %v of %v, which leaves %d values", over, v.dims, l.count())
	}
	w.changes++
	return &value{layout: l, changes: w.changes}, nil
}

// over reports whether the listed axes of the extents hold exactly these axes of the image.
func (l layout) over(list []int64, want ...axis) bool {
	order := l.order
	for i, d := range l.dims { // memory order is the same for both kinds of axes
		n := 1
		for ; n < d && len(order) > 0; order = order[1:] {
			if isAxis(list, i, len(l.dims)) != slices.Contains(want, order[0]) {
				return false
			}
			n *= l.extent(order[0])
		}
		if n != d {
			return false
		}
	}
	return true
}

// topK chooses the highest scores. Their mean must follow.
func (w *walk) topK(c call) (*value, error) {
	v, err := w.imageOf(c)
	if err != nil {
		return nil, err
	}
	t, err := c.constant(1)
	if err != nil {
		return nil, err
	}
	k, err := t.ints()
	if err != nil {
		return nil, c.refuse("%v", err)
	}
	last, l := int64(len(v.dims)-1), w.newest()
	scores := v.shape.H * v.shape.W
	switch a := c.intAttr("axis", -1); {
	case a != -1 && a != last || !v.flat() || v.shape.C != 1 || v.batch != 1:
		return nil, c.refuse("it chooses along axis %d of %v, want the scores of all positions in one row", a, v.dims)
	case c.intAttr("largest", 1) == 0:
		return nil, c.refuse("it chooses the lowest values, want the highest")
	case len(k) != 1 || k[0] < 1 || k[0] > int64(scores):
		return nil, c.refuse("it chooses %v of %d values", k, scores)
	case l == nil || l.Kind != graph.Conv2D || l.Activation != graph.Linear || w.trained != len(w.layers) ||
		w.scale != 1 || w.probability:
		return nil, c.refuse("it is not directly after a convolution with one filter and no activation")
	}
	w.add(graph.Layer{Kind: graph.TopMean, Top: int(k[0])})
	w.choosing = true
	made := v.layout
	made.dims = append(slices.Clone(v.dims[:last]), int(k[0]))
	made.shape, made.order = graph.Shape{H: 1, W: int(k[0]), C: 1}, []axis{columns}
	made.order = made.present(made.order...)
	return &value{layout: made, changes: w.changes}, nil
}

// clip sets the activation of the newest layer to ReLU6.
func (w *walk) clip(c call) (*value, error) {
	low, high, err := limits(c)
	if err != nil {
		return nil, err
	}
	if low != 0 || high != graph.MaxReLU6 {
		return nil, c.refuse("it limits values to %g to %g, want 0 to %d (ReLU6)", low, high, graph.MaxReLU6)
	}
	return w.activation(c, graph.ReLU6)
}

// limits returns the limits of a Clip, which are attributes before operator set 11 and inputs since
// then.
func limits(c call) (low, high float32, err error) {
	values := [2]float32{float32(math.Inf(-1)), float32(math.Inf(1))}
	for i, name := range []string{"min", "max"} {
		if a := c.attr(name); a.Name != "" {
			values[i] = a.Float
		}
		t, err := c.constant(i + 1)
		if err != nil {
			return 0, 0, err
		}
		if t == nil {
			continue
		}
		f, err := t.floats()
		if err != nil || len(f) != 1 {
			return 0, 0, c.refuse("its limits must be float32 numbers")
		}
		values[i] = f[0]
	}
	return values[0], values[1], nil
}

// topHead ends the network at the sigmoid of the mean of the highest scores.
func (w *walk) topHead(where string) error {
	if w.options.Crack == First {
		return fmt.Errorf("%w: %s is after the mean of the highest scores, so a high score must mean crack (class 1)",
			ErrCannotHold, where)
	}
	w.layers[len(w.layers)-1].Activation = graph.Sigmoid
	w.probability = true
	w.changes++
	return nil
}
