package metrics

import (
	"cmp"
	"slices"
)

// ranking is labelled scores in ascending order. Its figures count each image as often as a draw of
// the bootstrap has it, so that thousands of draws need one sort.
type ranking struct {
	order  []int // images from the lowest score to the highest
	scores []float64
	labels []bool
}

func newRanking(scores []float64, labels []bool) *ranking {
	r := &ranking{order: make([]int, len(scores)), scores: scores, labels: labels}
	for i := range r.order {
		r.order[i] = i
	}
	slices.SortStableFunc(r.order, func(a, b int) int { return cmp.Compare(scores[a], scores[b]) })
	return r
}

// tie counts the cracks and sound tires of the images order[i:j] that share the score of order[i].
func (r *ranking) tie(times []int, i int) (cracks, sound, j int) {
	for j = i; j < len(r.order) && r.scores[r.order[j]] == r.scores[r.order[i]]; j++ {
		if k := r.order[j]; r.labels[k] {
			cracks += times[k]
		} else {
			sound += times[k]
		}
	}
	return cracks, sound, j
}

// auc is ROCAUC with image i counted times[i] times.
func (r *ranking) auc(times []int) float64 {
	var cracks, below, twice int // below: sound tires with lower scores
	for i := 0; i < len(r.order); {
		c, s, j := r.tie(times, i)
		twice += c * (2*below + s)
		cracks, below, i = cracks+c, below+s, j
	}
	return ratio(twice, 2*cracks*below)
}

// recallAt is RecallAt with image i counted times[i] times.
func (r *ranking) recallAt(times []int, limit float64) float64 {
	var cracks, sound, found, rejected int
	for i := 0; i < len(r.order); {
		c, s, j := r.tie(times, i)
		cracks, sound, i = cracks+c, sound+s, j
	}
	found, rejected = cracks, sound
	for i := 0; i < len(r.order) && !allowed(rejected, sound, limit); {
		c, s, j := r.tie(times, i)
		found, rejected, i = found-c, rejected-s, j
	}
	return ratio(found, cracks)
}

// once counts each image once.
func once(n int) []int { return slices.Repeat([]int{1}, n) }

// RecallAt returns the largest share of cracks that a threshold finds when it rejects at most the
// share limit of the sound tires: the height of the ROC curve at that false reject rate. Equal
// scores stay on one side. 0 without cracks.
func RecallAt(scores []float64, labels []bool, limit float64) float64 {
	return newRanking(scores, labels).recallAt(once(len(scores)), limit)
}

// BestThreshold returns the threshold with the most correct answers, in the middle between two
// scores. Of several it takes the median, so that it is not at the edge of
// what these images allow.
func BestThreshold(scores []float64, labels []bool) float64 {
	r := newRanking(scores, labels)
	right := 0 // with a threshold below all scores, every crack is
	for _, crack := range labels {
		if crack {
			right++
		}
	}
	var best []float64
	most, below, times := -1, 0.0, once(len(scores))
	for i := 0; ; {
		above := 1.0
		if i < len(r.order) {
			above = scores[r.order[i]]
		}
		if t := middle(below, above); t > 0 && t < 1 && right >= most {
			if right > most {
				most, best = right, nil
			}
			best = append(best, t)
		}
		if i == len(r.order) {
			break
		}
		c, s, j := r.tie(times, i)
		right, below, i = right+s-c, above, j
	}
	if len(best) == 0 {
		return 0.5 // all scores are exactly 0 or 1
	}
	return best[len(best)/2]
}
