package metrics

import (
	"fmt"
	"strings"
)

// Report holds all figures of one evaluation. `tirewatch evaluate --json` prints its JSON.
type Report struct {
	Threshold float64 `json:"threshold"` // a probability of at least this means crack
	Matrix    Matrix  `json:"confusion_matrix"`

	Normal   Scores  `json:"normal"`
	Crack    Scores  `json:"crack"`
	Accuracy float64 `json:"accuracy"`
	Macro    Scores  `json:"macro_avg"`    // plain mean of both classes
	Weighted Scores  `json:"weighted_avg"` // mean weighted by support

	ROCAUC          float64 `json:"roc_auc"`
	LogLoss         float64 `json:"log_loss"`
	EscapeRate      float64 `json:"escape_rate"`       // share of cracks missed
	FalseRejectRate float64 `json:"false_reject_rate"` // share of sound tires rejected
}

// New evaluates probabilities of a crack, scores[i] in 0 to 1, against labels[i], true for a crack.
// Errors wrap ErrInput.
func New(scores []float64, labels []bool, threshold float64) (*Report, error) {
	said := make([]bool, len(scores))
	for i, s := range scores {
		said[i] = s >= threshold
	}
	return Judged(scores, labels, said, threshold)
}

// Judged is New for verdicts that do not all follow from one threshold: said[i] is true where image
// i was called cracked. threshold is only reported.
func Judged(scores []float64, labels, said []bool, threshold float64) (*Report, error) {
	if err := check(scores, labels, threshold); err != nil {
		return nil, err
	}
	if len(said) != len(labels) {
		return nil, fmt.Errorf("%w: %d verdicts for %d labels", ErrInput, len(said), len(labels))
	}
	m := matrix(said, labels)
	r := &Report{
		Threshold:       threshold,
		Matrix:          m,
		Normal:          m.Normal(),
		Crack:           m.Crack(),
		Accuracy:        m.Accuracy(),
		ROCAUC:          ROCAUC(scores, labels),
		LogLoss:         LogLoss(scores, labels),
		EscapeRate:      m.EscapeRate(),
		FalseRejectRate: m.FalseRejectRate(),
	}
	r.Macro = average(r.Normal, r.Crack, 1, 1)
	r.Weighted = average(r.Normal, r.Crack, r.Normal.Support, r.Crack.Support)
	return r, nil
}

func average(a, b Scores, wa, wb int) Scores {
	mean := func(x, y float64) float64 {
		return (x*float64(wa) + y*float64(wb)) / float64(wa+wb)
	}
	return Scores{
		Precision: mean(a.Precision, b.Precision),
		Recall:    mean(a.Recall, b.Recall),
		F1:        mean(a.F1, b.F1),
		Support:   a.Support + b.Support,
	}
}

// String prints the classification report of scikit-learn, the confusion matrix, and the escape and
// false reject rates.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%12s  %9s %9s %9s %9s\n\n", "", "precision", "recall", "f1-score", "support")
	row := func(name string, s Scores) {
		fmt.Fprintf(&b, "%12s  %9.2f %9.2f %9.2f %9d\n", name, s.Precision, s.Recall, s.F1, s.Support)
	}
	row("normal", r.Normal)
	row("crack", r.Crack)
	fmt.Fprintf(&b, "\n%12s  %9s %9s %9.2f %9d\n", "accuracy", "", "", r.Accuracy, r.Matrix.Total())
	row("macro avg", r.Macro)
	row("weighted avg", r.Weighted)

	fmt.Fprintf(&b, "\n%12s  %9s %9s\n", "", "called", "called")
	fmt.Fprintf(&b, "%12s  %9s %9s\n", "", "normal", "crack")
	fmt.Fprintf(&b, "%12s  %9d %9d\n", "is normal", r.Matrix.TN, r.Matrix.FP)
	fmt.Fprintf(&b, "%12s  %9d %9d\n", "is crack", r.Matrix.FN, r.Matrix.TP)

	fmt.Fprintf(&b, "\nescape rate        %6.2f %%  %d of %d cracks missed\n",
		100*r.EscapeRate, r.Matrix.FN, r.Matrix.TP+r.Matrix.FN)
	fmt.Fprintf(&b, "false reject rate  %6.2f %%  %d of %d sound tires rejected\n",
		100*r.FalseRejectRate, r.Matrix.FP, r.Matrix.FP+r.Matrix.TN)
	fmt.Fprintf(&b, "ROC AUC            %6.4f\n", r.ROCAUC)
	fmt.Fprintf(&b, "log loss           %6.4f\n", r.LogLoss)
	fmt.Fprintf(&b, "threshold          %6.4f\n", r.Threshold)
	return b.String()
}
