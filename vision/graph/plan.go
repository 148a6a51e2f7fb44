package graph

import "fmt"

// Limits for networks from outside, far above what a station can run. With them, a hostile file
// cannot use all memory or overflow a product.
const (
	maxLayers = 256
	maxSide   = 4096    // px, of any activation
	maxDepth  = 4096    // channels or units of any activation
	maxWindow = 64      // px, kernel and stride
	maxValues = 1 << 26 // values of one activation or of one layer's weights
)

// Step is one layer with all values that follow from its position in the network.
type Step struct {
	Layer
	In, Out Shape
	PadTop  int // zeros above the first row of Conv2D and MaxPool2D with padding "same"
	PadLeft int // zeros left of the first column

	// LiveIn and LiveOut are the parts, from the top left corner, on which the network's result
	// depends. "Valid" windows with a stride do not read some rows and columns at the bottom and
	// right. Traced back from the output, each layer must compute a little less than its full
	// output. Only H and W differ from In and Out.
	LiveIn, LiveOut Shape
}

// Weights returns the number of weights without biases, 0 for a layer that is not trained. Their
// layout is (Filters, Kernel, Kernel, In.C) for Conv2D and (Filters, In.C) for Dense.
func (s Step) Weights() int {
	switch s.Kind {
	case Conv2D:
		return s.Filters * s.Kernel * s.Kernel * s.In.C
	case Dense:
		return s.Filters * s.In.C
	}
	return 0
}

// Params returns the number of weights and biases.
func (s Step) Params() int {
	if !s.HasWeights() {
		return 0
	}
	return s.Weights() + s.Filters
}

// MACs returns the number of multiply-accumulates for one image, for the whole output and for its
// live part.
func (s Step) MACs() (all, live int) {
	switch s.Kind {
	case Conv2D:
		per := s.Weights()
		return s.Out.H * s.Out.W * per, s.LiveOut.H * s.LiveOut.W * per
	case Dense:
		return s.Weights(), s.Weights()
	}
	return 0, 0
}

// Plan computes the shape and the live region of every layer. It returns an error for a graph that
// cannot be run: an unknown kind or word, a window larger than its input, a last layer that is not
// one sigmoid unit. The error wraps ErrGraph and names the layer.
func (g *Graph) Plan() ([]Step, error) {
	if err := checkShape(g.Input); err != nil {
		return nil, fmt.Errorf("%w: input: %v", ErrGraph, err)
	}
	if len(g.Layers) == 0 || len(g.Layers) > maxLayers {
		return nil, fmt.Errorf("%w: %d layers, want 1 to %d", ErrGraph, len(g.Layers), maxLayers)
	}
	steps := make([]Step, len(g.Layers))
	names := make(map[string]bool, len(g.Layers))
	shape := g.Input
	for i, l := range g.Layers {
		s := Step{Layer: l, In: shape}
		if l.Name == "" || names[l.Name] {
			return nil, fmt.Errorf("%w: the name of layer %d is empty or not unique (%q)", ErrGraph, i+1, l.Name)
		}
		names[l.Name] = true
		if err := s.infer(); err != nil {
			return nil, fmt.Errorf("%w: layer %s: %v", ErrGraph, l.Name, err)
		}
		shape = s.Out
		steps[i] = s
	}
	last := steps[len(steps)-1]
	if last.Kind != Dense || last.Filters != 1 || last.Activation != Sigmoid {
		return nil, fmt.Errorf("%w: the last layer is %s with %d units and %s, want one dense sigmoid unit",
			ErrGraph, last.Kind, last.Filters, last.Activation)
	}
	markLive(steps)
	return steps, nil
}

func checkShape(s Shape) error {
	if s.H < 1 || s.W < 1 || s.C < 1 || s.H > maxSide || s.W > maxSide || s.C > maxDepth || s.Size() > maxValues {
		return fmt.Errorf("size %v is out of range", s)
	}
	return nil
}

// On returns the layer with its shapes and padding for an input, as Plan does for a whole network.
// The live regions stay empty.
func (l Layer) On(in Shape) (Step, error) {
	s := Step{Layer: l, In: in}
	err := s.infer()
	return s, err
}

// infer checks the layer against its input and sets Out and the padding.
func (s *Step) infer() error {
	switch s.Kind {
	case Conv2D, MaxPool2D:
		if s.Kernel < 1 || s.Kernel > maxWindow || s.Stride < 1 || s.Stride > maxWindow {
			return fmt.Errorf("kernel %d, stride %d, want 1 to %d", s.Kernel, s.Stride, maxWindow)
		}
		var err error
		if s.Out.H, s.PadTop, err = window(s.In.H, s.Kernel, s.Stride, s.Padding); err != nil {
			return err
		}
		if s.Out.W, s.PadLeft, err = window(s.In.W, s.Kernel, s.Stride, s.Padding); err != nil {
			return err
		}
		s.Out.C = s.In.C
		if s.Kind == Conv2D {
			s.Out.C = s.Filters
		}
	case Flatten:
		s.Out = Shape{1, 1, s.In.Size()}
	case Dense:
		if s.In.H != 1 || s.In.W != 1 {
			return fmt.Errorf("input %v is not flat", s.In)
		}
		s.Out = Shape{1, 1, s.Filters}
	case Dropout:
		if !(s.Rate >= 0 && s.Rate < 1) {
			return fmt.Errorf("rate %g, want 0 to less than 1", s.Rate)
		}
		s.Out = s.In
	default:
		return fmt.Errorf("unknown kind %q", s.Kind)
	}
	switch {
	case s.HasWeights():
		if s.Activation != Linear && s.Activation != ReLU && s.Activation != Sigmoid {
			return fmt.Errorf("unknown activation %q", s.Activation)
		}
	case s.Activation != "":
		return fmt.Errorf("%s cannot have an activation", s.Kind)
	}
	if err := checkShape(s.Out); err != nil {
		return fmt.Errorf("output: %v", err)
	}
	if s.Weights() > maxValues {
		return fmt.Errorf("%d weights are too many", s.Weights())
	}
	return nil
}

// window returns the number of windows along one axis and the number of zeros before the first.
func window(in, kernel, stride int, p Padding) (out, pad int, err error) {
	switch p {
	case Valid:
		if in < kernel {
			return 0, 0, fmt.Errorf("a window of %d does not fit in %d", kernel, in)
		}
		return (in-kernel)/stride + 1, 0, nil
	case Same:
		out = (in + stride - 1) / stride
		return out, max(0, (out-1)*stride+kernel-in) / 2, nil
	}
	return 0, 0, fmt.Errorf("unknown padding %q", p)
}

// markLive goes back from the output. A layer must compute only the outputs that the next layer
// reads.
func markLive(steps []Step) {
	live := steps[len(steps)-1].Out
	for i := len(steps) - 1; i >= 0; i-- {
		s := &steps[i]
		s.LiveOut = Shape{live.H, live.W, s.Out.C}
		switch s.Kind {
		case Conv2D, MaxPool2D:
			s.LiveIn = Shape{
				H: min(s.In.H, (live.H-1)*s.Stride+s.Kernel-s.PadTop),
				W: min(s.In.W, (live.W-1)*s.Stride+s.Kernel-s.PadLeft),
				C: s.In.C,
			}
		case Flatten:
			s.LiveIn = s.In
		default:
			s.LiveIn = Shape{live.H, live.W, s.In.C}
		}
		live = s.LiveIn
	}
}

// Totals returns the sums of the parameters and the multiply-accumulates of a plan.
func Totals(steps []Step) (params, macs, liveMACs int) {
	for _, s := range steps {
		all, live := s.MACs()
		params, macs, liveMACs = params+s.Params(), macs+all, liveMACs+live
	}
	return params, macs, liveMACs
}
