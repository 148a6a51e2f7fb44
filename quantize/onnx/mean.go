package onnx

import (
	"encoding/binary"

	"tirewatch/vision/graph"
	"tirewatch/vision/kernel"
)

// mean adds a MeanPool in float32. Its windows are inside the image, so no padding is counted.
func (b *builder) mean(s graph.Step) error {
	if err := b.needSpace(s); err != nil {
		return err
	}
	if s.Kernel == 0 {
		b.node("GlobalAveragePool", s.Name, out(s.Name), []string{b.at})
	} else {
		b.node("AveragePool", s.Name, out(s.Name), []string{b.at}, window(s)...)
	}
	return nil
}

// meanWindow returns a MeanPool as a depthwise convolution whose weights are 1: its filters and its
// attributes. Int8 networks use it, because ONNX's own mean of bytes does not say how it rounds.
// The scale of the weights, kernel.MeanScale, makes it the arithmetic of package infer.
func meanWindow(s graph.Step) (shape []int, weights []byte, scale []float32, attrs []Attr) {
	h, w := s.Kernel, s.Kernel
	if s.Kernel == 0 {
		h, w, s.Stride = s.In.H, s.In.W, 1
	}
	weights = make([]byte, s.In.C*h*w)
	for i := range weights {
		weights[i] = 1
	}
	d := int64(s.Stride)
	return []int{s.In.C, 1, h, w}, weights, constantScale(s.In.C, kernel.MeanScale(h*w)), []Attr{
		intsAttr("kernel_shape", int64(h), int64(w)), intsAttr("strides", d, d), intsAttr("pads", 0, 0, 0, 0),
		intAttr("group", int64(s.In.C))}
}

// top adds the choice of the highest scores of a map (1, 1, H, W), which then are (1, Top).
func (b *builder) top(s graph.Step) error {
	if err := b.needSpace(s); err != nil {
		return err
	}
	b.flatten(s.Name+"/flatten", s.Name+"/flat", s.In)
	k := b.constant(s.Name+"/k", Int64, []int{1}, binary.LittleEndian.AppendUint64(nil, uint64(s.Top)))
	n := b.node("TopK", s.Name, s.Name+"/highest", []string{b.at, k}, intAttr("axis", 1), intAttr("largest", 1),
		intAttr("sorted", 1))
	n.Outputs = append(n.Outputs, s.Name+"/places")
	return nil
}

// topMean adds the mean of the highest scores, in float32.
func (b *builder) topMean(s graph.Step, output string) error {
	if err := b.top(s); err != nil {
		return err
	}
	b.node("ReduceMean", s.Name+"/mean", output, []string{b.at}, intsAttr("axes", 1), intAttr("keepdims", 1))
	return nil
}
