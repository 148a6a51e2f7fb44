package drawn_test

import (
	"testing"

	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/drawn"
	"tirewatch/trainer/metrics"
	"tirewatch/trainer/synth"
	"tirewatch/vision/frame"
	"tirewatch/vision/graph"
	"tirewatch/vision/preprocess"
)

// The file is the network of the thesis, small enough for a repository, without state to resume.
func TestBaseIsTheThesisNetwork(t *testing.T) {
	c, sum, err := drawn.Base()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.RequireGraph(graph.Thesis()); err != nil {
		t.Error(err)
	}
	if c.Spec != preprocess.Thesis() {
		t.Errorf("preprocessing %+v, want that of the thesis", c.Spec)
	}
	if data, err := checkpoint.Encode(c); err != nil || len(data) > 1_000_000 {
		t.Errorf("%d bytes, error %v; want at most a megabyte", len(data), err)
	}
	if c.Average != nil || c.Optimizer.Steps != 0 || len(sum) != 64 {
		t.Errorf("averages %v, %d steps of the optimizer, checksum %q", c.Average != nil, c.Optimizer.Steps, sum)
	}
}

// It ranks close-ups that it was not trained on: cracked ones first.
func TestBaseKnowsDrawings(t *testing.T) {
	c, _, err := drawn.Base()
	if err != nil {
		t.Fatal(err)
	}
	net, err := c.Net()
	if err != nil {
		t.Fatal(err)
	}
	p, pix := net.NewPredictor(), make([]byte, c.Spec.Size())
	var scores []float64
	var cracks []bool
	for i := range 60 {
		f := frame.FromImage(synth.Draw(synth.CloseUp, c.Spec.Width, 77, i, i%2 == 0))
		if err := c.Spec.Apply(pix, f, f.Bounds()); err != nil {
			t.Fatal(err)
		}
		logit, err := p.Logit(pix, nil)
		if err != nil {
			t.Fatal(err)
		}
		scores, cracks = append(scores, logit), append(cracks, i%2 == 0)
	}
	area := metrics.ROCAUC(scores, cracks)
	t.Logf("area under the ROC curve of 60 new drawings: %.3f", area)
	if area < 0.85 {
		t.Errorf("area under the ROC curve %.3f, want 0.85", area)
	}
}
