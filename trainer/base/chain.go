package base

import (
	"fmt"
	"slices"

	"tirewatch/vision/graph"
)

// stage is a convolution of the model with its constants.
type stage struct {
	node          string
	weights, bias tensor
}

// chain follows the graph from its input and returns one stage for each layer. It trusts no name:
// each node must read the one before, and compute what the layer computes.
func (m *model) chain(layers []graph.Layer) ([]stage, error) {
	at, err := m.input()
	if err != nil {
		return nil, err
	}
	stages, channels := make([]stage, 0, len(layers)), 3
	for _, l := range layers {
		n, err := m.reader(at)
		if err != nil {
			return nil, fmt.Errorf("%w: layer %s: %w", ErrModel, l.Name, err)
		}
		s, err := m.stage(n, l, channels)
		if err != nil {
			return nil, fmt.Errorf("%w: layer %s, node %.80q: %w", ErrModel, l.Name, n.Name, err)
		}
		stages, at, channels = append(stages, s), n.Name, l.Filters
	}
	return stages, nil
}

// input returns the name of the only placeholder.
func (m *model) input() (string, error) {
	name, found := "", 0
	for _, n := range m.nodes {
		if n.Op == "Placeholder" {
			name, found = n.Name, found+1
		}
	}
	if found != 1 {
		return "", fmt.Errorf("%w: %d inputs, want 1", ErrModel, found)
	}
	return name, nil
}

// reader returns the only node that reads the result of another.
func (m *model) reader(of string) (*node, error) {
	var found []*node
	for i := range m.nodes {
		if slices.Contains(m.nodes[i].Input, of) {
			found = append(found, &m.nodes[i])
		}
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("%d nodes read %.80q, want 1", len(found), of)
	}
	return found[0], nil
}

// stage checks that a node computes the layer, and finds its constants.
func (m *model) stage(n *node, l graph.Layer, channels int) (stage, error) {
	op, shape := "_FusedConv2D", []int{l.Kernel, l.Kernel, channels, l.Filters}
	if l.Kind == graph.Depthwise2D {
		op, shape = "FusedDepthwiseConv2dNative", []int{l.Kernel, l.Kernel, channels, 1}
	}
	if n.Op != op {
		return stage{}, fmt.Errorf("operation %.40q, want %s", n.Op, op)
	}
	if err := n.checkAttributes(l.Stride); err != nil {
		return stage{}, err
	}
	if len(n.Input) != 3 {
		return stage{}, fmt.Errorf("%d inputs, want image, weights and bias", len(n.Input))
	}
	weights, err := m.constant(n.Input[1], shape)
	if err != nil {
		return stage{}, err
	}
	bias, err := m.constant(n.Input[2], []int{l.Filters})
	return stage{n.Name, weights, bias}, err
}

// constant returns a tensor that must have the shape.
func (m *model) constant(name string, shape []int) (tensor, error) {
	t, ok := m.tensors[name]
	if !ok {
		return tensor{}, fmt.Errorf("tensor %.40q is missing", name)
	}
	if op := m.ops[name]; op != "Const" {
		return tensor{}, fmt.Errorf("%.40q is computed by %.40q, want a constant", name, op)
	}
	if !slices.Equal(t.shape, shape) {
		return tensor{}, fmt.Errorf("tensor %.40q has the shape %v, want %v", name, t.shape, shape)
	}
	return t, nil
}

// withoutEffect lists the attributes that change nothing in these convolutions.
var withoutEffect = []string{"T", "num_args", "epsilon", "use_cudnn_on_gpu", "explicit_paddings"}

// checkAttributes refuses every property that the layer does not have: an unknown one may change
// the result.
func (n *node) checkAttributes(stride int) error {
	one := []int64{1, 1, 1, 1}
	strides := []int64{1, int64(stride), int64(stride), 1}
	for name, a := range n.Attr {
		ok := slices.Contains(withoutEffect, name)
		switch name {
		case "data_format":
			ok = string(a.S) == "NHWC"
		case "padding":
			ok = string(a.S) == "SAME"
		case "dilations":
			ok = slices.Equal(a.integers(), one)
		case "strides":
			ok = slices.Equal(a.integers(), strides)
		case "fused_ops":
			ok = len(a.List.S) == 2 && string(a.List.S[0]) == "BiasAdd" && string(a.List.S[1]) == "Relu6"
		}
		if !ok {
			return fmt.Errorf("attribute %.40s: %s differs from the layer", name, a)
		}
	}
	for _, name := range []string{"data_format", "padding", "strides", "fused_ops"} {
		if _, ok := n.Attr[name]; !ok {
			return fmt.Errorf("attribute %s is missing", name)
		}
	}
	return nil
}

// integers returns the list of numbers, or nothing if one of them is not whole.
func (a attr) integers() []int64 {
	var all []int64
	for _, number := range a.List.I {
		v, err := number.Int64()
		if err != nil {
			return nil
		}
		all = append(all, v)
	}
	return all
}

// String shows the value in an error.
func (a attr) String() string {
	if len(a.List.S) > 0 {
		return fmt.Sprintf("%.80q", a.List.S)
	}
	if len(a.List.I) > 0 {
		return fmt.Sprintf("%.80v", a.List.I)
	}
	return fmt.Sprintf("%.40q", a.S)
}
