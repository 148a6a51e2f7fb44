package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"tirewatch/trainer/nn"
	"tirewatch/vision/graph"
)

// Options say what an ONNX file leaves open.
type Options struct {
	Crack Class // which class is crack
	// the network ends before its sigmoid or softmax, which training had in the loss
	Logits  bool
	Largest float64 // value of a white pixel; 0 stands for 1, and for 255 where the input is bytes
}

// Class is one of two classes by its place in the network's output. A single output is the
// probability of class 1.
type Class int

const (
	Unsaid Class = iota // one output: class 1; two outputs: ErrWhichCrack
	First               // class 0, as for folders in the order of the alphabet, crack before normal
	Second              // class 1
)

// Network is what Import finds.
type Network struct {
	Graph     graph.Graph
	Params    []nn.Param
	Threshold float64 // that the file states, when it is one of ours; else 0
}

var (
	// ErrCannotHold marks a network that graph.Graph has no form for.
	ErrCannotHold = errors.New("tirewatch cannot hold this network")
	// ErrQuantized marks a network whose weights are integers.
	ErrQuantized = errors.New("a quantized network cannot be imported, its float weights are gone")
	// ErrWhichCrack says that Options.Crack is needed.
	ErrWhichCrack = errors.New("the network tells two classes apart, and nothing says which of them is crack")
	// ErrLogits says that Options.Logits is needed.
	ErrLogits = errors.New("the network ends without a sigmoid or softmax")
)

// OperatorError names an operator that Import does not know, or not on such inputs, and the node
// that has it.
type OperatorError struct {
	Op   string // with its domain when that is not ONNX's
	Node string // name, or the name of its output
	Why  string // empty: not known at all
}

func (e *OperatorError) Error() string {
	if e.Why == "" {
		return fmt.Sprintf("operator %s of node %q is not supported", e.Op, e.Node)
	}
	return fmt.Sprintf("operator %s of node %q: %s", e.Op, e.Node, e.Why)
}

// Import makes a network of a decoded file. It follows the image from the input through the nodes
// and understands what Keras, by way of tf2onnx, and PyTorch make of a chain of convolutions, pools
// and dense layers: every order of the axes, shapes that are computed, biases that are added, the
// sigmoid of one output or the softmax of two. Weights come out in our order, to the last bit as
// they are, unless a factor on the way or a head of two classes must be worked into them. A file
// that Float wrote gives the same graph and weights.
//
// Foreign layers are named conv1, pool1, dense1 and so on; a network that is the thesis' gets its
// names and its dropout.
//
// Errors are an *OperatorError, or wrap ErrCannotHold, ErrQuantized, ErrWhichCrack, ErrLogits or
// ErrDamaged.
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

// maxFolded bounds the numbers that are computed while a file is read, all weights in our order
// among them. It is also what graph allows one layer.
const maxFolded = 1 << 26

// walk carries the file out, with shapes and constants instead of images.
type walk struct {
	model   *Model
	options Options
	version int64 // of ONNX's operators
	values  map[string]*value
	budget  int // numbers that may still be computed
	chain
}

// value is what a name of the file stands for.
type value struct {
	constant *Tensor // nil for the image on its way
	layout
	// of the network before this value was made; a later change means that the network branched
	// here
	changes int
}

// spend counts n numbers before they are made.
func (w *walk) spend(n int) error {
	if w.budget -= n; n < 0 || w.budget < 0 {
		return fmt.Errorf("%w: more than %d numbers", ErrCannotHold, maxFolded)
	}
	return nil
}

// input finds the image among the graph's inputs. Old files list the constants there too.
func (w *walk) input() error {
	var images []Value
	for _, v := range w.model.Inputs {
		if w.values[v.Name] == nil {
			images = append(images, v)
		}
	}
	if len(images) != 1 {
		return fmt.Errorf("%w: it has %d inputs, want one image", ErrCannotHold, len(images))
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
		return fmt.Errorf("a white pixel of %g, want a positive number", w.scale)
	}
	w.values[in.Name] = &value{layout: l}
	return nil
}

// call is a node with its inputs at hand.
type call struct {
	*Node
	in []*value // nil for an input that is left out
}

// step carries out one node.
func (w *walk) step(n *Node) error {
	c := call{Node: n}
	onImage := false
	for _, name := range n.Inputs {
		v := w.values[name]
		if v == nil && name != "" {
			return c.refuse("it reads %q, which nothing has made before", name)
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
		return c.refuse("%d inputs, want %d", len(c.in), op.inputs)
	case slices.Contains(c.in[:op.inputs], nil):
		return c.refuse("an input is left out")
	case onImage && op.onImage == nil:
		return c.refuse("it is supported on constants only")
	case !onImage && op.onConstants == nil:
		return c.refuse("it is supported on the image only")
	}
	carryOut := op.onConstants
	if onImage {
		carryOut = op.onImage
	}
	v, err := carryOut(w, c)
	if err != nil {
		return err
	}
	w.values[n.Outputs[0]] = v
	return nil
}

// end checks that the walk arrived at an output of the file, and that this is a probability.
func (w *walk) end() error {
	arrived := slices.ContainsFunc(w.model.Outputs, func(o Value) bool {
		v := w.values[o.Name]
		return v != nil && v.constant == nil && v.changes == w.changes
	})
	switch {
	case !arrived:
		return fmt.Errorf("%w: none of its outputs is the end of the chain of layers", ErrCannotHold)
	case w.probability:
		return nil
	case !w.options.Logits:
		return ErrLogits
	}
	return w.head("the end of the network")
}

// imageOf gives the first input, which must be the newest state of the image: a network that goes
// on from an older one branches.
func (w *walk) imageOf(c call) (*value, error) {
	v := c.in[0]
	switch {
	case v.constant != nil:
		return nil, c.refuse("its first input is a constant, want the image")
	case v.changes != w.changes:
		return nil, fmt.Errorf("%w: %s of node %q goes back to %q, but layers are a chain here", ErrCannotHold, c.operator(), c.label(), c.Inputs[0])
	}
	return v, nil
}

// constant gives input i, nil when it is left out.
func (c call) constant(i int) (*Tensor, error) {
	if i >= len(c.in) || c.in[i] == nil {
		return nil, nil
	}
	t := c.in[i].constant
	if t == nil {
		return nil, c.refuse("input %q is no constant", c.Inputs[i])
	}
	if t.Outside {
		return nil, c.refuse("the numbers of %q are in another file; save the network as one file", c.Inputs[i])
	}
	return t, nil
}

// label names the node for people. Some tools name the values only.
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

// attr gives an attribute, the zero Attr when the node has none of this name.
func (n *Node) attr(name string) Attr {
	for _, a := range n.Attrs {
		if a.Name == name {
			return a
		}
	}
	return Attr{}
}

// intAttr gives an integer attribute or its default.
func (n *Node) intAttr(name string, otherwise int64) int64 {
	if a := n.attr(name); a.Name != "" {
		return a.Int
	}
	return otherwise
}
