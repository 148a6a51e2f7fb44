// Package review decides which crops a station keeps, asks people to label them, most useful first,
// and exports the labelled ones as a data set.
//
//	verdict -> REVIEW: keep? -> crop beside the journal -> label by a person -> export
//	                                                                              |
//	                                              tirewatch train --finetune <----'
//
// The queue is a folder, and the label of a crop is the subfolder that contains it. A rename is
// atomic, needs no lock on the journal and survives a damaged journal. So the web page, the command
// line and a file manager all do the same. Each file contains a note about its crop (note.go).
// Start with [Policy.Why], [Open] and [Queue.Next].
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

// Reason is why a crop was kept.
type Reason string

const (
	Rejected     Reason = "rejected"     // a crack, or no decision
	InBand       Reason = "unsure"       // between the two thresholds, rejected or not
	Uncertain    Reason = "uncertain"    // the score is near the threshold
	Disagreement Reason = "disagreement" // the previous model gave another label
	UnlikeSound  Reason = "unlike_sound" // the second opinion: unlike the sound tires of its type
	Sample       Reason = "sample"       // drawn at random
	Every        Reason = "every"        // all crops are kept
)

// Picture is a kept crop and what is known about it: the input of the network for a tire. For a
// tire in tiles it is the tile with the highest score, which decided; if only the previous model
// found a crack, it is that model's tile. If a tire could not be cut into tiles, it is the whole
// tire, which no network saw.
type Picture struct {
	Station string    `json:"station"` // site/line/station
	Seq     uint64    `json:"seq"`     // of the verdict
	Time    time.Time `json:"time"`    // of the verdict, UTC
	// empty: an older station kept the crop; only Station, Seq and Time are known
	Verdict     verdict.Label `json:"verdict"`
	Probability float64       `json:"probability"`
	Threshold   float64       `json:"threshold"`
	SoundBelow  float64       `json:"sound_below,omitempty"` // of a model with two thresholds
	ModelSerial uint64        `json:"model_serial"`
	ModelHash   string        `json:"model_hash"`
	Why         []Reason      `json:"why"`
	// of a model that has one; the heat is that of the crop
	SecondOpinion *verdict.SecondOpinion `json:"second_opinion,omitempty"`
	// the whole tire, or a tile of this view; empty, from an older station: the whole tire
	Shows cut.View `json:"shows"`
	// SHA-256 of the crop's pixels, which are the input of the network, hexadecimal; empty: an
	// older station kept the crop
	Input string `json:"input_sha256,omitempty"`
	// the tire in the camera's frame, px: x0, y0, x1, y1; zero: the station keeps no picture of the
	// camera
	Region [4]int `json:"region,omitzero"`
	Colour bool   `json:"colour,omitempty"` // the camera has colour

	Label Label  `json:"-"` // given by a person
	Path  string `json:"-"` // of the file
}

// Of describes the crop of a verdict with the number seq; v.Seq need not be set yet.
func Of(v *verdict.Verdict, station string, seq uint64, why []Reason) Picture {
	shows := cut.Tire
	if v.Tiling != nil {
		shows = cut.View(v.Tiling.View)
	}
	return Picture{Station: station, Seq: seq, Time: v.Time.UTC(),
		Verdict: v.Label, Probability: v.Probability, Threshold: v.Threshold, SoundBelow: v.SoundBelow,
		ModelSerial: v.ModelSerial, ModelHash: v.ModelHash, Why: why, Shows: shows,
		SecondOpinion: v.SecondOpinion}
}

// Doubt returns the distance of the score from its threshold in logits: 0 is the least certain, and
// so is a tire between two thresholds.
func (p Picture) Doubt() float64 {
	switch p.Verdict {
	case "":
		return math.Inf(1)
	case verdict.NoDecision:
		return 0
	}
	threshold := p.Threshold
	if p.Verdict == verdict.Normal && p.SoundBelow > 0 {
		threshold = p.SoundBelow
	}
	return math.Abs(logit(p.Probability) - logit(threshold))
}

// logit is the inverse of the logistic function. It clips p, so that 0 and 1 stay finite.
func logit(p float64) float64 {
	const least = 1e-9
	p = min(max(p, least), 1-least)
	return math.Log(p / (1 - p))
}

// byPriority orders crops for labelling: first disagreements of two models or with the second
// opinion, because one of the two is wrong, then the least certain (D. Lewis, W. Gale, "A
// sequential algorithm for training text classifiers", 1994), then the newest.
func byPriority(a, b Picture) int {
	first := func(p Picture) int {
		if slices.Contains(p.Why, Disagreement) || p.Verdict == verdict.Normal && slices.Contains(p.Why, UnlikeSound) {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(first(a), first(b)),
		cmp.Compare(a.Doubt(), b.Doubt()), cmp.Compare(b.Seq, a.Seq))
}

// Policy defines which crops are kept. The zero value keeps those of rejected and of unsure tires.
type Policy struct {
	Station string
	// a score within Band logits of the threshold is uncertain; 0: none is
	Band          float64
	Share         float64 // share of all tires in the random sample, 0 to 1
	Disagreements bool    // keep those of a model on probation and the previous one
	Every         bool    // keep all
	Camera        bool    // with each crop also keep the tire's region as the camera sent it
}

// Why returns the reasons to keep the crop of a verdict with the number seq. None means: do not
// keep it.
func (p Policy) Why(v *verdict.Verdict, seq uint64) (why []Reason) {
	switch {
	case v.IsUnsure():
		why = append(why, InBand)
	case v.Label.Reject():
		why = append(why, Rejected)
	}
	if p.Band > 0 && v.Label != verdict.NoDecision && Of(v, p.Station, seq, nil).Doubt() <= p.Band {
		why = append(why, Uncertain)
	}
	if o := v.SecondOpinion; o != nil && o.Unlike {
		why = append(why, UnlikeSound)
	}
	if p.inSample(seq) {
		why = append(why, Sample)
	}
	if p.Every && why == nil {
		why = append(why, Every)
	}
	return why
}

// inSample uses a hash of the number, so that neither restarts nor the order of tires bias the
// sample.
func (p Policy) inSample(seq uint64) bool {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", p.Station, seq))
	return float64(binary.BigEndian.Uint64(sum[:])>>11) < p.Share*(1<<53)
}
