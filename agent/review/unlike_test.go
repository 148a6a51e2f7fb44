package review_test

import (
	"bytes"
	"slices"
	"testing"

	"tirewatch/agent/review"
	"tirewatch/vision/verdict"
)

// A tire that is unlike the sound ones is kept for that reason, whatever its label. A sound one
// among them is labelled first, because one of the two opinions is wrong. Its note has the heat
// map.
func TestUnlikeSoundTires(t *testing.T) {
	v := &verdict.Verdict{Label: verdict.Normal, Probability: 0.01, Threshold: 0.5,
		SecondOpinion: &verdict.SecondOpinion{Unlike: true, Score: 20, Limit: 18,
			Heat: &verdict.Heat{W: 32, H: 32, Cells: make([]byte, 1024)}}}
	if got := (review.Policy{}).Why(v, 1); !slices.Equal(got, []review.Reason{review.UnlikeSound}) {
		t.Errorf("sound, but unlike: kept for %v", got)
	}
	v.Label = verdict.Crack
	if got := (review.Policy{}).Why(v, 1); !slices.Equal(got, []review.Reason{review.Rejected, review.UnlikeSound}) {
		t.Errorf("a crack: kept for %v", got)
	}
	v.Label, v.SecondOpinion.Unlike = verdict.Normal, false
	if got := (review.Policy{}).Why(v, 1); got != nil {
		t.Errorf("like the sound ones: kept for %v", got)
	}

	v.SecondOpinion.Unlike = true
	unlike := review.Of(v, "a/b/c", 1, []review.Reason{review.UnlikeSound})
	q := keep(t, t.TempDir(), aPicture(2, 0.49, review.Uncertain), unlike, aPicture(3, 0.9, review.Rejected))
	waiting, err := q.Next(3)
	if err != nil {
		t.Fatal(err)
	}
	first := waiting[0]
	if first.Seq != 1 || first.SecondOpinion == nil || first.SecondOpinion.Heat == nil ||
		!bytes.Equal(first.SecondOpinion.Heat.Cells, v.SecondOpinion.Heat.Cells) {
		t.Errorf("first in the queue is %d with %+v", first.Seq, first.SecondOpinion)
	}
}
