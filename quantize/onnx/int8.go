package onnx

import (
	"encoding/binary"
	"math"

	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
)

// Int8 returns the quantized network: QLinearConv, MaxPool on uint8, QGemm. It is exactly the
// integer arithmetic of package infer.
//
// ONNX's operators multiply a sum with x_scale * w_scale[c] / y_scale. Package infer multiplies
// with one float32, Mult[c], and a quotient of three float32 cannot represent every float32. So
// x_scale and y_scale are exactly 1, and w_scale[c] is Mult[c]. For ONNX, an activation then is its
// byte value instead of the value of the float network; no result depends on that. The last layer
// has no y_scale: its result is float32(sum) * float32(LogitScale).
//
// A mean is a depthwise convolution with weights of 1. Scores before a TopMean are sums in int32:
// ConvInteger and Add. Their highest are added in int32 too, and the sum is multiplied as above.
//
// ONNX requantizes before the pool, infer.Runner after it. Scales are positive and rounding keeps
// the order of values, so the bytes are the same.
func Int8(m *infer.Model) (*Model, error) {
	b, steps, err := newInt8Builder(m,
		"int8 network of a tirewatch bundle: one scale per output channel, all other scales 1")
	if err != nil {
		return nil, err
	}
	b.m.Operators = append(b.m.Operators, OperatorSet{Microsoft, microsoftSet})
	layers := m.Layers
	for i, s := range steps {
		switch s.Kind {
		case graph.Conv2D, graph.Depthwise2D:
			if layers[0].Mult == nil {
				err = b.integerScores(s, &layers[0])
			} else {
				err = b.qconv(s, &layers[0])
			}
			layers = layers[1:]
		case graph.MaxPool2D:
			err = b.pool(s)
		case graph.MeanPool:
			err = b.qmean(s)
		case graph.TopMean:
			err = b.integerTop(s, m.LogitScale)
		case graph.Flatten:
			b.flatten(s.Name, out(s.Name), s.In)
		case graph.Dense:
			if i == len(steps)-1 {
				b.qgemm(s, &layers[0], []float32{float32(m.LogitScale)}, Logit, nil)
			} else {
				b.qgemm(s, &layers[0], layers[0].Mult, out(s.Name), []string{one, zero})
			}
			layers = layers[1:]
		case graph.Dropout: // acts in training only
		}
		if err != nil {
			return nil, err
		}
	}
	b.node("Sigmoid", Probability, Probability, []string{b.at})
	return &b.m, nil
}

// newInt8Builder starts either form of a quantized network. Its input is the pixel itself.
func newInt8Builder(m *infer.Model, doc string) (*builder, []graph.Step, error) {
	if err := m.Validate(); err != nil {
		return nil, nil, err
	}
	steps, err := m.Graph.Plan()
	if err != nil {
		return nil, nil, err
	}
	b := newBuilder(&m.Graph, Uint8, "the pixel itself, 0 to 255")
	b.m.Doc = doc
	b.constant(one, Float32, nil, float32s([]float32{1}))
	b.constant(zero, Uint8, nil, []byte{0})
	return b, steps, nil
}

// Names of the constants for the scale and the zero point of every activation.
const (
	one  = "one"
	zero = "zero"
)

func (b *builder) qconv(s graph.Step, l *infer.Layer) error {
	if err := b.needSpace(s); err != nil {
		return err
	}
	shape, w := filters(s, l.W)
	inputs := append([]string{b.at, one, zero}, b.quantized(s, shape, w, l.Mult)...)
	inputs = append(inputs, one, zero, b.constant(s.Name+"/b", Int32, []int{s.Filters}, int32s(l.Bias)))
	b.node("QLinearConv", s.Name, out(s.Name), inputs, convAttrs(s)...)
	return nil
}

func (b *builder) qmean(s graph.Step) error {
	if err := b.needSpace(s); err != nil {
		return err
	}
	shape, w, scale, attrs := meanWindow(s)
	s.Filters = s.In.C
	inputs := append([]string{b.at, one, zero}, b.quantized(s, shape, w, scale)...)
	b.node("QLinearConv", s.Name, out(s.Name), append(inputs, one, zero), attrs...)
	return nil
}

// integerScores adds the convolution before a TopMean. Its sums (1, 1, H, W) stay int32. The
// weights are uint8 with the zero point 128: ONNX Runtime for ARM has no ConvInteger with int8
// weights.
func (b *builder) integerScores(s graph.Step, l *infer.Layer) error {
	if err := b.needSpace(s); err != nil {
		return err
	}
	shape, w := filters(s, l.W)
	moved := make([]byte, len(w))
	for i, v := range w {
		moved[i] = v + 128 // int8 from -127 to 127 becomes uint8 from 1 to 255
	}
	inputs := []string{b.at, b.constant(s.Name+"/w", Uint8, shape, moved), zero,
		b.constant(s.Name+"/zero", Uint8, nil, []byte{128})}
	b.node("ConvInteger", s.Name, s.Name+"/sum", inputs, convAttrs(s)...)
	bias := b.constant(s.Name+"/b", Int32, []int{1, 1, 1, 1}, int32s(l.Bias))
	b.node("Add", s.Name+"/add", out(s.Name), []string{b.at, bias})
	return nil
}

// integerTop adds the sum of the highest scores and turns it into the logit.
func (b *builder) integerTop(s graph.Step, scale float64) error {
	if err := b.top(s); err != nil {
		return err
	}
	axes := b.constant(s.Name+"/axes", Int64, []int{1}, binary.LittleEndian.AppendUint64(nil, 1))
	b.node("ReduceSum", s.Name+"/sum", out(s.Name), []string{b.at, axes}, intAttr("keepdims", 1))
	b.node("Cast", s.Name+"/cast", s.Name+"/float", []string{b.at}, intAttr("to", int64(Float32)))
	factor := b.constant(s.Name+"/scale", Float32, nil, float32s([]float32{float32(scale)}))
	b.node("Mul", s.Name+"/logit", Logit, []string{b.at, factor})
	return nil
}

func (b *builder) qgemm(s graph.Step, l *infer.Layer, scale []float32, output string, requantize []string) {
	w := channelsFirst(l.W, b.denseOrder(s))
	inputs := append([]string{b.at, one, zero}, b.quantized(s, []int{s.Filters, s.In.C}, w, scale)...)
	inputs = append(inputs, b.constant(s.Name+"/b", Int32, []int{s.Filters}, int32s(l.Bias)))
	b.node("QGemm", s.Name, output, append(inputs, requantize...), intAttr("transB", 1)).Domain = Microsoft
}

// quantized adds the weights of a layer with their scales and zero points, and returns the three
// names.
func (b *builder) quantized(s graph.Step, shape []int, w []byte, scale []float32) []string {
	return []string{
		b.constant(s.Name+"/w", Int8s, shape, w),
		b.constant(s.Name+"/scale", Float32, []int{s.Filters}, float32s(scale)),
		b.constant(s.Name+"/zero", Int8s, []int{s.Filters}, make([]byte, s.Filters)),
	}
}

func float32s(v []float32) []byte {
	var data []byte
	for _, f := range v {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(f))
	}
	return data
}

func int32s(v []int32) []byte {
	var data []byte
	for _, i := range v {
		data = binary.LittleEndian.AppendUint32(data, uint32(i))
	}
	return data
}
