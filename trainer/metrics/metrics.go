// Package metrics judges a classifier by its probabilities on labelled images.
//
//	network -> probabilities + labels -> METRICS -> report -> deploy or fine-tune
//
// Crack is the positive class. Divisions by zero give 0, as scikit-learn defines them, so that a
// report is always numbers. Newcomers need New, which computes everything, and Report.String, which
// prints it in scikit-learn's layout.
package metrics

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// ErrInput marks scores and labels that cannot be judged.
var ErrInput = errors.New("cannot judge")

// Matrix is the confusion matrix.
type Matrix struct {
	TP int `json:"tp"` // cracks found
	FP int `json:"fp"` // sound tires called cracked
	FN int `json:"fn"` // cracks missed
	TN int `json:"tn"` // sound tires called sound
}

// Confusion counts the outcomes when a score of at least threshold means crack. labels[i] is true
// for a crack; both slices have the same length.
func Confusion(scores []float64, labels []bool, threshold float64) Matrix {
	var m Matrix
	for i, s := range scores {
		switch called := s >= threshold; {
		case called && labels[i]:
			m.TP++
		case called:
			m.FP++
		case labels[i]:
			m.FN++
		default:
			m.TN++
		}
	}
	return m
}

// Total is the number of images.
func (m Matrix) Total() int { return m.TP + m.FP + m.FN + m.TN }

// Accuracy is the share of right answers.
func (m Matrix) Accuracy() float64 { return ratio(m.TP+m.TN, m.Total()) }

// EscapeRate is the share of cracks that were missed: bad tires that leave the belt as good ones.
func (m Matrix) EscapeRate() float64 { return ratio(m.FN, m.TP+m.FN) }

// FalseRejectRate is the share of sound tires that were called cracked.
func (m Matrix) FalseRejectRate() float64 { return ratio(m.FP, m.FP+m.TN) }

// Scores are the figures of one class, or averages over classes.
type Scores struct {
	Precision float64 `json:"precision"` // of those called so, the share that is
	Recall    float64 `json:"recall"`    // of those that are, the share called so
	F1        float64 `json:"f1"`        // harmonic mean of both
	Support   int     `json:"support"`   // images that are
}

// Crack gives the figures of the positive class.
func (m Matrix) Crack() Scores { return scores(m.TP, m.FP, m.FN) }

// Normal gives the figures of the negative class.
func (m Matrix) Normal() Scores { return scores(m.TN, m.FN, m.FP) }

// scores computes precision, recall and F1 from the counts of a class: right, wrongly called so,
// and missed.
func scores(right, wrong, missed int) Scores {
	return Scores{
		Precision: ratio(right, right+wrong),
		Recall:    ratio(right, right+missed),
		F1:        ratio(2*right, 2*right+wrong+missed),
		Support:   right + missed,
	}
}

func ratio(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// ROCAUC is the area under the receiver operating characteristic: the chance that a crack scores
// higher than a sound tire, a tie counting half. It is the Mann-Whitney U of the ranks (Hanley and
// McNeil 1982); 0 when one class is missing.
func ROCAUC(scores []float64, labels []bool) float64 {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(scores[a], scores[b]) })

	// Twice the rank sum of the cracks is an integer, as ties share their mean rank.
	var positives, twiceRanks int
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && scores[order[j]] == scores[order[i]] {
			j++
		}
		for _, k := range order[i:j] {
			if labels[k] {
				positives++
				twiceRanks += i + 1 + j // ranks i+1 .. j
			}
		}
		i = j
	}
	negatives := len(order) - positives
	return ratio(twiceRanks-positives*(positives+1), 2*positives*negatives)
}

// LogLoss is the mean binary cross-entropy in nats. Probabilities are kept away from 0 and 1 by the
// float64 epsilon 2^-52, as scikit-learn does, so that one sure mistake does not make the loss
// infinite; 0 without images.
func LogLoss(scores []float64, labels []bool) float64 {
	const epsilon = 0x1p-52
	sum := 0.0
	for i, p := range scores {
		p = min(max(p, epsilon), 1-epsilon)
		if labels[i] {
			sum -= math.Log(p)
		} else {
			sum -= math.Log1p(-p)
		}
	}
	if len(scores) == 0 {
		return 0
	}
	return sum / float64(len(scores))
}

// check refuses what the formulas above do not allow.
func check(scores []float64, labels []bool, threshold float64) error {
	if len(scores) != len(labels) {
		return fmt.Errorf("%w: %d scores for %d labels", ErrInput, len(scores), len(labels))
	}
	if len(scores) == 0 {
		return fmt.Errorf("%w: no images", ErrInput)
	}
	if math.IsNaN(threshold) {
		return fmt.Errorf("%w: the threshold is not a number", ErrInput)
	}
	for i, p := range scores {
		if !(p >= 0 && p <= 1) {
			return fmt.Errorf("%w: score %d is %v, no probability", ErrInput, i, p)
		}
	}
	return nil
}
