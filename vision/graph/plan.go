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
	PadTop  int // zeros above the first row of the input
	PadLeft int // zeros left of the first column

	// LiveIn and LiveOut are the parts, from the top left corner, on which the network's result
	// depends. "Valid" windows with a stride do not read some rows and columns at the bottom and
	// right. Traced back from the output, each layer must compute a little less than its full
	// output. Only H and W differ from In and Out.
	LiveIn, LiveOut Shape
}

// WeightShape returns the layout of the weights, the outputs first. It is empty for a layer that is
// not trained.
//
//	Conv2D       (Filters, Kernel, Kernel, In.C)
//	Depthwise2D  (Filters, Kernel, Kernel, 1)
//	Dense        (Filters, In.C)
func (s Step) WeightShape() []int {
	switch s.Kind {
	case Conv2D:
		return []int{s.Filters, s.Kernel, s.Kernel, s.In.C}
	case Depthwise2D:
		return []int{s.Filters, s.Kernel, s.Kernel, 1}
	case Dense:
		return []int{s.Filters, s.In.C}
	}
	return nil
}

// Weights returns the number of weights without biases, 0 for a layer that is not trained.
func (s Step) Weights() int {
	if !s.HasWeights() {
		return 0
	}
	n := 1
	for _, size := range s.WeightShape() {
		n *= size
	}
	return n
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
	case Conv2D, Depthwise2D:
		per := s.Weights()
		return s.Out.H * s.Out.W * per, s.LiveOut.H * s.LiveOut.W * per
	case Dense:
		return s.Weights(), s.Weights()
	}
	return 0, 0
}

// Plan computes the shape and the live region of every layer. It returns an error for a graph that
// cannot be run: an unknown kind or word, a window larger than its input, a network that does not
// end in one sigmoid. The error wraps ErrGraph and names the layer.
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
	if err := checkEnd(steps); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrGraph, err)
	}
	markLive(steps)
	return steps, nil
}

// checkEnd refuses a network whose output is not one probability, from a dense unit or from the
// mean of the highest scores. Scores are the plain sums of a convolution with one filter.
func checkEnd(steps []Step) error {
	last := len(steps) - 1
	for _, s := range steps[:last] {
		if s.Kind == TopMean {
			return fmt.Errorf("layer %s: topmean must be the last layer", s.Name)
		}
	}
	s := steps[last]
	if s.Kind != TopMean {
		if s.Kind != Dense || s.Filters != 1 || s.Activation != Sigmoid {
			return fmt.Errorf("the last layer is %s with %d units and %s, want one dense sigmoid unit or topmean",
				s.Kind, s.Filters, s.Activation)
		}
		return nil
	}
	if s.Activation != Sigmoid {
		return fmt.Errorf("layer %s: topmean with the activation %q, want sigmoid", s.Name, s.Activation)
	}
	if last == 0 || steps[last-1].Kind != Conv2D || steps[last-1].Activation != Linear {
		return fmt.Errorf("layer %s: topmean must be directly after a linear convolution", s.Name)
	}
	return nil
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
	if err := s.inferShape(); err != nil {
		return err
	}
	switch {
	case s.HasWeights():
		if s.Activation != Linear && s.Activation != ReLU && s.Activation != ReLU6 && s.Activation != Sigmoid {
			return fmt.Errorf("unknown activation %q", s.Activation)
		}
	case s.Activation != "" && s.Kind != TopMean:
		return fmt.Errorf("%s cannot have an activation", s.Kind)
	}
	if s.Pad != 0 && s.Padding != Explicit {
		return fmt.Errorf("%d px of padding with the padding %q, want explicit", s.Pad, s.Padding)
	}
	if s.Top != 0 && s.Kind != TopMean {
		return fmt.Errorf("%s cannot have a number of highest scores", s.Kind)
	}
	if err := checkShape(s.Out); err != nil {
		return fmt.Errorf("output: %v", err)
	}
	if s.Weights() > maxValues {
		return fmt.Errorf("%d weights are too many", s.Weights())
	}
	return nil
}

// inferShape sets Out and the padding.
func (s *Step) inferShape() error {
	switch s.Kind {
	case Conv2D, MaxPool2D, Depthwise2D, MeanPool:
		return s.inferWindows()
	case Flatten:
		s.Out = Shape{1, 1, s.In.Size()}
	case Dense:
		if s.In.H != 1 || s.In.W != 1 {
			return fmt.Errorf("input %v is not flat", s.In)
		}
		s.Out = Shape{1, 1, s.Filters}
	case TopMean:
		if s.In.C != 1 {
			return fmt.Errorf("input %v has %d channels, want one score for each position", s.In, s.In.C)
		}
		if n := s.In.H * s.In.W; s.Top < 1 || s.Top > n {
			return fmt.Errorf("mean of the highest %d scores, want 1 to %d", s.Top, n)
		}
		s.Out = Shape{1, 1, 1}
	case Dropout:
		if !(s.Rate >= 0 && s.Rate < 1) {
			return fmt.Errorf("rate %g, want 0 to less than 1", s.Rate)
		}
		s.Out = s.In
	default:
		return fmt.Errorf("unknown kind %q", s.Kind)
	}
	return nil
}

// inferWindows sets Out and the padding of a layer that slides a window.
func (s *Step) inferWindows() error {
	s.Out.C = s.In.C
	switch s.Kind {
	case Conv2D:
		s.Out.C = s.Filters
	case Depthwise2D:
		if s.Filters != s.In.C {
			return fmt.Errorf("%d filters for %d channels, want one for each", s.Filters, s.In.C)
		}
	case MeanPool:
		if s.Kernel == 0 && s.Stride == 0 && s.Padding == "" {
			s.Out.H, s.Out.W = 1, 1
			return nil
		}
		if s.Padding != Valid {
			return fmt.Errorf("a mean with the padding %q, want valid", s.Padding)
		}
	}
	if s.Kernel < 1 || s.Kernel > maxWindow || s.Stride < 1 || s.Stride > maxWindow {
		return fmt.Errorf("kernel %d, stride %d, want 1 to %d", s.Kernel, s.Stride, maxWindow)
	}
	var err error
	if s.Out.H, s.PadTop, err = s.windows(s.In.H); err != nil {
		return err
	}
	s.Out.W, s.PadLeft, err = s.windows(s.In.W)
	return err
}

// windows returns the number of windows along an axis of in values and the number of zeros before
// the first value.
func (l Layer) windows(in int) (out, pad int, err error) {
	switch l.Padding {
	case Valid:
		if in < l.Kernel {
			return 0, 0, fmt.Errorf("a window of %d does not fit in %d", l.Kernel, in)
		}
		return (in-l.Kernel)/l.Stride + 1, 0, nil
	case Same:
		out = (in + l.Stride - 1) / l.Stride
		return out, max(0, (out-1)*l.Stride+l.Kernel-in) / 2, nil
	case Explicit:
		// With less padding than its size, a window always covers some of the input.
		if l.Pad < 1 || l.Pad >= l.Kernel {
			return 0, 0, fmt.Errorf("%d px of padding for a window of %d, want 1 to %d", l.Pad, l.Kernel, l.Kernel-1)
		}
		if in+2*l.Pad < l.Kernel {
			return 0, 0, fmt.Errorf("a window of %d does not fit in %d and the padding", l.Kernel, in)
		}
		return (in+2*l.Pad-l.Kernel)/l.Stride + 1, l.Pad, nil
	}
	return 0, 0, fmt.Errorf("unknown padding %q", l.Padding)
}

// markLive goes back from the output. A layer must compute only the outputs that the next layer
// reads.
func markLive(steps []Step) {
	live := steps[len(steps)-1].Out
	for i := len(steps) - 1; i >= 0; i-- {
		s := &steps[i]
		s.LiveOut = Shape{live.H, live.W, s.Out.C}
		switch {
		case s.HasWindow():
			s.LiveIn = Shape{
				H: min(s.In.H, (live.H-1)*s.Stride+s.Kernel-s.PadTop),
				W: min(s.In.W, (live.W-1)*s.Stride+s.Kernel-s.PadLeft),
				C: s.In.C,
			}
		case s.Kind == Flatten, s.Kind == MeanPool, s.Kind == TopMean:
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
