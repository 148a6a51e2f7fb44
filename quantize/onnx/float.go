package onnx

import (
	"tirewatch/trainer/nn"
	"tirewatch/vision/graph"
)

// Float returns the trained network in float32: Conv, Relu, Clip, MaxPool, AveragePool, Flatten,
// Gemm, TopK, ReduceMean, Sigmoid. params are those of a checkpoint. Each runtime adds sums in its
// own order, so results are equal up to rounding, not to the bit. If a window follows a flatten,
// the error wraps ErrUnsupported; if params do not fit g, nn.ErrParams.
func Float(g *graph.Graph, params []nn.Param) (*Model, error) {
	if _, err := nn.FromParams(g, params); err != nil {
		return nil, err
	}
	steps, err := g.Plan()
	if err != nil {
		return nil, err
	}
	b := newBuilder(g, Float32, "pixel / 255")
	b.m.Doc = "float32 network of a tirewatch checkpoint"
	for _, s := range steps {
		switch s.Kind {
		case graph.Conv2D, graph.Depthwise2D:
			if err := b.needSpace(s); err != nil {
				return nil, err
			}
			shape, w := filters(s, params[0].Data)
			b.sum("Conv", s, b.floats(s, shape, w, params[1].Data), convAttrs(s)...)
			params = params[2:]
		case graph.MaxPool2D:
			if err := b.pool(s); err != nil {
				return nil, err
			}
		case graph.MeanPool:
			if err := b.mean(s); err != nil {
				return nil, err
			}
		case graph.TopMean:
			if err := b.topMean(s, s.Name+"/mean"); err != nil {
				return nil, err
			}
			b.activation(s)
		case graph.Flatten:
			b.flatten(s.Name, out(s.Name), s.In)
		case graph.Dense:
			w := channelsFirst(params[0].Data, b.denseOrder(s))
			b.sum("Gemm", s, b.floats(s, []int{s.Filters, s.In.C}, w, params[1].Data), intAttr("transB", 1))
			params = params[2:]
		case graph.Dropout: // acts in training only
		}
	}
	b.rename(Logit, Probability)
	return &b.m, nil
}

// floats adds the parameters of a layer and returns the inputs of its node.
func (b *builder) floats(s graph.Step, shape []int, w, bias []float32) []string {
	return []string{
		b.at,
		b.constant(s.Name+"/w", Float32, shape, float32s(w)),
		b.constant(s.Name+"/b", Float32, []int{s.Filters}, float32s(bias)),
	}
}

// sum adds a trained layer and its activation.
func (b *builder) sum(op string, s graph.Step, inputs []string, attrs ...Attr) {
	b.node(op, s.Name, s.Name+"/sum", inputs, attrs...)
	b.activation(s)
}

func (b *builder) activation(s graph.Step) {
	switch s.Activation {
	case graph.ReLU:
		b.node("Relu", s.Name+"/relu", out(s.Name), []string{b.at})
	case graph.ReLU6:
		b.node("Clip", s.Name+"/relu6", out(s.Name), []string{b.at,
			b.constant(s.Name+"/low", Float32, nil, float32s([]float32{0})),
			b.constant(s.Name+"/high", Float32, nil, float32s([]float32{graph.MaxReLU6}))})
	case graph.Sigmoid:
		b.node("Sigmoid", s.Name+"/sigmoid", out(s.Name), []string{b.at})
	}
}

// rename names the last two values of the graph, a sum and its sigmoid, as the outputs.
func (b *builder) rename(sum, sigmoid string) {
	n := len(b.m.Nodes)
	b.m.Nodes[n-2].Outputs[0], b.m.Nodes[n-1].Inputs[0] = sum, sum
	b.m.Nodes[n-1].Outputs[0] = sigmoid
}
