package report_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tirewatch/quantize/calibrate"
	"tirewatch/quantize/report"
	"tirewatch/vision/bundle"
	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
	"tirewatch/vision/verdict"
)

// brightness is an int8 network with one pixel as input: logit = (pixel - 100) / 50. Its hidden
// layer is the pixel itself.
func brightness() *infer.Model {
	return &infer.Model{
		Graph: graph.Graph{Input: graph.Shape{H: 1, W: 1, C: 1}, Layers: []graph.Layer{
			{Kind: graph.Dense, Name: "hidden", Filters: 1, Activation: graph.ReLU},
			{Kind: graph.Dense, Name: "out", Filters: 1, Activation: graph.Sigmoid},
		}},
		Layers: []infer.Layer{
			{Name: "hidden", W: []byte{1}, Bias: []int32{0}, Mult: []float32{1}},
			{Name: "out", W: []byte{1}, Bias: []int32{-100}},
		},
		LogitScale: 1.0 / 50,
	}
}

// shifted is the float network for brightness. It finds a crack from 110 on, instead of from 100
// on.
type shifted struct{}

func (shifted) Logit(pix []byte, observe func(layer int, values []float32)) (float64, error) {
	if pix[0] == 13 {
		return 0, errors.New("image refused")
	}
	observe(0, []float32{float32(pix[0])})
	observe(1, []float32{float32(pix[0]) - 110})
	return (float64(pix[0]) - 110) / 50, nil
}

func newShifted() calibrate.Float { return shifted{} }

func TestCompare(t *testing.T) {
	images := [][]byte{{0}, {99}, {105}, {120}, {200}}
	crack := []bool{false, true, false, true, true}
	last := 0
	r, err := report.Compare(t.Context(), newShifted, brightness(), []float32{120}, images, func(done int) { last = done })
	if err != nil {
		t.Fatal(err)
	}
	q, e, err := r.Judge(crack, verdict.Policy{Threshold: 0.5})
	if err != nil {
		t.Fatal(err)
	}
	// One byte step is 120/255. The error of an activation v is v*135/255, so the signal-to-noise
	// ratio is 20 log10(255/135) = 5.524 dB. The float network finds a crack from 110 on, the int8
	// network from 100 on. They differ on 105 only, where the float network is right.
	want := bundle.Quantization{Images: 5, FloatAccuracy: 0.8, Int8Accuracy: 0.6, Agreement: 0.8,
		LargestShift: 0.04996, LogitError: 0.2,
		Layers: []bundle.LayerQuantization{{Name: "hidden", Range: 120, Saturated: 0.2, SNR: 5.5241}}}
	if d := cmp.Diff(want, q, cmpopts.EquateApprox(0, 1e-4)); d != "" {
		t.Errorf("comparison:\n%s", d)
	}
	if want := (bundle.Evaluation{TruePositive: 2, FalsePositive: 1, TrueNegative: 1, FalseNegative: 1}); e != want {
		t.Errorf("evaluation %+v, want %+v", e, want)
	}
	if math.Abs(e.Accuracy()-q.Int8Accuracy) > 1e-12 || e.Images() != q.Images || last != 5 {
		t.Errorf("evaluation %+v and quantization %+v disagree, or progress %d is not 5", e, q, last)
	}
}

func TestCompareRefuses(t *testing.T) {
	_, err := report.Compare(t.Context(), newShifted, brightness(), []float32{1}, nil, nil)
	if !errors.Is(err, report.ErrNoImages) {
		t.Errorf("no images: error %v", err)
	}
	_, err = report.Compare(t.Context(), newShifted, brightness(), []float32{1}, [][]byte{{1}, {13}}, nil)
	if err == nil || !strings.Contains(err.Error(), "image 2: image refused") {
		t.Errorf("error %v does not name the image", err)
	}
	m := brightness()
	m.Layers = m.Layers[:1]
	if _, err := report.Compare(t.Context(), newShifted, m, []float32{1}, [][]byte{{1}}, nil); !errors.Is(err, infer.ErrModel) {
		t.Errorf("error %v, want ErrModel", err)
	}
	r := &report.Result{Float: []float64{1}, Int8: []float64{1}}
	if _, _, err := r.Judge([]bool{true, false}, verdict.Policy{Threshold: 0.5}); !errors.Is(err, report.ErrNoImages) {
		t.Errorf("two labels for one image: error %v", err)
	}
}

// JSON has no infinity. A layer without any error and one that is always 0 must still have a
// number.
func TestSignalToNoiseIsFinite(t *testing.T) {
	for _, c := range []struct {
		pixel byte
		limit float32
		want  float64
	}{{7, 255, bundle.MaxSNR}, {0, 1, bundle.MaxSNR}} {
		r, err := report.Compare(t.Context(), newShifted, brightness(), []float32{c.limit}, [][]byte{{c.pixel}}, nil)
		if err != nil || r.Layers[0].SNR != c.want {
			t.Errorf("pixel %d: %+v, %v, want %g dB", c.pixel, r, err, c.want)
		}
	}
}

func TestWrite(t *testing.T) {
	q := bundle.Quantization{Images: 650, FloatAccuracy: 0.9446, Int8Accuracy: 0.9431, Agreement: 0.9969,
		LargestShift: 0.0213, LogitError: 0.011,
		Layers: []bundle.LayerQuantization{{Name: "conv1", Range: 3.25, Saturated: 0.00002, SNR: 38.27, DeadChannels: 1}},
		Trials: []bundle.Trial{{Method: "minmax", Agreement: 1, LogitError: 0.02},
			{Method: "mse", BiasCorrection: true, Agreement: 1, LogitError: 0.01}},
		Chosen: 1}
	e := bundle.Evaluation{HeldOut: true, TruePositive: 400, FalsePositive: 17, TrueNegative: 213, FalseNegative: 20}
	want := `compared on                         650 testing images
float accuracy                      94.46 %
int8 accuracy                       94.31 %
same verdict                        99.69 %
largest change of probability       0.0213
mean change of the logit            0.0110
int8: cracks found, missed          400, 20
int8: normal passed, false rejects  213, 17

layer  range  clipped   signal to noise  dead channels
conv1  3.25   0.0020 %  38.3 dB          1

calibration          same verdict  mean change of the logit  
minmax               100.00 %      0.0200                    
mse, bias corrected  100.00 %      0.0100                    chosen
`
	var out strings.Builder
	if err := report.Write(&out, q, e); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Error(d)
	}
	e.HeldOut = false
	out.Reset()
	err := report.Write(&out, q, e)
	if err != nil || !strings.Contains(out.String(), "calibration images, not a measure of new tires") {
		t.Errorf("the text does not name the calibration images: %q, %v", out.String(), err)
	}
}

// 20 missed cracks of 420 do not prove an escape rate of at most 5 %.
func TestWriteChoice(t *testing.T) {
	e := bundle.Evaluation{HeldOut: true, TruePositive: 400, FalsePositive: 17, TrueNegative: 213, FalseNegative: 20}
	var out strings.Builder
	if err := report.WriteChoice(&out, bundle.Head{Threshold: 0.25}, e); err != nil || out.Len() > 0 {
		t.Errorf("without a budget: %q, %v", out.String(), err)
	}
	if err := report.WriteChoice(&out, bundle.Head{Threshold: 0.25, Budgets: []bundle.Budget{{Side: bundle.Escape, Limit: 0.05}}}, e); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"threshold 0.2500 for at most 5 % of cracks missed", "20 of 420 (4.76 %", "not proven"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, out.String())
		}
	}
}

// With two thresholds the accuracy is that of the decided images, and the price is printed.
func TestJudgeThreeAnswers(t *testing.T) {
	r := &report.Result{Float: []float64{-3, 0.1, 3, -3, 0.5, 4}, Int8: []float64{-3, 0, 3, -3, 2.5, 4}}
	crack := []bool{false, false, false, true, true, true}
	q, e, err := r.Judge(crack, verdict.Policy{Threshold: 0.9, SoundBelow: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	want := bundle.Evaluation{TruePositive: 2, FalsePositive: 1, TrueNegative: 1, FalseNegative: 1, UnsureNormal: 1}
	if e != want || q.Int8Accuracy != 0.6 || q.FloatAccuracy != 0.5 || math.Abs(q.Agreement-5./6) > 1e-12 {
		t.Errorf("%+v, %+v", e, q)
	}
	h := bundle.Head{Threshold: 0.9, SoundBelow: 0.1,
		Budgets: []bundle.Budget{{Side: bundle.Escape, Limit: 0.4}, {Side: bundle.FalseReject, Limit: 0.4}}}
	var out strings.Builder
	if err := report.WriteChoice(&out, h, e); err != nil {
		t.Fatal(err)
	}
	if err := report.Write(&out, q, e); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"sound below 0.1000, crack from 0.9000", "at most 40 % of cracks missed and at most 40 % of sound",
		"1 of 6 (16.7 %", "3 of 5 (60 %", "not proven", "int8: unsure cracks, unsure normal  0, 1"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, out.String())
		}
	}
}
