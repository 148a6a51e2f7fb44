package metrics_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"tirewatch/trainer/metrics"
)

const (
	T = true
	F = false
)

func near(t *testing.T, name string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-12 {
		t.Errorf("%s is %v, want %v", name, got, want)
	}
}

// Eight images, all figures computed by hand. At 0.5 the cracks .9 .8 .6 are found and .3 is
// missed. The sound tire .7 is rejected, and .4 .2 .1 pass.
func TestByHand(t *testing.T) {
	scores := []float64{.9, .8, .6, .3, .7, .4, .2, .1}
	labels := []bool{T, T, T, T, F, F, F, F}
	r, err := metrics.New(scores, labels, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	if want := (metrics.Matrix{TP: 3, FP: 1, FN: 1, TN: 3}); r.Matrix != want {
		t.Errorf("matrix %+v, want %+v", r.Matrix, want)
	}
	near(t, "accuracy", r.Accuracy, 6./8)
	near(t, "crack precision", r.Crack.Precision, 3./4)
	near(t, "normal recall", r.Normal.Recall, 3./4)
	near(t, "escape rate", r.EscapeRate, 1./4)
	near(t, "false reject rate", r.FalseRejectRate, 1./4)
	// 16 pairs of a crack and a sound tire; .6 < .7, .3 < .7 and .3 < .4 are in the wrong order.
	near(t, "ROC AUC", r.ROCAUC, 13./16)
	near(t, "log loss", r.LogLoss, -math.Log(.9*.8*.6*.3*.3*.6*.8*.9)/8)
}

// Classes of different size separate macro from weighted averages. 2 cracks, 6 sound; one crack
// found, two sound tires rejected.
func TestUnbalanced(t *testing.T) {
	scores := []float64{1, 0, 1, 1, 0, 0, 0, 0}
	labels := []bool{T, T, F, F, F, F, F, F}
	r, err := metrics.New(scores, labels, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "crack precision", r.Crack.Precision, 1./3)
	near(t, "crack recall", r.Crack.Recall, 1./2)
	near(t, "crack F1", r.Crack.F1, 2./5)
	near(t, "normal precision", r.Normal.Precision, 4./5)
	near(t, "normal recall", r.Normal.Recall, 4./6)
	near(t, "normal F1", r.Normal.F1, 8./11)
	near(t, "macro precision", r.Macro.Precision, (1./3+4./5)/2)
	near(t, "macro F1", r.Macro.F1, (2./5+8./11)/2)
	near(t, "weighted precision", r.Weighted.Precision, (2*1./3+6*4./5)/8)
	near(t, "weighted recall", r.Weighted.Recall, 5./8) // always the accuracy
	near(t, "weighted F1", r.Weighted.F1, (2*2./5+6*8./11)/8)
	if r.Crack.Support != 2 || r.Normal.Support != 6 || r.Macro.Support != 8 {
		t.Errorf("supports %d, %d, %d", r.Crack.Support, r.Normal.Support, r.Macro.Support)
	}
}

func TestROCAUC(t *testing.T) {
	for _, c := range []struct {
		name   string
		scores []float64
		labels []bool
		want   float64
	}{
		{"perfect", []float64{.1, .2, .8, .9}, []bool{F, F, T, T}, 1},
		{"upside down", []float64{.9, .8, .2, .1}, []bool{F, F, T, T}, 0},
		{"equal scores are chance", []float64{.5, .5, .5}, []bool{F, T, T}, .5},
		{"a tie counts half", []float64{.1, .5, .5, .9}, []bool{F, F, T, T}, 3.5 / 4},
		{"scikit-learn's example", []float64{.1, .4, .35, .8}, []bool{F, F, T, T}, .75},
		{"cracks only", []float64{.1, .4}, []bool{T, T}, 0},
		{"nothing", nil, nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) { near(t, "ROC AUC", metrics.ROCAUC(c.scores, c.labels), c.want) })
	}
}

// A score equal to the threshold is a crack: a doubtful tire is checked again.
func TestThresholdIsIncluded(t *testing.T) {
	if m := metrics.Confusion([]float64{.5, .5}, []bool{T, F}, .5); m != (metrics.Matrix{TP: 1, FP: 1}) {
		t.Errorf("%+v", m)
	}
}

func TestDivisionByZeroIsZero(t *testing.T) {
	r, err := metrics.New([]float64{.1, .2}, []bool{F, F}, .5) // no crack, none called
	if err != nil {
		t.Fatal(err)
	}
	if r.Crack != (metrics.Scores{}) || r.EscapeRate != 0 || r.ROCAUC != 0 {
		t.Errorf("%+v", r)
	}
	near(t, "accuracy", r.Accuracy, 1)
}

// One confident mistake in two images costs 52 ln 2 / 2, not infinity.
func TestLogLossIsFinite(t *testing.T) {
	near(t, "log loss", metrics.LogLoss([]float64{0, 1}, []bool{T, T}), (52*math.Ln2-math.Log1p(-0x1p-52))/2)
}

func TestRefuses(t *testing.T) {
	for _, c := range []struct {
		name      string
		scores    []float64
		labels    []bool
		threshold float64
	}{
		{"no images", nil, nil, .5},
		{"lengths differ", []float64{.1}, []bool{T, F}, .5},
		{"not a number", []float64{math.NaN()}, []bool{T}, .5},
		{"a logit", []float64{1.5}, []bool{T}, .5},
		{"a threshold that is not a number", []float64{.5}, []bool{T}, math.NaN()},
	} {
		if _, err := metrics.New(c.scores, c.labels, c.threshold); !errors.Is(err, metrics.ErrInput) {
			t.Errorf("%s: error %v, want ErrInput", c.name, err)
		}
	}
}

const wantReport = `
              precision    recall  f1-score   support

      normal       0.80      0.67      0.73         6
       crack       0.33      0.50      0.40         2

    accuracy                           0.62         8
   macro avg       0.57      0.58      0.56         8
weighted avg       0.68      0.62      0.65         8

                 called    called
                 normal     crack
   is normal          4         2
    is crack          1         1

escape rate         50.00 %  1 of 2 cracks missed
false reject rate   33.33 %  2 of 6 sound tires rejected
ROC AUC            0.5833
log loss           0.4463
threshold          0.5000
`

func TestReportText(t *testing.T) {
	scores := []float64{.9, .4, .8, .7, .1, .1, .1, .1}
	r, err := metrics.New(scores, []bool{T, T, F, F, F, F, F, F}, .5)
	if err != nil {
		t.Fatal(err)
	}
	r.ROCAUC, r.LogLoss = 7./12, .4463 // checked above; here only the layout matters
	if got := r.String(); got != strings.TrimPrefix(wantReport, "\n") {
		t.Errorf("got:\n%s", got)
	}
	data, err := json.Marshal(r)
	if err != nil || !strings.Contains(string(data), `"confusion_matrix":{"tp":1,"fp":2,"fn":1,"tn":4}`) {
		t.Errorf("JSON %s, %v", data, err)
	}
}
