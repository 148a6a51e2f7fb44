package crossval

import "tirewatch/trainer/metrics"

// Split returns the columns of scores as the functions of package metrics take them.
func Split(scores []Score) (values []float64, labels []bool, groups []string) {
	for _, s := range scores {
		values, labels, groups = append(values, s.Score), append(labels, s.Crack), append(groups, s.Group)
	}
	return values, labels, groups
}

// Thresholds returns the threshold for each fold: the best one on the scores of the others.
func Thresholds(scores []Score) map[string]float64 {
	values, labels, _ := Split(scores)
	of := make(map[string]float64) // threshold of each fold
	for _, s := range scores {
		if _, ok := of[s.Fold]; ok {
			continue
		}
		var others []float64
		var otherLabels []bool
		for i, o := range scores {
			if o.Fold != s.Fold {
				others, otherLabels = append(others, values[i]), append(otherLabels, labels[i])
			}
		}
		of[s.Fold] = metrics.BestThreshold(others, otherLabels)
	}
	return of
}

// Judge gives each image a verdict, true for crack. A fold is judged with the threshold that is
// best on all other folds, so that no image has a say in its own threshold. threshold is the best
// one on all scores: the one to use afterwards.
func Judge(scores []Score) (said []bool, threshold float64) {
	values, labels, _ := Split(scores)
	of := Thresholds(scores)
	for _, s := range scores {
		said = append(said, s.Score >= of[s.Fold])
	}
	return said, metrics.BestThreshold(values, labels)
}

// Report evaluates out-of-fold scores with the verdicts of Judge.
func Report(scores []Score) (r *metrics.Report, said []bool, err error) {
	said, threshold := Judge(scores)
	values, labels, _ := Split(scores)
	r, err = metrics.Judged(values, labels, said, threshold)
	return r, said, err
}
