package verdict

import "math"

// Policy turns the scores of a tire's frames into one label.
type Policy struct {
	Threshold float64 // probability from which a tire is cracked
}

// Decide compares the probability of the mean logit with the threshold. It needs at least one vote.
func (p Policy) Decide(votes []Vote) (Label, float64) { return p.Label(Probability(MeanLogit(votes))) }

// MeanLogit averages the logits, because independent evidence adds up there and not in probabilities. It needs at least one vote.
func MeanLogit(votes []Vote) float64 {
	if len(votes) == 0 {
		panic("internal error: verdict without votes")
	}
	sum := 0.0
	for _, v := range votes {
		sum += v.Logit
	}
	return sum / float64(len(votes))
}

// Label compares one probability with the threshold.
func (p Policy) Label(probability float64) (Label, float64) {
	if probability >= p.Threshold {
		return Crack, probability
	}
	return Normal, probability
}

// Probability is the logistic function of a logit.
func Probability(logit float64) float64 { return 1 / (1 + math.Exp(-logit)) }
