package convert_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"tirewatch/quantize/calibrate"
	"tirewatch/quantize/convert"
	"tirewatch/trainer/nn"
	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
)

// dense is a network of two pixels, two hidden units and the output.
func dense() (*graph.Graph, []nn.Param) {
	g := &graph.Graph{Input: graph.Shape{H: 1, W: 2, C: 1}, Layers: []graph.Layer{
		{Kind: graph.Flatten, Name: "flatten"},
		{Kind: graph.Dense, Name: "hidden", Filters: 2, Activation: graph.ReLU},
		{Kind: graph.Dense, Name: "out", Filters: 1, Activation: graph.Sigmoid},
	}}
	return g, []nn.Param{
		{Name: "hidden/w", Shape: []int{2, 2}, Data: []float32{1.27, -0.635, 0.05, 0.0254}},
		{Name: "hidden/b", Shape: []int{2}, Data: []float32{0.5, -0.1}},
		{Name: "out/w", Shape: []int{1, 2}, Data: []float32{-2, 1}},
		{Name: "out/b", Shape: []int{1}, Data: []float32{0.25}},
	}
}

func int8s(w []byte) []int8 {
	l := infer.Layer{W: w}
	return l.Weights()
}

// The numbers of a small network, computed by hand.
func TestByHand(t *testing.T) {
	g, params := dense()
	m, err := convert.Convert(g, params, []float32{2.55})
	if err != nil {
		t.Fatal(err)
	}
	hidden, out := m.Layers[0], m.Layers[1]
	// sw = 1.27/127 = 0.01 and 0.05/127; si = 1/255, so = 0.01. -63.5 would be a tie, but 0.635 is
	// not exact in float32.
	if got, want := int8s(hidden.W), []int8{127, -64, 127, 65}; !slices.Equal(got, want) {
		t.Errorf("weights %v, want %v", got, want)
	}
	// 0.5*255/0.01, -0.1*255*127/0.05
	if want := []int32{12750, -64770}; !slices.Equal(hidden.Bias, want) {
		t.Errorf("biases %v, want %v", hidden.Bias, want)
	}
	for c, want := range []float64{0.01 / 255 / 0.01, 0.05 / 127 / 255 / 0.01} {
		if got := float64(hidden.Mult[c]); math.Abs(got/want-1) > 1e-6 {
			t.Errorf("multiplier %d: %g, want %g", c, got, want)
		}
	}
	// 63.5 is a tie and rounds to even
	if got, want := int8s(out.W), []int8{-127, 64}; !slices.Equal(got, want) {
		t.Errorf("last weights %v, want %v", got, want)
	}
	// 0.25 / (0.01 * 2/127) = 1587.5
	if want := []int32{1588}; !slices.Equal(out.Bias, want) || out.Mult != nil {
		t.Errorf("last bias %v, multipliers %v", out.Bias, out.Mult)
	}
	if want := 0.01 * 2 / 127; math.Abs(m.LogitScale/want-1) > 1e-6 {
		t.Errorf("logit scale %g, want %g", m.LogitScale, want)
	}
}

// Unusual channels: without weights, with weights that are far too small for the bias, and with
// neither.
func TestUnusualChannels(t *testing.T) {
	for _, c := range []struct {
		name        string
		weights     []float32
		bias        float32
		pixel, want float64 // want is the activation of the channel
	}{
		{"no weights, a bias", []float32{0, 0}, 1.5, 255, 1.5},
		{"no weights, a negative bias", []float32{0, 0}, -1.5, 255, 0},
		{"no weights, no bias", []float32{0, 0}, 0, 255, 0},
		{"weights far below the bias", []float32{1e-12, -1e-12}, 1.5, 255, 1.5},
		{"weights below float32's normal range", []float32{1e-42, -1e-42}, 0, 255, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, params := dense()
			copy(params[0].Data, c.weights)
			params[1].Data[0] = c.bias
			copy(params[2].Data, []float32{1, 0}) // the logit is the first channel
			params[3].Data[0] = 0
			m, err := convert.Convert(g, params, []float32{2.55})
			if err != nil {
				t.Fatal(err)
			}
			r, err := infer.NewRunner(m)
			if err != nil {
				t.Fatal(err)
			}
			sum, err := r.Run([]byte{255, 255})
			if err != nil {
				t.Fatal(err)
			}
			if got := m.Logit(sum); math.Abs(got-c.want) > 0.006 {
				t.Errorf("activation %g, want %g", got, c.want)
			}
		})
	}
}

func TestDeadChannels(t *testing.T) {
	g, params := dense()
	clear(params[0].Data[2:])
	m, err := convert.Convert(g, params, []float32{1})
	if err != nil {
		t.Fatal(err)
	}
	if got := convert.DeadChannels(m); !slices.Equal(got, []int{1, 0}) {
		t.Errorf("dead channels %v, want [1 0]", got)
	}
}

func TestRefuses(t *testing.T) {
	type tensors = []nn.Param
	nan, inf, one := float32(math.NaN()), float32(math.Inf(1)), []float32{1}
	for name, c := range map[string]struct {
		spoil  func(g *graph.Graph, p tensors) tensors
		ranges []float32
		want   error
	}{
		"weight NaN":      {func(_ *graph.Graph, p tensors) tensors { p[0].Data[1] = nan; return p }, one, convert.ErrParams},
		"bias infinite":   {func(_ *graph.Graph, p tensors) tensors { p[3].Data[0] = inf; return p }, one, convert.ErrParams},
		"tensor missing":  {func(_ *graph.Graph, p tensors) tensors { return p[:3] }, one, convert.ErrParams},
		"tensors swapped": {func(_ *graph.Graph, p tensors) tensors { p[0], p[2] = p[2], p[0]; return p }, one, convert.ErrParams},
		"weights short":   {func(_ *graph.Graph, p tensors) tensors { p[0].Data = p[0].Data[:3]; return p }, one, convert.ErrParams},
		"no range":        {func(_ *graph.Graph, p tensors) tensors { return p }, nil, convert.ErrParams},
		"range 0":         {func(_ *graph.Graph, p tensors) tensors { return p }, []float32{0}, convert.ErrParams},
		"range NaN":       {func(_ *graph.Graph, p tensors) tensors { return p }, []float32{nan}, convert.ErrParams},
		"linear inside": {func(g *graph.Graph, p tensors) tensors { g.Layers[1].Activation = graph.Linear; return p },
			one, infer.ErrModel},
		"unusable graph": {func(g *graph.Graph, p tensors) tensors { g.Layers = nil; return p }, one, graph.ErrGraph},
	} {
		t.Run(name, func(t *testing.T) {
			g, params := dense()
			if _, err := convert.Convert(g, c.spoil(g, params), c.ranges); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
}

// More than 66,000 of the largest weights in one channel could overflow int32. Convert must refuse
// them instead of computing wrong sums.
func TestOverflow(t *testing.T) {
	const n = 4096 * 17
	g := &graph.Graph{Input: graph.Shape{H: 17, W: 1, C: 4096}, Layers: []graph.Layer{
		{Kind: graph.Conv2D, Name: "conv", Filters: 1, Kernel: 17, Stride: 1, Padding: graph.Same, Activation: graph.ReLU},
		{Kind: graph.Flatten, Name: "flatten"},
		{Kind: graph.Dense, Name: "out", Filters: 1, Activation: graph.Sigmoid},
	}}
	params := []nn.Param{
		{Name: "conv/w", Data: slices.Repeat([]float32{1}, 17*n)}, {Name: "conv/b", Data: []float32{0}},
		{Name: "out/w", Data: slices.Repeat([]float32{1}, 17)}, {Name: "out/b", Data: []float32{0}},
	}
	_, err := convert.Convert(g, params, []float32{1})
	var o *convert.OverflowError
	if !errors.As(err, &o) || o.Layer != "conv" || o.Reach != 17*n*255*127 {
		t.Errorf("error %v, want an OverflowError", err)
	}
}

// nearGraphs are networks with every layer and padding.
var nearGraphs = map[string]*graph.Graph{
	"dense end": {Input: graph.Shape{H: 31, W: 31, C: 1}, Layers: []graph.Layer{
		{Kind: graph.Conv2D, Name: "conv1", Filters: 16, Kernel: 3, Stride: 2, Padding: graph.Valid, Activation: graph.ReLU},
		{Kind: graph.MaxPool2D, Name: "pool1", Kernel: 2, Stride: 2, Padding: graph.Valid},
		{Kind: graph.Conv2D, Name: "conv2", Filters: 8, Kernel: 3, Stride: 1, Padding: graph.Same, Activation: graph.ReLU},
		{Kind: graph.Flatten, Name: "flatten"},
		{Kind: graph.Dense, Name: "dense1", Filters: 32, Activation: graph.ReLU},
		{Kind: graph.Dropout, Name: "dropout", Rate: 0.2},
		{Kind: graph.Dense, Name: "dense2", Filters: 1, Activation: graph.Sigmoid},
	}},
	"highest scores": graph.Mobile(64, 3),
	"global mean": {Input: graph.Shape{H: 30, W: 27, C: 1}, Layers: []graph.Layer{
		{Kind: graph.Conv2D, Name: "conv1", Filters: 16, Kernel: 3, Stride: 2, Padding: graph.Explicit, Pad: 1, Activation: graph.ReLU6},
		{Kind: graph.Depthwise2D, Name: "depthwise", Filters: 16, Kernel: 3, Stride: 2, Padding: graph.Explicit, Pad: 1, Activation: graph.ReLU6},
		{Kind: graph.Conv2D, Name: "conv2", Filters: 24, Kernel: 1, Stride: 1, Padding: graph.Valid, Activation: graph.ReLU},
		{Kind: graph.MeanPool, Name: "cells", Kernel: 2, Stride: 2, Padding: graph.Valid},
		{Kind: graph.MeanPool, Name: "mean"},
		{Kind: graph.Dense, Name: "dense", Filters: 1, Activation: graph.Sigmoid},
	}},
}

// On random networks the int8 logit is close to the float logit: within a few byte steps of the
// activations.
func TestNearFloat(t *testing.T) {
	for name, g := range nearGraphs {
		for seed := range uint64(5) {
			rng := rand.New(rand.NewPCG(seed, 8))
			net, err := nn.New(g, rng)
			if err != nil {
				t.Fatal(err)
			}
			images := make([][]byte, 20)
			for i := range images {
				images[i] = make([]byte, g.Input.Size())
				level := rng.IntN(128) // images of noise only would have nearly the same logit
				for k := range images[i] {
					images[i][k] = byte(level + rng.IntN(128))
				}
			}
			ranges := spread(t, g, net, images)
			m, err := convert.Convert(g, net.Params(), ranges)
			if err != nil {
				t.Fatal(err)
			}
			r, err := infer.NewRunner(m)
			if err != nil {
				t.Fatal(err)
			}
			p := net.NewPredictor()
			low, high, worst := math.Inf(1), math.Inf(-1), 0.0
			for _, pix := range images {
				want, err := p.Logit(pix, nil)
				if err != nil {
					t.Fatal(err)
				}
				sum, err := r.Run(pix)
				if err != nil {
					t.Fatal(err)
				}
				low, high = min(low, want), max(high, want)
				worst = max(worst, math.Abs(m.Logit(sum)-want))
			}
			t.Logf("%s, seed %d: logits %.3f to %.3f, largest error %.4f", name, seed, low, high, worst)
			if worst > nearBound(g)*max(math.Abs(low), math.Abs(high)) {
				t.Errorf("%s, seed %d: int8 is off by %.4f where logits span %.3f to %.3f", name, seed, worst, low, high)
			}
		}
	}
}

// nearBound returns the largest error relative to the logits. A mean is rounded to a byte although
// it varies less than its inputs.
func nearBound(g *graph.Graph) float64 {
	if g.Version() == graph.Version1 {
		return 0.05
	}
	return 0.1
}

// spread scales the parameters of a new network, layer by layer, until ReLU6 cuts off the highest
// activations, as in a trained network. It returns the ranges.
func spread(t *testing.T, g *graph.Graph, net *nn.Net, images [][]byte) []float32 {
	t.Helper()
	var trained []graph.Layer
	var names []string
	for _, l := range g.Layers {
		if l.HasWeights() {
			trained, names = append(trained, l), append(names, l.Name)
		}
	}
	names = names[:len(names)-1]
	measure := func() []float32 {
		ranges, err := calibrate.Measure(t.Context(), func() calibrate.Float { return net.NewPredictor() }, names, images, nil)
		if err != nil {
			t.Fatal(err)
		}
		return ranges
	}
	ranges := measure()
	for i := range names {
		limit, fixed := convert.FixedRange(trained[i])
		if !fixed {
			continue
		}
		for _, p := range net.Params()[2*i : 2*i+2] {
			for k := range p.Data {
				p.Data[k] *= 1.5 * limit / ranges[i]
			}
		}
		net.Changed()
		if ranges = measure(); ranges[i] != limit {
			t.Fatalf("the largest activation of %s is %g, want %g", names[i], ranges[i], limit)
		}
	}
	return ranges
}

// A layer with ReLU6 has the range 6, whatever was measured.
func TestFixedRange(t *testing.T) {
	g, params := dense()
	g.Layers[1].Activation = graph.ReLU6
	m, err := convert.Convert(g, params, []float32{6})
	if err != nil {
		t.Fatal(err)
	}
	if want := float32(0.01 / 6); math.Abs(float64(m.Layers[0].Mult[0]/want)-1) > 1e-6 {
		t.Errorf("multiplier %g, want %g", m.Layers[0].Mult[0], want)
	}
	for _, r := range []float32{5.9, 6.1} {
		if _, err := convert.Convert(g, params, []float32{r}); !errors.Is(err, convert.ErrParams) {
			t.Errorf("range %g: error %v, want ErrParams", r, err)
		}
	}
}

// The logit is the mean of the highest scores, and the runner returns their sum.
func TestScaleOfScores(t *testing.T) {
	g := &graph.Graph{Input: graph.Shape{H: 2, W: 2, C: 1}, Layers: []graph.Layer{
		{Kind: graph.Conv2D, Name: "score", Filters: 1, Kernel: 1, Stride: 1, Padding: graph.Valid, Activation: graph.Linear},
		{Kind: graph.TopMean, Name: "top", Top: 2, Activation: graph.Sigmoid},
	}}
	m, err := convert.Convert(g, []nn.Param{
		{Name: "score/w", Shape: []int{1, 1, 1, 1}, Data: []float32{-2}}, {Name: "score/b", Shape: []int{1}, Data: []float32{0.5}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := infer.NewRunner(m)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := r.Run([]byte{255, 51, 102, 204})
	if err != nil {
		t.Fatal(err)
	}
	// scores 0.5 - 2*pixel/255: -1.5, 0.1, -0.3, -1.1
	if got := m.Logit(sum); math.Abs(got-(-0.1)) > 0.01 {
		t.Errorf("logit %g, want -0.1", got)
	}
}
