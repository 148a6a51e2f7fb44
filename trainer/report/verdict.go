package report

import (
	"fmt"
	"strconv"

	"tirewatch/trainer/metrics"
)

// Verdict is the result of the report in words.
type Verdict struct {
	Sentence string
	Notes    []string // limits of the result
	Tone     string   // "good", "fair" or "poor": sets the colour of the sentence
}

// few is the number of images of a class below which the 95 % interval of a share is about ten
// percentage points wide.
const few = 100

// Judge describes the figures in one sentence. It states every share with its count, and every
// expectation with its 95 % interval.
//
// The tone only sets the colour: good when the pessimistic ends of both intervals are still 90 %
// right, poor when the scores hardly separate the classes.
func Judge(part string, m *metrics.Report, scores []float64, labels []bool) Verdict {
	a := m.Answers()
	cracks, sound := a.Cracks(), a.Sound()
	foundLo, foundHi := metrics.Wilson(m.Matrix.TP, cracks, metrics.Z95)
	rejectLo, rejectHi := metrics.Wilson(m.Matrix.FP, sound, metrics.Z95)
	v := Verdict{Tone: "fair", Sentence: fmt.Sprintf(
		"Finds %d of %d cracks and rejects %d of %d sound tires on %s. "+
			"On new tires like these, expect %s of the cracks found and %s of the sound tires rejected.",
		m.Matrix.TP, cracks, m.Matrix.FP, sound, images(a.Total(), part), span(foundLo, foundHi), span(rejectLo, rejectHi))}
	note := func(format string, args ...any) { v.Notes = append(v.Notes, fmt.Sprintf(format, args...)) }

	switch called := m.Matrix.TP + m.Matrix.FP; {
	case m.Matrix.Total() == 0:
		note("It is unsure of every tire.")
	case called == 0:
		note("It calls no tire cracked.")
	case called == m.Matrix.Total():
		note("It calls no tire sound.")
	}
	if u := m.Unsure; u != nil {
		note("It is unsure of %d of %d tires (%s; on new tires, expect %s), and %d of the other %d answers are right (%s). "+
			"The station rejects unsure tires or lets them pass: on_unsure in its configuration.",
			u.Rate.Count, u.Rate.Of, percent(share(u.Rate)), span(u.Rate.Low, u.Rate.High), u.Accuracy.Count, u.Accuracy.Of,
			percent(share(u.Accuracy)))
	}
	both := cracks > 0 && sound > 0
	switch {
	case !both:
		note("These images show only one class, so they cannot show whether the model separates cracked from sound tires.")
	case m.ROCAUC < 0.75:
		note("Its scores hardly separate cracked from sound tires (area under the ROC curve %.2f, guessing is 0.50). "+
			"Train longer, or with more photographs.", m.ROCAUC)
		v.Tone = "poor"
	case foundLo >= 0.9 && rejectHi <= 0.1:
		v.Tone = "good"
	}
	if cracks < few || sound < few {
		note("%d cracked and %d sound tires are few, so the expected ranges are wide. "+
			"Use at least %d of each.", cracks, sound, few)
	}
	if part == Given {
		note("If the model was trained on any of these images, results on new tires will be worse.")
	}
	if part == Validation {
		note("The weights were chosen because they do best on these images, so results on new tires may be somewhat worse. " +
			"To measure on test images, run: tirewatch evaluate")
	}
	if off := metrics.CalibrationError(metrics.Calibration(scores, labels, bins)); off > 0.1 {
		note("Its probabilities are off by %s on average. Trust the verdict more than the probability.", percent(off))
	}
	return v
}

// share is the share of a rate, 0 of none.
func share(r metrics.Rate) float64 { return float64(r.Count) / float64(max(r.Of, 1)) }

// images returns a number of images with their kind.
func images(n int, part string) string {
	if part == Given {
		return fmt.Sprint(n, " images")
	}
	return fmt.Sprintf("%d %s images", n, part)
}

// percent formats a share with at most one decimal.
func percent(share float64) string { return digits(share) + " %" }

// span formats a range of shares.
func span(lo, hi float64) string { return digits(lo) + " to " + percent(hi) }

func digits(share float64) string {
	s := strconv.FormatFloat(100*share, 'f', 1, 64)
	if n := len(s); s[n-2:] == ".0" {
		s = s[:n-2]
	}
	return s
}

// figure is one row of the table of figures.
type figure struct {
	Name, Value string
	Of          string // counts or a remark
	Range       string // 95 % interval
}

// figures are the rows of the table. groups may be nil: then the area under the ROC curve has no
// interval, because nobody knows how many different tires the images show.
func figures(m *metrics.Report, scores []float64, labels []bool, groups []string) []figure {
	share := func(name string, k, n int) figure {
		lo, hi := metrics.Wilson(k, n, metrics.Z95)
		value := "none"
		if n > 0 {
			value = percent(float64(k) / float64(n))
		}
		return figure{name, value, fmt.Sprintf("%d of %d", k, n), span(lo, hi)}
	}
	number := func(name string, v float64, of string) figure {
		return figure{Name: name, Value: fmt.Sprintf("%.4f", v), Of: of}
	}
	x := m.Answers()
	fs := []figure{
		share("Correct answers (accuracy)", x.TP+x.TN, x.Matrix.Total()),
		share("Cracks found (recall)", x.TP, x.Cracks()),
		share("Cracks missed (escape rate)", x.FN, x.Cracks()),
		share("Sound tires rejected (false reject rate)", x.FP, x.Sound()),
		share("Rejected tires that are cracked (precision)", x.TP, x.TP+x.FP),
		number("F1 score of the cracks", m.Crack.F1, ""),
	}
	if m.Unsure != nil {
		fs = append([]figure{share("Unsure tires", x.UnsureCrack+x.UnsureSound, x.Total())}, fs...)
	}
	if x.Cracks() > 0 && x.Sound() > 0 {
		auc := number("Area under the ROC curve", m.ROCAUC, "0.5 is guessing")
		if groups != nil {
			b := metrics.NewBootstrap(groups, labels, 1)
			i := b.AUC(scores, labels)
			auc.Of += fmt.Sprintf(", %d groups of images", b.Groups())
			auc.Range = fmt.Sprintf("%.4f to %.4f", i.Low, i.High)
		}
		fs = append(fs, auc,
			number("Area under the precision-recall curve", metrics.AveragePrecision(scores, labels),
				fmt.Sprintf("%.2f is guessing", float64(x.Cracks())/float64(x.Total()))))
	}
	fs = append(fs,
		number("Log loss", m.LogLoss, "lower is better"),
		number("Calibration error", metrics.CalibrationError(metrics.Calibration(scores, labels, bins)), "0 is perfect"))
	if m.Unsure != nil {
		return append(fs,
			number("Sound below", m.Unsure.SoundBelow, "a lower score means sound"),
			number("Crack from", m.Threshold, "a score of at least this means crack"))
	}
	return append(fs, number("Threshold", m.Threshold, "a score of at least this means crack"))
}

// prices is the table of what unsure answers cost and what they buy; none if the images show one
// class only.
func prices(scores []float64, labels []bool) []Table {
	t := Table{
		Title: "The price of unsure answers",
		Note: "With two thresholds, tires between them are unsure. For each share of unsure tires, this is the pair of " +
			"thresholds with the most right answers on the other tires of these images, so new tires are slightly worse.",
		Header: []string{"at most", "unsure", "right of the decided", "cracks called sound", "sound called cracked",
			"sound below", "crack from"},
	}
	count := func(r metrics.Rate) string { return fmt.Sprintf("%d of %d, %s", r.Count, r.Of, percent(share(r))) }
	for _, c := range metrics.Prices(scores, labels) {
		t.Rows = append(t.Rows, []string{percent(c.Budgets[0].Limit), count(c.Unsure),
			count(c.Decided) + " (" + span(c.Decided.Low, c.Decided.High) + ")", count(c.Escape), count(c.FalseReject),
			fmt.Sprintf("%.4f", c.SoundBelow), fmt.Sprintf("%.4f", c.Threshold)})
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return []Table{t}
}
