package metrics

import (
	"cmp"
	"slices"
)

// Cut is the result of one threshold: the counts when every score of at least Threshold is called a
// crack.
type Cut struct {
	Threshold float64
	Matrix
}

// Cuts returns the counts for each threshold that makes a difference, from the highest down: one
// for each score that occurs. The ROC and the precision-recall curve are drawn through them.
func Cuts(scores []float64, labels []bool) []Cut {
	order := make([]int, len(scores))
	var m Matrix
	for i := range order {
		order[i] = i
		if labels[i] {
			m.FN++
		} else {
			m.TN++
		}
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	var cuts []Cut
	for i, k := range order {
		if labels[k] {
			m.TP, m.FN = m.TP+1, m.FN-1
		} else {
			m.FP, m.TN = m.FP+1, m.TN-1
		}
		if i+1 == len(order) || scores[order[i+1]] != scores[k] {
			cuts = append(cuts, Cut{scores[k], m})
		}
	}
	return cuts
}

// AveragePrecision is the area under the precision-recall curve drawn as steps: the precision at
// each cut, weighted by the recall that the cut adds. It is scikit-learn's average_precision_score.
// Straight lines between the cuts would be too optimistic (Davis and Goadrich 2006). 0 without
// cracks.
func AveragePrecision(scores []float64, labels []bool) float64 {
	area, recall := 0.0, 0.0
	for _, c := range Cuts(scores, labels) {
		s := c.Crack()
		area += (s.Recall - recall) * s.Precision
		recall = s.Recall
	}
	return area
}

// Bin is one column of a reliability diagram.
type Bin struct {
	Lo, Hi float64 // scores from Lo to below Hi; the last bin includes 1
	Images int
	Cracks int
	Mean   float64 // of the scores; 0 without images
}

// Calibration sorts the scores into n bins of equal width. In a calibrated model, Cracks/Images is
// close to Mean in each bin.
func Calibration(scores []float64, labels []bool, n int) []Bin {
	bins := make([]Bin, n)
	for i := range bins {
		bins[i].Lo, bins[i].Hi = float64(i)/float64(n), float64(i+1)/float64(n)
	}
	for i, s := range scores {
		b := &bins[min(int(s*float64(n)), n-1)]
		b.Images++
		b.Mean += s
		if labels[i] {
			b.Cracks++
		}
	}
	for i := range bins {
		if b := &bins[i]; b.Images > 0 {
			b.Mean /= float64(b.Images)
		}
	}
	return bins
}

// CalibrationError is the distance between the mean score of a bin and its share of cracks,
// averaged over the images (expected calibration error, Naeini et al. 2015); 0 without images.
func CalibrationError(bins []Bin) float64 {
	sum, images := 0.0, 0
	for _, b := range bins {
		sum += max(b.Mean*float64(b.Images)-float64(b.Cracks), float64(b.Cracks)-b.Mean*float64(b.Images))
		images += b.Images
	}
	if images == 0 {
		return 0
	}
	return sum / float64(images)
}
