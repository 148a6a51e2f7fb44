package quantize_test

import (
	"math/rand/v2"
	"testing"

	"tirewatch/quantize"
	"tirewatch/quantize/calibrate"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/nn"
	"tirewatch/vision/graph"
	"tirewatch/vision/preprocess"
)

// All ranges of the network mobile are fixed, so there is one way to calibrate, and its biases are
// corrected without being asked for: after fine-tuning, rounded weights shift the scores.
func TestFixedRangesAreCorrected(t *testing.T) {
	const px = 32
	g := graph.Mobile(px, 3)
	net, err := nn.New(g, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	c := &checkpoint.Checkpoint{Graph: *g, Params: net.Params(), Threshold: 0.5,
		Spec: preprocess.Spec{Width: px, Height: px, Filter: preprocess.FilterTriangle}}
	j := job()
	j.Calibration, j.Evaluation = stripes(18, px), quantize.Images{}
	b, err := quantize.Quantize(t.Context(), c, j)
	if err != nil {
		t.Fatal(err)
	}
	trials := b.Quantization.Trials
	if len(trials) != 2 || trials[0].Method != string(calibrate.MinMax) || trials[0].BiasCorrection || !trials[1].BiasCorrection {
		t.Fatalf("trials %+v, want minmax without and with bias correction", trials)
	}
}
