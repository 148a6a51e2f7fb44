package verdict

import (
	"cmp"
	"math"
	"slices"
)

// Policy turns the scores of a tire's frames into one label. It has two answers with one threshold
// and three answers with two:
//
//	0                SoundBelow              Threshold                1
//	|---- normal ----|----- no_decision -----|-------- crack --------|
//	                        "unsure"
type Policy struct {
	Threshold float64 // probability from which a tire is cracked
	// probability below which a tire is sound, at most Threshold; 0 or Threshold: no tire is unsure
	SoundBelow float64
	Rule       Rule // how the frames vote; empty is Mean
}

// Unsure is the Reason of a verdict whose probability is between the two thresholds.
const Unsure = "unsure"

// Rule is how the frames of a tire vote. Each rule computes one score, which is compared with the
// threshold, so a verdict's probability always explains its label.
type Rule string

const (
	// the mean of the logits, because independent evidence adds up in logits, not in probabilities
	Mean     Rule = "mean"
	Majority Rule = "majority" // the median: at least half of the frames show a crack
	Any      Rule = "any"      // the highest: at least one frame shows a crack
)

// Rules returns all rules.
func Rules() []Rule { return []Rule{Mean, Majority, Any} }

// Decide returns the label for the votes, and the probability that explains it. It needs at least
// one vote.
func (p Policy) Decide(votes []Vote) (Label, float64) {
	return p.Label(Probability(p.Rule.logit(votes)))
}

// logit returns the score of all votes together.
func (r Rule) logit(votes []Vote) float64 {
	if r == "" || r == Mean {
		return MeanLogit(votes)
	}
	ordered := slices.SortedFunc(slices.Values(votes), func(a, b Vote) int { return cmp.Compare(b.Logit, a.Logit) })
	switch r {
	case Majority:
		// for an even number the higher middle one, because half of the frames are enough
		return ordered[(len(ordered)-1)/2].Logit
	case Any:
		return ordered[0].Logit
	}
	panic("internal error: unknown rule " + string(r))
}

// MeanLogit returns the mean of the logits. It needs at least one vote.
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

// Label returns the label for a probability, and the probability. no_decision means unsure.
func (p Policy) Label(probability float64) (Label, float64) {
	switch {
	case probability >= p.Threshold:
		return Crack, probability
	case p.SoundBelow > 0 && probability >= p.SoundBelow:
		return NoDecision, probability
	}
	return Normal, probability
}

// Three reports whether the policy has three answers.
func (p Policy) Three() bool { return p.SoundBelow > 0 && p.SoundBelow < p.Threshold }

// Probability returns the logistic function of a logit.
func Probability(logit float64) float64 { return 1 / (1 + math.Exp(-logit)) }
