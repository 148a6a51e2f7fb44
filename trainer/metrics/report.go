package metrics

import (
	"fmt"
	"io"
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

	// with three answers; the figures above the ROC AUC are then those of the decided images
	Unsure *Unsure `json:"unsure,omitempty"`
}

// Unsure counts the images without a decision.
type Unsure struct {
	SoundBelow float64 `json:"sound_below"` // a lower probability means sound
	Cracks     int     `json:"cracks"`
	Sound      int     `json:"sound"`
	Rate       Rate    `json:"rate"`     // of all images
	Accuracy   Rate    `json:"accuracy"` // of the decided images
}

// NewBanded is New for two thresholds. The two rates are shares of all cracks and of all sound
// tires.
func NewBanded(scores []float64, labels []bool, b Band) (*Report, error) {
	if err := check(scores, labels, b.Threshold); err != nil {
		return nil, err
	}
	return Answered(scores, labels, b.Count(scores, labels), b), nil
}

// Answered is NewBanded for answers that do not all follow from the same thresholds. b is only
// reported.
func Answered(scores []float64, labels []bool, a Answers, b Band) *Report {
	r := newReport(scores, labels, a.Matrix, b.Threshold)
	if !b.Three() {
		return r
	}
	r.EscapeRate, r.FalseRejectRate = ratio(a.FN, a.Cracks()), ratio(a.FP, a.Sound())
	r.Unsure = &Unsure{b.SoundBelow, a.UnsureCrack, a.UnsureSound, a.Unsure(), a.Decided()}
	return r
}

// Answers returns the counts of the report.
func (r *Report) Answers() Answers {
	a := Answers{Matrix: r.Matrix}
	if r.Unsure != nil {
		a.UnsureCrack, a.UnsureSound = r.Unsure.Cracks, r.Unsure.Sound
	}
	return a
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
	return newReport(scores, labels, matrix(said, labels), threshold), nil
}

func newReport(scores []float64, labels []bool, m Matrix, threshold float64) *Report {
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
	return r
}

func average(a, b Scores, wa, wb int) Scores {
	mean := func(x, y float64) float64 {
		return (x*float64(wa) + y*float64(wb)) / float64(max(wa+wb, 1)) // 0 if every image is unsure
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

	r.writeMatrix(&b)
	a := r.Answers()
	fmt.Fprintf(&b, "\nescape rate        %6.2f %%  %d of %d cracks missed\n", 100*r.EscapeRate, a.FN, a.Cracks())
	fmt.Fprintf(&b, "false reject rate  %6.2f %%  %d of %d sound tires rejected\n", 100*r.FalseRejectRate, a.FP,
		a.Sound())
	if r.Unsure != nil {
		fmt.Fprintf(&b, "unsure             %6.2f %%  %d of %d tires, %d of them cracked; accuracy, precision "+
			"and recall are those of the others\n", 100*ratio(r.Unsure.Rate.Count, r.Unsure.Rate.Of), r.Unsure.Rate.Count,
			a.Total(), a.UnsureCrack)
	}
	fmt.Fprintf(&b, "ROC AUC            %6.4f\n", r.ROCAUC)
	fmt.Fprintf(&b, "log loss           %6.4f\n", r.LogLoss)
	if r.Unsure != nil {
		fmt.Fprintf(&b, "thresholds         %6.4f and %.4f\n", r.Unsure.SoundBelow, r.Threshold)
	} else {
		fmt.Fprintf(&b, "threshold          %6.4f\n", r.Threshold)
	}
	return b.String()
}

// writeMatrix prints the confusion matrix, with a column for unsure images if there may be any.
func (r *Report) writeMatrix(w io.Writer) {
	head, head2, normal, crack := "", "", "", ""
	if u := r.Unsure; u != nil {
		head, head2 = fmt.Sprintf(" %9s", "called"), fmt.Sprintf(" %9s", "unsure")
		normal, crack = fmt.Sprintf(" %9d", u.Sound), fmt.Sprintf(" %9d", u.Cracks)
	}
	fmt.Fprintf(w, "\n%12s  %9s %9s%s\n", "", "called", "called", head)
	fmt.Fprintf(w, "%12s  %9s %9s%s\n", "", "normal", "crack", head2)
	fmt.Fprintf(w, "%12s  %9d %9d%s\n", "is normal", r.Matrix.TN, r.Matrix.FP, normal)
	fmt.Fprintf(w, "%12s  %9d %9d%s\n", "is crack", r.Matrix.FN, r.Matrix.TP, crack)
}
