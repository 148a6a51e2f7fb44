package main

import (
	"math"
	"math/rand/v2"
	"testing"

	"tirewatch/quantize/onnx"
	"tirewatch/vision/infer"
)

// qdqModels are models whose QDQ files have exact sums. Where ONNX Runtime's kernels saturate, they
// are only those with 7-bit weights.
func qdqModels() map[string]*infer.Model {
	models := map[string]*infer.Model{}
	for name, m := range thesisModels() {
		if !saturates || name == sevenBitName {
			models[name] = m
		}
	}
	return models
}

// ONNX Runtime replaces the quantize-dequantize pairs by integer kernels. Then the QDQ form has
// exactly the station's sums, as QLinearConv has.
func TestQDQEqualsONNXRuntime(t *testing.T) {
	for name, m := range qdqModels() {
		p := newPeerOf(t, onnx.Int8QDQ, m)
		r, err := infer.NewRunner(m)
		if err != nil {
			t.Fatal(err)
		}
		distinct := map[int32]bool{}
		for i, pix := range images(rand.New(rand.NewPCG(seed, 6))) {
			want, err := r.Run(pix)
			if err != nil {
				t.Fatal(err)
			}
			logit, _ := p.run(t, pix)
			if got := theirSum(t, logit); got != want {
				t.Errorf("%s, image %d: sum %d, ONNX Runtime %d", name, i, want, got)
			}
			distinct[want] = true
		}
		t.Logf("%s: %d different sums", name, len(distinct))
	}
}

// A runtime that computes Conv and Gemm in float32 rounds on the way. ONNX Runtime does so when
// their results are outputs too, because then no other kernel can replace them. Most sums are still
// equal, and the others differ by a small part of the spread over the images.
func TestQDQInFloat32(t *testing.T) {
	for name, m := range qdqModels() {
		steps, err := m.Graph.Plan()
		if err != nil {
			t.Fatal(err)
		}
		var sums []onnx.Value
		for _, s := range steps[:len(steps)-1] {
			if s.HasWeights() {
				sums = append(sums, onnx.Value{Name: s.Name + "/sum", Type: onnx.Float32})
			}
		}
		p := newPeerOf(t, onnx.Int8QDQ, m, sums...)
		r, err := infer.NewRunner(m)
		if err != nil {
			t.Fatal(err)
		}
		furthest, same, low, high := 0.0, 0, math.Inf(1), math.Inf(-1)
		all := images(rand.New(rand.NewPCG(seed, 6)))
		for _, pix := range all {
			want, err := r.Run(pix)
			if err != nil {
				t.Fatal(err)
			}
			logit, _ := p.run(t, pix)
			if int32(math.RoundToEven(float64(logit))) == want {
				same++
			}
			furthest = max(furthest, math.Abs(float64(logit)-float64(want)))
			low, high = min(low, float64(want)), max(high, float64(want))
		}
		part := furthest / (high - low)
		t.Logf("%s: %d of %d sums are equal, the others differ by up to %.2f %% of their range",
			name, same, len(all), 100*part)
		if same < len(all)*3/4 || part > 0.02 {
			t.Errorf("%s: rounding alone cannot explain this", name)
		}
	}
}
