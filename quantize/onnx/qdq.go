package onnx

import (
	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
)

// Int8QDQ returns the quantized network in the other form, QDQ: Conv and Gemm on float32, and
// around each of them pairs of QuantizeLinear and DequantizeLinear that define the bytes. Every
// runtime can run it. Runtimes with integer kernels recognise the pairs and replace them by these
// kernels. The scales are those of Int8: 1, and Mult for the weights.
//
//	image -> Dequantize -> Conv -> Quantize -> Dequantize -> MaxPool -> ... -> Gemm -> logit
//	 w, b -> Dequantize ----^   (axis 0: one scale for each output channel)
//
// Weights, biases and scales are exact. In a runtime with integer kernels every activation is exact
// too, and its sums are those of the station. A runtime that computes Conv and Gemm in float32, as
// the file says, rounds each product byte * weight * Mult and each sum. An activation very close to
// the middle between two bytes may then become the other byte. Module bench measures the effect:
// 173 of 186 images have the same sum, the others differ by up to 1.5 % of the range of sums. A
// verdict differs if the probability is that close to the threshold. The same holds for a mean over
// a number of values that is not a power of two.
//
// There is no Relu: QuantizeLinear saturates at byte 0, which is the value 0.
func Int8QDQ(m *infer.Model) (*Model, error) {
	b, steps, err := newInt8Builder(m,
		"int8 network of a tirewatch bundle in QDQ form: one scale per output channel, all other scales 1")
	if err != nil {
		return nil, err
	}
	b.dequantize(Image)
	layers := m.Layers
	for i, s := range steps {
		switch s.Kind {
		case graph.Conv2D, graph.Depthwise2D:
			if layers[0].Mult == nil {
				err = b.qdqScores(s, &layers[0], m)
			} else {
				err = b.qdqConv(s, &layers[0])
			}
			layers = layers[1:]
		case graph.MeanPool:
			err = b.qdqMean(s)
		case graph.TopMean:
			err = b.topMean(s, s.Name+"/mean")
		case graph.MaxPool2D:
			if err = b.needSpace(s); err == nil {
				b.node("MaxPool", s.Name, s.Name+"/max", []string{b.at}, window(s)...)
				b.quantize(s.Name)
			}
		case graph.Flatten:
			b.qdqFlatten(s.Name, s.In)
		case graph.Dense:
			if i == len(steps)-1 {
				b.qdqGemm(s, &layers[0], constantScale(s.Filters, float32(m.LogitScale)))
			} else {
				b.qdqGemm(s, &layers[0], layers[0].Mult)
				b.quantize(s.Name)
			}
			layers = layers[1:]
		case graph.Dropout: // acts in training only
		}
		if err != nil {
			return nil, err
		}
	}
	b.node("Sigmoid", Probability, Probability, []string{b.at})
	b.rename(Logit, Probability)
	return &b.m, nil
}

func (b *builder) qdqConv(s graph.Step, l *infer.Layer) error {
	if err := b.qdqSums(s, l, l.Mult); err != nil {
		return err
	}
	b.quantize(s.Name)
	return nil
}

// qdqScores adds the convolution before a TopMean. Its scale makes the mean of the highest scores
// the logit.
func (b *builder) qdqScores(s graph.Step, l *infer.Layer, m *infer.Model) error {
	top := m.Graph.Layers[len(m.Graph.Layers)-1].Top
	return b.qdqSums(s, l, []float32{float32(m.LogitScale * float64(top))})
}

// qdqSums adds a convolution without a form for its sums.
func (b *builder) qdqSums(s graph.Step, l *infer.Layer, scale []float32) error {
	if err := b.needSpace(s); err != nil {
		return err
	}
	shape, w := filters(s, l.W)
	b.node("Conv", s.Name, s.Name+"/sum", b.dequantized(s, shape, w, l, scale), convAttrs(s)...)
	return nil
}

// qdqMean adds a mean as a convolution, as Int8 does.
func (b *builder) qdqMean(s graph.Step) error {
	if err := b.needSpace(s); err != nil {
		return err
	}
	shape, w, scale, attrs := meanWindow(s)
	s.Filters = s.In.C
	l := &infer.Layer{Bias: make([]int32, s.In.C)}
	b.node("Conv", s.Name, s.Name+"/sum", b.dequantized(s, shape, w, l, scale), attrs...)
	b.quantize(s.Name)
	return nil
}

func (b *builder) qdqGemm(s graph.Step, l *infer.Layer, scale []float32) {
	b.qdqFlatten(s.Name+"/flatten", s.In) // if the graph has no Flatten
	w := channelsFirst(l.W, b.denseOrder(s))
	inputs := b.dequantized(s, []int{s.Filters, s.In.C}, w, l, scale)
	b.node("Gemm", s.Name, s.Name+"/sum", inputs, intAttr("transB", 1))
}

func (b *builder) qdqFlatten(name string, in graph.Shape) {
	if !b.flat {
		b.flatten(name, name+"/flat", in)
		b.quantize(name)
	}
}

// constantScale repeats a scale for each channel.
func constantScale(n int, scale float32) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = scale
	}
	return v
}

// quantize turns the newest value into bytes, NAME/out, and those back into numbers.
func (b *builder) quantize(layer string) {
	b.node("QuantizeLinear", layer+"/quantize", out(layer), []string{b.at, one, zero})
	b.dequantize(layer)
}

func (b *builder) dequantize(layer string) {
	b.node("DequantizeLinear", layer+"/dequantize", layer+"/float", []string{b.at, one, zero})
}

// dequantized adds the weights and biases of a layer and the nodes that convert them to float32. It
// returns the inputs of the layer's node.
func (b *builder) dequantized(s graph.Step, shape []int, w []byte, l *infer.Layer, scale []float32) []string {
	image := b.at // the nodes of constants are not on the path of the image
	names := b.quantized(s, shape, w, scale)
	b.node("DequantizeLinear", s.Name+"/w/dequantize", s.Name+"/w/float", names, intAttr("axis", 0))
	bias := b.constant(s.Name+"/b", Int32, []int{s.Filters}, int32s(l.Bias))
	b.node("DequantizeLinear", s.Name+"/b/dequantize", s.Name+"/b/float", []string{bias, names[1]}, intAttr("axis", 0))
	return []string{image, s.Name + "/w/float", s.Name + "/b/float"}
}
