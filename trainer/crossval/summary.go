package crossval

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"tirewatch/trainer/metrics"
)

// Seed is the seed of the bootstrap.
const Seed = 1

// Summary is the result of a cross-validation.
type Summary struct {
	Images int `json:"images"`
	Cracks int `json:"cracks"`
	Groups int `json:"groups"`

	Folds []FoldFigures `json:"folds"`

	Accuracy Figure `json:"accuracy"`
	AUC      Figure `json:"roc_auc"`
	Recall1  Figure `json:"recall_at_1_percent_false_rejects"`
	Recall5  Figure `json:"recall_at_5_percent_false_rejects"`

	Report *metrics.Report `json:"report"` // of all out-of-fold scores

	Float *FloatFigures `json:"float,omitempty"` // nil if the results have no scores of it
}

// FloatFigures compares the float network with the int8 network, whose scores are all others. Both
// are judged alike, each by the thresholds of its own scores.
type FloatFigures struct {
	Figures
	Equal float64 `json:"equal_verdicts"` // share of images
	// the same if both are judged by the thresholds of the float network, as a station does that
	// keeps the checkpoint's threshold
	EqualAtOne float64 `json:"equal_verdicts_at_one_threshold"`
}

// FoldFigures are the figures of one fold.
type FoldFigures struct {
	Name    string  `json:"name"`
	Images  int     `json:"images"`
	Cracks  int     `json:"cracks"`
	Network Figures `json:"network"`
	Grey    Figures `json:"grey_statistics"`
}

// Figures are the four figures of a list of scores.
type Figures struct {
	Accuracy float64 `json:"accuracy"`
	AUC      float64 `json:"roc_auc"`
	Recall1  float64 `json:"recall_at_1_percent_false_rejects"`
	Recall5  float64 `json:"recall_at_5_percent_false_rejects"`
}

// Figure is one figure over all folds.
type Figure struct {
	Mean   float64 `json:"mean"`   // of the folds
	Spread float64 `json:"spread"` // standard deviation over the folds
	Pooled float64 `json:"pooled"` // of all out-of-fold scores together
	metrics.Interval
	Grey float64 `json:"grey_statistics"` // Pooled of the baseline
}

// Summarize computes the figures of finished folds, in their order. Errors wrap metrics.ErrInput.
func Summarize(results []*Result) (*Summary, error) {
	var all, grey []Score
	s := new(Summary)
	for _, r := range results {
		all, grey = append(all, r.Scores...), append(grey, greyScores(r)...)
	}
	var said []bool
	var err error
	if s.Report, said, err = Report(all); err != nil {
		return nil, err
	}
	_, greySaid, err := Report(grey)
	if err != nil {
		return nil, err
	}
	from := 0
	for _, r := range results {
		to := from + len(r.Scores)
		f := FoldFigures{Images: to - from, Network: measure(all[from:to], said[from:to]),
			Grey: measure(grey[from:to], greySaid[from:to])}
		for _, sc := range r.Scores {
			f.Name = sc.Fold
			if sc.Crack {
				f.Cracks++
			}
		}
		s.Folds = append(s.Folds, f)
		s.Images, s.Cracks, from = s.Images+f.Images, s.Cracks+f.Cracks, to
	}
	s.pool(all, measure(all, said), measure(grey, greySaid))
	s.Float, err = compareFloat(results, all, said)
	return s, err
}

// compareFloat returns nil if a result has no scores of the float network. said are the verdicts of
// the int8 network.
func compareFloat(results []*Result, all []Score, said []bool) (*FloatFigures, error) {
	float := slices.Clone(all)
	from := 0
	for _, r := range results {
		if len(r.Float) != len(r.Scores) {
			return nil, nil
		}
		for i, v := range r.Float {
			float[from+i].Score = v
		}
		from += len(r.Scores)
	}
	_, floatSaid, err := Report(float)
	if err != nil {
		return nil, err
	}
	same, atOne := 0, 0
	thresholds := Thresholds(float)
	for i := range all {
		if floatSaid[i] == said[i] {
			same++
		}
		if floatSaid[i] == (all[i].Score >= thresholds[all[i].Fold]) {
			atOne++
		}
	}
	n := float64(len(all))
	return &FloatFigures{measure(float, floatSaid), float64(same) / n, float64(atOne) / n}, nil
}

// greyScores are the scores of the baseline.
func greyScores(r *Result) []Score {
	grey := append([]Score(nil), r.Scores...)
	for i := range grey {
		grey[i].Score = r.Grey[i]
	}
	return grey
}

// measure computes the figures of some scores and their verdicts.
func measure(scores []Score, said []bool) Figures {
	values, labels, _ := Split(scores)
	right := 0
	for i, l := range labels {
		if said[i] == l {
			right++
		}
	}
	return Figures{
		Accuracy: float64(right) / float64(max(len(labels), 1)), AUC: metrics.ROCAUC(values, labels),
		Recall1: metrics.RecallAt(values, labels, 0.01), Recall5: metrics.RecallAt(values, labels, 0.05),
	}
}

// pool fills in the figures over all folds, with their intervals.
func (s *Summary) pool(all []Score, network, grey Figures) {
	values, labels, groups := Split(all)
	draws := func() *metrics.Bootstrap { return metrics.NewBootstrap(groups, labels, Seed) }
	s.Groups = draws().Groups()
	fill := func(f *Figure, of func(Figures) float64, interval metrics.Interval) {
		*f = Figure{Pooled: of(network), Interval: interval, Grey: of(grey)}
		for _, fold := range s.Folds {
			f.Mean += of(fold.Network) / float64(len(s.Folds))
		}
		squares := 0.0
		for _, fold := range s.Folds {
			squares += (of(fold.Network) - f.Mean) * (of(fold.Network) - f.Mean)
		}
		f.Spread = math.Sqrt(squares / float64(max(len(s.Folds)-1, 1)))
	}
	m := s.Report.Matrix
	lo, hi := metrics.Wilson(m.TP+m.TN, m.Total(), metrics.Z95)
	fill(&s.Accuracy, func(f Figures) float64 { return f.Accuracy }, metrics.Interval{Low: lo, High: hi})
	fill(&s.AUC, func(f Figures) float64 { return f.AUC }, draws().AUC(values, labels))
	fill(&s.Recall1, func(f Figures) float64 { return f.Recall1 }, draws().RecallAt(values, labels, 0.01))
	fill(&s.Recall5, func(f Figures) float64 { return f.Recall5 }, draws().RecallAt(values, labels, 0.05))
}

// String prints the folds, then the figures over all folds, each beside that of grey statistics.
func (s *Summary) String() string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "fold\timages\tcracks\taccuracy\tgrey statistics\tROC AUC\tgrey statistics\t")
	for _, f := range s.Folds {
		fmt.Fprintf(t, "%s\t%d\t%d\t%.3f\t%.3f\t%.3f\t%.3f\t\n", f.Name, f.Images, f.Cracks, f.Network.Accuracy,
			f.Grey.Accuracy, f.Network.AUC, f.Grey.AUC)
	}
	t.Flush()
	fmt.Fprintln(&b)
	t = tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tmean\tspread\tout of fold\t95 % interval\tgrey statistics\t")
	for _, row := range []struct {
		name string
		Figure
	}{{"accuracy", s.Accuracy}, {"ROC AUC", s.AUC}, {"recall at 1 % false rejects", s.Recall1},
		{"recall at 5 % false rejects", s.Recall5}} {
		fmt.Fprintf(t, "%s\t%.3f\t%.3f\t%.3f\t%.3f to %.3f\t%.3f\t\n", row.name, row.Mean, row.Spread, row.Pooled,
			row.Low, row.High, row.Grey)
	}
	t.Flush()
	m := s.Report.Matrix
	fmt.Fprintf(&b, "\n%d of %d cracks missed, %d of %d sound tires rejected\n", m.FN, m.FN+m.TP, m.FP, m.FP+m.TN)
	fmt.Fprintf(&b, "threshold %.4f, the best one on all out-of-fold scores; "+
		"each fold is judged with that of the others\n", s.Report.Threshold)
	if f := s.Float; f != nil {
		fmt.Fprintf(&b, "all scores are those of the int8 network; float: accuracy %.3f, ROC AUC %.3f, recall at 1 %% and 5 %% "+
			"%.3f and %.3f, %.2f %% equal verdicts (%.2f %% at one threshold)\n", f.Accuracy, f.AUC, f.Recall1, f.Recall5,
			100*f.Equal, 100*f.EqualAtOne)
	}
	fmt.Fprintf(&b, "intervals: Wilson for the accuracy, bootstrap over %d groups for the others\n", s.Groups)
	b.WriteString("grey statistics: brightness, contrast and sharpness alone, learned from the same images\n")
	return b.String()
}
