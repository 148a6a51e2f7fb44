package main

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"tirewatch/trainer/nn"
	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
	"tirewatch/vision/kernel"
)

// The kinds of layers in the files of onednn/onednn.cpp. A mean is a depthwise convolution whose
// weights are 1.
const (
	arrayConv = iota
	arrayDepthwise
	arrayMaxPool
	arrayDense
	arrayTop
)

// The activations in these files.
const (
	arrayLinear = iota
	arrayReLU
	arrayReLU6
)

// arrays writes a network for onednn/onednn.cpp, in int8 and in float32, little endian. A file has
// the number of layers, then the layers. A layer has ten int32: its kind, the side and the channels
// of its input and of its output, window, stride, zeros before the input, activation, highest
// scores. After them are the weights (outC, kh, kw, inC) as int8 or float32, the biases as int32 or
// float32, and in int8 the multipliers as float32. The last value is what the result is multiplied
// with to become the logit, a float32.
func arrays(m *infer.Model, params []nn.Param) (int8s, floats []byte, err error) {
	steps, err := m.Graph.Plan()
	if err != nil {
		return nil, nil, err
	}
	var q, f bytes.Buffer
	put := func(b *bytes.Buffer, v any) { binary.Write(b, binary.LittleEndian, v) } // returns no error
	both := func(v any) { put(&q, v); put(&f, v) }
	var kept []graph.Step
	for _, s := range steps {
		if s.Kind != graph.Flatten && s.Kind != graph.Dropout {
			kept = append(kept, s)
		}
	}
	both(int32(len(kept)))
	layers, scale := m.Layers, float32(m.LogitScale)
	for _, s := range kept {
		head, err := arrayHead(s)
		if err != nil {
			return nil, nil, err
		}
		both(head)
		switch {
		case s.HasWeights():
			l := layers[0]
			put(&q, l.W)
			put(&q, l.Bias)
			mult := l.Mult
			if mult == nil {
				mult = []float32{1}
			}
			put(&q, mult)
			put(&f, params[0].Data)
			put(&f, params[1].Data)
			layers, params = layers[1:], params[2:]
		case s.Kind == graph.MeanPool:
			n := s.Kernel * s.Kernel
			put(&q, bytes.Repeat([]byte{1}, s.In.C*n))
			put(&q, make([]int32, s.In.C))
			put(&q, repeated(s.In.C, kernel.MeanScale(n)))
			put(&f, repeated(s.In.C*n, kernel.MeanScale(n)))
			put(&f, make([]float32, s.In.C))
		}
	}
	put(&q, scale)
	top := float32(max(1, m.Graph.Layers[len(m.Graph.Layers)-1].Top))
	put(&f, 1/top)
	return q.Bytes(), f.Bytes(), nil
}

func repeated(n int, v float32) []float32 {
	all := make([]float32, n)
	for i := range all {
		all[i] = v
	}
	return all
}

// arrayHead returns the ten integers of a layer. All sizes are squares.
func arrayHead(s graph.Step) (head [10]int32, err error) {
	kind, ok := map[graph.Kind]int32{graph.Conv2D: arrayConv, graph.Depthwise2D: arrayDepthwise, graph.MeanPool: arrayDepthwise,
		graph.MaxPool2D: arrayMaxPool, graph.Dense: arrayDense, graph.TopMean: arrayTop}[s.Kind]
	if !ok || s.In.H != s.In.W || s.PadTop != s.PadLeft || s.Kind == graph.MeanPool && s.Kernel == 0 {
		return head, fmt.Errorf("write layer %s for oneDNN: not supported", s.Name)
	}
	act := map[graph.Activation]int32{graph.ReLU: arrayReLU, graph.ReLU6: arrayReLU6}[s.Activation]
	for i, v := range []int{s.In.H, s.In.C, s.Out.H, s.Out.C, s.Kernel, s.Stride, s.PadTop} {
		head[i+1] = int32(v)
	}
	head[0], head[8], head[9] = kind, act, int32(s.Top)
	return head, nil
}
