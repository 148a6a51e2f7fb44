package crossval

import (
	"fmt"

	"tirewatch/trainer/metrics"
)

// BandReport is two thresholds with their price on out-of-fold scores.
type BandReport struct {
	*metrics.BandChoice // chosen on all scores: the thresholds to use afterwards
	// OutOfFold counts the answers of thresholds that the image had no say in: each fold is judged
	// with those chosen on the others. It is what to expect of new tires.
	OutOfFold metrics.Answers `json:"out_of_fold"`
	Unsure    metrics.Rate    `json:"out_of_fold_unsure"`  // of all images
	Decided   metrics.Rate    `json:"out_of_fold_decided"` // right answers, of the decided images

	folds map[string]metrics.Band // thresholds of each fold, chosen on the others
}

// Judge returns the thresholds with which an image of the fold is judged.
func (r *BandReport) Judge(fold string) metrics.Band { return r.folds[fold] }

// ChooseBand chooses two thresholds for the budgets. Errors are those of metrics.ChooseBand.
func ChooseBand(scores []Score, budgets []metrics.Budget) (*BandReport, error) {
	r := &BandReport{folds: make(map[string]metrics.Band)}
	values, labels, _ := Split(scores)
	var err error
	if r.BandChoice, err = metrics.ChooseBand(values, labels, budgets); err != nil {
		return nil, err
	}
	folds := make(map[string][]Score)
	var names []string
	for _, s := range scores {
		if folds[s.Fold] == nil {
			names = append(names, s.Fold)
		}
		folds[s.Fold] = append(folds[s.Fold], s)
	}
	for _, fold := range names {
		var others []Score
		for _, name := range names {
			if name != fold {
				others = append(others, folds[name]...)
			}
		}
		values, labels, _ := Split(others)
		c, err := metrics.ChooseBand(values, labels, budgets)
		if err != nil {
			return nil, fmt.Errorf("thresholds for fold %s: %w", fold, err)
		}
		r.folds[fold] = c.Band
		values, labels, _ = Split(folds[fold])
		r.OutOfFold = r.OutOfFold.Plus(c.Count(values, labels))
	}
	r.Unsure, r.Decided = r.OutOfFold.Unsure(), r.OutOfFold.Decided()
	return r, nil
}

// String prints the choice, and what to expect of new tires.
func (r *BandReport) String() string {
	text := r.BandChoice.String() + "  with each fold judged by the thresholds of the others:\n"
	for _, row := range r.OutOfFold.Price() {
		text += fmt.Sprintf("    %-26s  %s\n", row[0], row[1])
	}
	return text
}
