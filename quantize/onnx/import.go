package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"tirewatch/trainer/nn"
	"tirewatch/vision/graph"
)

// Options holds what an ONNX file does not say.
type Options struct {
	Crack Class // which class is crack
	// the network has no sigmoid or softmax at its end, because it was part of the training loss
	Logits  bool
	Largest float64 // value of a white pixel; 0 means 1, or 255 if the input is uint8
}

// Class is one of two classes, by its place in the output. A single output is the probability of
// class 1.
type Class int

const (
	Unsaid Class = iota // with one output class 1; with two outputs Import returns ErrWhichCrack
	First               // class 0, as with folders in alphabetical order: crack before normal
	Second              // class 1
)

// Network is the result of Import.
type Network struct {
	Graph  graph.Graph
	Params []nn.Param
	// The fields below are from the metadata of a file that tirewatch wrote, and empty otherwise.
	Threshold       float64
	Origin, Licence string // of the weights, as checkpoint.Checkpoint has them
}

var (
	// ErrCannotHold marks a network that graph.Graph cannot represent.
	ErrCannotHold = errors.New("tirewatch does not support this network")
	// ErrQuantized marks a network whose weights are integers.
	ErrQuantized = errors.New("a quantized network cannot be imported, because it has no float weights")
	// ErrWhichCrack means that Options.Crack is needed.
	ErrWhichCrack = errors.New("the network has two classes, and the file does not say which of them is crack")
	// ErrLogits means that Options.Logits is needed.
	ErrLogits = errors.New("the network ends without a sigmoid or softmax")
)

// OperatorError names an operator that Import does not support, or not with these inputs, and its
// node.
type OperatorError struct {
	Op   string // with its domain, unless that is ONNX's own
	Node string // name of the node, or of its output
	Why  string // empty: the operator is not supported at all
}

func (e *OperatorError) Error() string {
	if e.Why == "" {
		return fmt.Sprintf("operator %s of node %q is not supported", e.Op, e.Node)
	}
	return fmt.Sprintf("operator %s of node %q: %s", e.Op, e.Node, e.Why)
}

// Import turns a decoded file into a network. It follows the image from the input through the
// nodes. It supports a chain of convolutions, pools and dense layers as Keras (through tf2onnx) and
// PyTorch write it: every order of the axes, computed shapes, added biases, means, the sigmoid of
// one output or the softmax of two. The weights are returned in our order and without a changed
// bit, unless a factor or a head of two classes must be combined with them. For a file from Float
// it returns the same graph and weights.
//
// Layers of other tools are named conv1, pool1, dense1 and so on. A network that computes the same
// as the thesis network gets its names and its dropout.
//
// The error is an *OperatorError, or wraps ErrCannotHold, ErrQuantized, ErrWhichCrack or ErrLogits.
func Import(m *Model, o Options) (*Network, error) {
	w := &walk{model: m, options: o, values: map[string]*value{}, budget: maxFolded}
	for _, s := range m.Operators {
		if s.Domain == "" || s.Domain == "ai.onnx" {
			w.version = s.Version
		}
	}
	for i := range m.Tensors {
		w.values[m.Tensors[i].Name] = &value{constant: &m.Tensors[i]}
	}
	if err := w.input(); err != nil {
		return nil, err
	}
	for i := range m.Nodes {
		if err := w.step(&m.Nodes[i]); err != nil {
			return nil, err
		}
	}
	if err := w.end(); err != nil {
		return nil, err
	}
	n := &Network{Graph: graph.Graph{Input: w.image, Layers: w.layers}, Params: w.params}
	if _, err := n.Graph.Plan(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCannotHold, err)
	}
	n.adopt(m.Metadata)
	if _, err := nn.FromParams(&n.Graph, n.Params); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCannotHold, err)
	}
	return n, nil
}

// maxFolded is the limit for the numbers that are computed while a file is read, including all
// reordered weights. Package graph has the same limit for one layer.
const maxFolded = 1 << 26

// walk runs the file with shapes and constants instead of images.
type walk struct {
	model   *Model
	options Options
	version int64 // of ONNX's operator set
	values  map[string]*value
	budget  int // numbers that may still be computed
	chain
}

// value is the value of a name in the file.
type value struct {
	constant *Tensor // nil for the image, at any point of its path
	layout
	// chain.changes when this value was made; if the chain has changed since, the network branches
	// here
	changes int
}

// spend counts n numbers before they are computed.
func (w *walk) spend(n int) error {
	if w.budget -= n; n < 0 || w.budget < 0 {
		return fmt.Errorf("%w: more than %d numbers to compute", ErrCannotHold, maxFolded)
	}
	return nil
}

// input finds the image among the inputs of the graph. Old files list the constants there too.
func (w *walk) input() error {
	var images []Value
	for _, v := range w.model.Inputs {
		if w.values[v.Name] == nil {
			images = append(images, v)
		}
	}
	if len(images) != 1 {
		return fmt.Errorf("%w: the network has %d inputs, want one image", ErrCannotHold, len(images))
	}
	in := images[0]
	if in.Type != Float32 && in.Type != Uint8 {
		return fmt.Errorf("%w: input %s is of type %d, want float32 or uint8", ErrCannotHold, in.Name, in.Type)
	}
	l, err := imageLayout(in.Shape)
	if err != nil {
		return fmt.Errorf("%w: input %s: %w", ErrCannotHold, in.Name, err)
	}
	w.image, w.scale = l.shape, w.options.Largest
	if w.scale == 0 {
		w.scale = 1
		if in.Type == Uint8 {
			w.scale = 255
		}
	}
	if !(w.scale > 0) || math.IsInf(w.scale, 0) {
		return fmt.Errorf("invalid value %g of a white pixel, want a positive number", w.scale)
	}
	w.values[in.Name] = &value{layout: l}
	return nil
}

// call is a node with its inputs.
type call struct {
	*Node
	in []*value // nil for an omitted input
}

// step runs one node.
func (w *walk) step(n *Node) error {
	c := call{Node: n}
	onImage := false
	for _, name := range n.Inputs {
		v := w.values[name]
		if v == nil && name != "" {
			return c.refuse("it reads %q, which no earlier node makes", name)
		}
		if v != nil && v.constant == nil {
			onImage = true
		}
		c.in = append(c.in, v)
	}
	op, known := operators[n.Op]
	switch {
	case n.Domain != "" && n.Domain != "ai.onnx", !known:
		if slices.Contains(quantizedOps, n.Op) {
			return fmt.Errorf("%w: %w", ErrQuantized, c.unknown())
		}
		return c.unknown()
	case len(n.Outputs) == 0:
		return c.refuse("it has no output")
	case len(c.in) < op.inputs:
		return c.refuse("it has %d inputs, want %d", len(c.in), op.inputs)
	case slices.Contains(c.in[:op.inputs], nil):
		return c.refuse("a required input is missing")
	case onImage && op.onImage == nil:
		return c.refuse("it is supported on constants only")
	case !onImage && op.onConstants == nil:
		return c.refuse("it is supported on the image only")
	}
	run := op.onConstants
	if onImage {
		run = op.onImage
	}
	v, err := run(w, c)
	if err != nil {
		return err
	}
	w.values[n.Outputs[0]] = v
	return nil
}

// end checks that the chain ends at an output of the file, and that this output is a probability.
func (w *walk) end() error {
	reached := slices.ContainsFunc(w.model.Outputs, func(o Value) bool {
		v := w.values[o.Name]
		return v != nil && v.constant == nil && v.changes == w.changes
	})
	switch {
	case w.choosing, !reached:
		return fmt.Errorf("%w: no output of the network is the end of the chain of layers", ErrCannotHold)
	case w.probability:
		return nil
	case !w.options.Logits:
		return ErrLogits
	}
	return w.head("the end of the network")
}

// imageOf returns the first input. It must be the newest state of the image: a network that
// continues from an older state has branches.
func (w *walk) imageOf(c call) (*value, error) {
	v := c.in[0]
	switch {
	case v.constant != nil:
		return nil, c.refuse("its first input is a constant, want the image")
	case w.choosing:
		return nil, c.refuse("it reads the highest scores, but only their mean is supported")
	case v.changes != w.changes:
		return nil, fmt.Errorf("%w: %s of node %q reads the older value %q, but only a chain of layers is supported",
			ErrCannotHold, c.operator(), c.label(), c.Inputs[0])
	}
	return v, nil
}

// constant returns input i, or nil if it is omitted.
func (c call) constant(i int) (*Tensor, error) {
	if i >= len(c.in) || c.in[i] == nil {
		return nil, nil
	}
	t := c.in[i].constant
	if t == nil {
		return nil, c.refuse("input %q is not a constant", c.Inputs[i])
	}
	if t.Outside {
		return nil, c.refuse("the numbers of %q are in another file; save the network as one file", c.Inputs[i])
	}
	return t, nil
}

// label returns the name of the node for messages. Some tools name only the values.
func (n *Node) label() string {
	if n.Name == "" && len(n.Outputs) > 0 {
		return n.Outputs[0]
	}
	return n.Name
}

func (c call) unknown() error { return &OperatorError{Op: c.operator(), Node: c.label()} }

func (c call) refuse(format string, args ...any) error {
	return &OperatorError{Op: c.operator(), Node: c.label(), Why: fmt.Sprintf(format, args...)}
}

func (n *Node) operator() string {
	if n.Domain == "" {
		return n.Op
	}
	return n.Domain + "." + n.Op
}

// attr returns an attribute, or the zero Attr if the node does not have it.
func (n *Node) attr(name string) Attr {
	for _, a := range n.Attrs {
		if a.Name == name {
			return a
		}
	}
	return Attr{}
}

// intAttr returns an integer attribute or its default.
func (n *Node) intAttr(name string, def int64) int64 {
	if a := n.attr(name); a.Name != "" {
		return a.Int
	}
	return def
}
