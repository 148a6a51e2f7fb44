// Package metrics evaluates a classifier from its probabilities on labelled images.
//
//	network -> probabilities + labels -> METRICS -> report -> deploy or fine-tune
//
// Crack is the positive class. A division by zero results in 0, as in scikit-learn, so that a
// report contains only numbers. Start with [New], which computes everything, and [Report.String],
// which prints it in scikit-learn's layout.
package metrics

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// ErrInput marks scores and labels that cannot be evaluated.
var ErrInput = errors.New("cannot evaluate")

// Matrix is the confusion matrix.
type Matrix struct {
	TP int `json:"tp"` // cracks found
	FP int `json:"fp"` // sound tires called cracked
	FN int `json:"fn"` // cracks missed
	TN int `json:"tn"` // sound tires called sound
}

// Confusion counts the outcomes when a score of at least threshold means crack. labels[i] is true
// for a crack. Both slices have the same length.
func Confusion(scores []float64, labels []bool, threshold float64) Matrix {
	var m Matrix
	for i, s := range scores {
		m.add(s >= threshold, labels[i])
	}
	return m
}

// matrix counts the outcomes of verdicts, true for crack.
func matrix(said, labels []bool) (m Matrix) {
	for i, s := range said {
		m.add(s, labels[i])
	}
	return m
}

// add counts one image.
func (m *Matrix) add(said, crack bool) {
	switch {
	case said && crack:
		m.TP++
	case said:
		m.FP++
	case crack:
		m.FN++
	default:
		m.TN++
	}
}

// Total returns the number of images.
func (m Matrix) Total() int { return m.TP + m.FP + m.FN + m.TN }

// Accuracy returns the share of correct answers.
func (m Matrix) Accuracy() float64 { return ratio(m.TP+m.TN, m.Total()) }

// EscapeRate returns the share of cracks that were missed: cracked tires that leave the belt as
// sound ones.
func (m Matrix) EscapeRate() float64 { return ratio(m.FN, m.TP+m.FN) }

// FalseRejectRate returns the share of sound tires that were called cracked.
func (m Matrix) FalseRejectRate() float64 { return ratio(m.FP, m.FP+m.TN) }

// Scores holds the figures of one class, or averages over classes.
type Scores struct {
	Precision float64 `json:"precision"` // share of the images called this class that belong to it
	Recall    float64 `json:"recall"`    // share of the images of this class that are called so
	F1        float64 `json:"f1"`        // harmonic mean of precision and recall
	Support   int     `json:"support"`   // images of this class
}

// Crack returns the figures of the positive class.
func (m Matrix) Crack() Scores { return scores(m.TP, m.FP, m.FN) }

// Normal returns the figures of the negative class.
func (m Matrix) Normal() Scores { return scores(m.TN, m.FN, m.FP) }

// scores computes precision, recall and F1 from the counts of a class: right, wrongly called this
// class, and missed.
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

// ROCAUC returns the area under the receiver operating characteristic: the probability that a crack
// has a higher score than a sound tire, where a tie counts half. It is the Mann-Whitney U of the
// ranks (Hanley and McNeil 1982); 0 when one class is missing.
func ROCAUC(scores []float64, labels []bool) float64 {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(scores[a], scores[b]) })

	// Twice the rank sum of the cracks is an integer, because ties share their mean rank.
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

// LogLoss returns the mean binary cross-entropy in nats. Probabilities are kept at least 2^-52 (the
// float64 epsilon) away from 0 and 1, as in scikit-learn, so that one confident mistake does not
// make the loss infinite. 0 without images.
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

// check refuses input that the formulas above cannot use.
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
			return fmt.Errorf("%w: score %d is %v, want a probability from 0 to 1", ErrInput, i, p)
		}
	}
	return nil
}
