package convert_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"tirewatch/quantize/convert"
	"tirewatch/trainer/nn"
	"tirewatch/vision/graph"
)

// The hidden channel 0 has weights 1.27 and -0.635, which become 127 and -64 steps of 0.01. The
// second weight is thus 0.005 too low. With a mean of 1 for the second pixel, the mean sum is 0.005
// too low. The bias step is 0.01/255, so the bias must rise by 127.5 steps.
func TestCorrectBiasByHand(t *testing.T) {
	g, params := dense()
	m, err := convert.Convert(g, params, []float32{2.55})
	if err != nil {
		t.Fatal(err)
	}
	before := slices.Clone(m.Layers[0].Bias)
	in := graph.Shape{H: 1, W: 1, C: 2}
	if err := convert.CorrectBias(m, 0, params, in, []float64{0, 1}, []float64{0, 255}, 2.55); err != nil {
		t.Fatal(err)
	}
	// 127.5, but 0.635 is not exact in float32
	if got := m.Layers[0].Bias[0] - before[0]; got != 127 && got != 128 {
		t.Errorf("the bias moved by %d, want 127 or 128", got)
	}
	// The mean input of the last layer is 0.02 lower in the int8 network. With weight -2 the sum is
	// 0.04 too high.
	last := m.Layers[1].Bias[0]
	if err := convert.CorrectBias(m, 1, params, in, []float64{1, 0}, []float64{98, 0}, 0); err != nil {
		t.Fatal(err)
	}
	// That is -254 steps of 0.01 * 2/127, and half a step more because the bias 1587.5 was rounded
	// to 1588.
	if got := m.Layers[1].Bias[0] - last; got != -254 && got != -255 {
		t.Errorf("the last bias moved by %d, want about -254", got)
	}
}

// After correction the mean sums of both networks are equal to half a step of the bias, also for a
// convolution with padding.
func TestCorrectBiasOfAConvolution(t *testing.T) {
	for _, padding := range []graph.Padding{graph.Valid, graph.Same} {
		g := &graph.Graph{Input: graph.Shape{H: 5, W: 4, C: 2}, Layers: []graph.Layer{
			{Kind: graph.Conv2D, Name: "conv", Filters: 2, Kernel: 3, Stride: 2, Padding: padding, Activation: graph.ReLU},
			{Kind: graph.Flatten, Name: "flatten"},
			{Kind: graph.Dense, Name: "out", Filters: 1, Activation: graph.Sigmoid},
		}}
		params, pix := randomParams(t, g), make([]float64, g.Input.Size())
		m, err := convert.Convert(g, params, []float32{3})
		if err != nil {
			t.Fatal(err)
		}
		floatIn := make([]float64, len(pix))
		for i := range pix {
			pix[i] = float64(i * 37 % 251)
			floatIn[i] = pix[i] / 255
		}
		if err := convert.CorrectBias(m, 0, params, g.Input, floatIn, pix, 3); err != nil {
			t.Fatal(err)
		}
		steps, err := g.Plan()
		if err != nil {
			t.Fatal(err)
		}
		s, l := steps[0], m.Layers[0]
		for c := range 2 {
			unit := float64(l.Mult[c]) * 3 / 255
			floatMean, byteMean, n := 0.0, 0.0, 0
			for oy := range s.LiveOut.H {
				for ox := range s.LiveOut.W {
					n++
					floatMean += float64(params[1].Data[c])
					byteMean += float64(l.Bias[c])
					for k := range 18 {
						y, x := oy*2+k/6-s.PadTop, ox*2+k/2%3-s.PadLeft
						if y >= 0 && x >= 0 && y < 5 && x < 4 {
							at := (y*4+x)*2 + k%2
							floatMean += float64(params[0].Data[c*18+k]) * floatIn[at]
							byteMean += float64(int8(l.W[c*18+k])) * pix[at]
						}
					}
				}
			}
			if d := math.Abs(floatMean/unit-byteMean) / float64(n); d > 0.51 {
				t.Errorf("%s, channel %d: the means differ by %g steps", padding, c, d)
			}
		}
	}
}

func TestCorrectBiasRefuses(t *testing.T) {
	g, params := dense()
	m, err := convert.Convert(g, params, []float32{2.55})
	if err != nil {
		t.Fatal(err)
	}
	two, three, in := make([]float64, 2), make([]float64, 3), graph.Shape{H: 1, W: 1, C: 2}
	for name, err := range map[string]error{
		"no such layer": convert.CorrectBias(m, 2, params, in, two, two, 1),
		"wrong shape":   convert.CorrectBias(m, 0, params, graph.Shape{H: 1, W: 1, C: 3}, three, three, 1),
		"too few means": convert.CorrectBias(m, 0, params, in, two, two[:1], 1),
		"wrong weights": convert.CorrectBias(m, 1, append(slices.Clone(params[:2]), params[:2]...), in, two, two, 1),
	} {
		if !errors.Is(err, convert.ErrParams) {
			t.Errorf("%s: error %v, want ErrParams", name, err)
		}
	}
}

func randomParams(t *testing.T, g *graph.Graph) []nn.Param {
	t.Helper()
	net, err := nn.New(g, rand.New(rand.NewPCG(5, 5)))
	if err != nil {
		t.Fatal(err)
	}
	return net.Params()
}
