package transfer

import (
	"fmt"
	"slices"
	"strings"

	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/nn"
	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
)

// halves is a network that is cut in two before the first layer that is trained.
type halves struct {
	frozen []string     // names of the layers with weights of the lower half
	lower  *infer.Model // nil: net is the whole network, with the frozen layers
	net    *nn.Net
	side   int // px, of the image
}

// cut makes the halves of c. With a trunk, the int8 form of its lower layers, the upper half is
// a network of its own, which reads their activations.
func cut(c *checkpoint.Checkpoint, from string, trunk *infer.Model) (*halves, error) {
	at, frozen, err := below(&c.Graph, from)
	if err != nil {
		return nil, err
	}
	if c.Spec.Width != c.Spec.Height {
		return nil, fmt.Errorf("fine-tuning: images of %d x %d px, want squares, which can be turned", c.Spec.Width, c.Spec.Height)
	}
	h := &halves{frozen: frozen, side: c.Spec.Width}
	if trunk == nil {
		if h.net, err = c.Net(); err == nil {
			err = h.net.Freeze(frozen)
		}
		return h, err
	}
	if have, want := lowerHash(&trunk.Graph, at), lowerHash(&c.Graph, at); have != want {
		return nil, fmt.Errorf("fine-tuning: the int8 network: %w", &graph.MismatchError{Have: have, Want: want})
	}
	steps, err := c.Graph.Plan()
	if err != nil {
		return nil, err
	}
	if steps[at-1].Activation != graph.ReLU6 {
		return nil, fmt.Errorf("fine-tuning: layer %s has the activation %s, want %s below the trained layers",
			steps[at-1].Name, steps[at-1].Activation, graph.ReLU6)
	}
	h.lower = lower(trunk, steps[at-1], at, len(frozen))
	upper := &graph.Graph{Input: steps[at].In, Layers: c.Graph.Layers[at:]}
	h.net, err = nn.FromParams(upper, c.Params[2*len(frozen):])
	return h, err
}

// lowerHash identifies the first layers of a network. Its head may differ: fitting one chooses how
// many scores count.
func lowerHash(g *graph.Graph, layers int) graph.Hash {
	return (&graph.Graph{Input: g.Input, Layers: g.Layers[:min(layers, len(g.Layers))]}).Hash()
}

// below finds a block, which is the depthwise and the 1x1 convolution with its number: the index of
// its first layer, and the names of the layers with weights below.
func below(g *graph.Graph, block string) (at int, names []string, err error) {
	var blocks []string
	for i, l := range g.Layers {
		if number, ok := strings.CutPrefix(l.Name, "depthwise"); ok && i > 0 {
			blocks = append(blocks, "block"+number)
			if block == "block"+number {
				return i, names, nil
			}
		}
		if l.HasWeights() {
			names = append(names, l.Name)
		}
	}
	return 0, nil, fmt.Errorf("fine-tune from %q: %w, want one of %v", block, ErrBlock, blocks)
}

// lower returns the first layers of a model. A model must end in scores, so it gets scores of zero.
// last is the last of the layers.
func lower(m *infer.Model, last graph.Step, layers, trained int) *infer.Model {
	c := last.Out.C
	g := graph.Graph{Input: m.Graph.Input, Layers: append(slices.Clone(m.Graph.Layers[:layers]),
		graph.Layer{Kind: graph.Conv2D, Name: "nothing", Filters: 1, Kernel: 1, Stride: 1, Padding: graph.Valid, Activation: graph.Linear},
		graph.Layer{Kind: graph.TopMean, Name: "end", Top: 1, Activation: graph.Sigmoid})}
	nothing := infer.Layer{Name: "nothing", W: make([]byte, c), Bias: make([]int32, 1)}
	return &infer.Model{Graph: g, Layers: append(slices.Clone(m.Layers[:trained]), nothing), LogitScale: 1}
}

// step6 is the activation of a byte of 1 after ReLU6.
const step6 = graph.MaxReLU6 / 255.0

// activations runs the lower half on an image and writes its output to x.
func (h *halves) activations(r *infer.Runner, x []float32, pix []byte) error {
	_, err := r.Observe(pix, func(layer int, values []uint8) {
		if layer == len(h.frozen)-1 {
			for i, v := range values {
				x[i] = float32(v) * step6
			}
		}
	})
	return err
}

// params returns the parameters of the whole network: those of the frozen layers from c.
func (h *halves) params(c *checkpoint.Checkpoint) []nn.Param {
	if h.lower == nil {
		return h.net.Params()
	}
	return append(slices.Clone(c.Params[:2*len(h.frozen)]), h.net.Params()...)
}
