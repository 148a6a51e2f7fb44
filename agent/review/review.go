// Package review learns from the line: it says of which tires the picture is kept, puts those first
// that a person should look at, and makes a data set of what people said.
//
//	verdict -> REVIEW: keep? -> picture beside the journal -> a person's label -> export -> tirewatch train --finetune
//
// The queue is a folder, and a label is the folder that the picture lies in: a rename is whole or
// did not happen, waits for no lock that the agent holds on its journal, and survives a damaged
// one. So the page of the station, the command line beside it and a person with a file manager do
// the same. What is known of a picture is written in it (note.go). Newcomers need Policy.Why, Open
// and Queue.Next.
package review

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	"tirewatch/vision/cut"
	"tirewatch/vision/verdict"
)

// Reason is why a picture was kept.
type Reason string

const (
	Rejected     Reason = "rejected"     // a crack, or no decision
	Uncertain    Reason = "uncertain"    // the score is near the threshold
	Disagreement Reason = "disagreement" // the model before said otherwise
	Sample       Reason = "sample"       // drawn at random
	Every        Reason = "every"        // all pictures are kept
)

// Picture is what the network saw of a tire, and what is known of it. Of a tire in tiles it is the
// worst tile, the one that decided; where only the model before saw a crack, that model's worst.
// Where a tire could not be cut into tiles it is the whole tire, which no network saw.
type Picture struct {
	Station string    `json:"station"` // site/line/station
	Seq     uint64    `json:"seq"`     // of the verdict
	Time    time.Time `json:"time"`    // of the verdict, UTC
	// empty: a station of before kept the picture, and only Station, Seq and Time are known
	Verdict     verdict.Label `json:"verdict"`
	Probability float64       `json:"probability"`
	Threshold   float64       `json:"threshold"`
	ModelSerial uint64        `json:"model_serial"`
	ModelHash   string        `json:"model_hash"`
	Why         []Reason      `json:"why"`
	// the whole tire, or a tile of this view; empty, of a station of before this field: taken for
	// the whole tire
	Shows cut.View `json:"shows"`

	Label Label  `json:"-"` // what a person said
	Path  string `json:"-"` // of the file
}

// Of describes the picture of a verdict that is about to get the number seq, or has it.
func Of(v *verdict.Verdict, station string, seq uint64, why []Reason) Picture {
	shows := cut.Tire
	if v.Tiling != nil {
		shows = cut.View(v.Tiling.View)
	}
	return Picture{Station: station, Seq: seq, Time: v.Time.UTC(), Verdict: v.Label, Probability: v.Probability, Threshold: v.Threshold,
		ModelSerial: v.ModelSerial, ModelHash: v.ModelHash, Why: why, Shows: shows}
}

// Doubt is how far the score is from the threshold, in logits: 0 is the least that a network can
// know.
func (p Picture) Doubt() float64 {
	switch p.Verdict {
	case "":
		return math.Inf(1)
	case verdict.NoDecision:
		return 0
	}
	return math.Abs(logit(p.Probability) - logit(p.Threshold))
}

// logit is the inverse of the logistic function. Thresholds of 0 and 1 are far away, not
// infinitely.
func logit(p float64) float64 {
	const least = 1e-9
	p = min(max(p, least), 1-least)
	return math.Log(p / (1 - p))
}

// byPriority orders pictures by what a person should look at first: where two models disagree one of
// them is wrong, then what the network was least sure of (D. Lewis, W. Gale, "A sequential
// algorithm for training text classifiers", 1994), then the newest.
func byPriority(a, b Picture) int {
	first := func(p Picture) int {
		if slices.Contains(p.Why, Disagreement) {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(first(a), first(b)), cmp.Compare(a.Doubt(), b.Doubt()), cmp.Compare(b.Seq, a.Seq))
}

// Policy says which pictures are kept. The zero value keeps those of rejected tires.
type Policy struct {
	Station string
	// logits around the threshold in which a score is uncertain; 0 keeps none for that
	Band          float64
	Share         float64 // of all tires, drawn at random
	Disagreements bool    // between a model on probation and the one before
	Every         bool    // all pictures
}

// Why gives the reasons to keep the picture of a verdict that gets the number seq; none says not
// to.
func (p Policy) Why(v *verdict.Verdict, seq uint64) (why []Reason) {
	if v.Label.Reject() {
		why = append(why, Rejected)
	}
	if p.Band > 0 && v.Label != verdict.NoDecision && Of(v, p.Station, seq, nil).Doubt() <= p.Band {
		why = append(why, Uncertain)
	}
	if p.inSample(seq) {
		why = append(why, Sample)
	}
	if p.Every && why == nil {
		why = append(why, Every)
	}
	return why
}

// inSample decides by a hash of the number, so that no restart and no order of tires biases the
// sample.
func (p Policy) inSample(seq uint64) bool {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", p.Station, seq))
	return float64(binary.BigEndian.Uint64(sum[:])>>11) < p.Share*(1<<53)
}
