package inspection

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"tirewatch/agent/journal"
	"tirewatch/agent/models"
	"tirewatch/agent/review"
	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
	"tirewatch/vision/verdict"
)

// row is a film of n tires, one a frame.
func row(n int) (f film) {
	for i := range n {
		f = append(f, []float64{float64(100 + 20*i)})
	}
	return f
}

// thirds is model serial with two thresholds that divide its scores of the tires into three equal
// parts.
func thirds(t *testing.T, serial uint64, tires film) *bundle.Bundle {
	t.Helper()
	b := newBench(t, tires, serial)
	b.o.Each = true
	if err := b.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var scores []float64
	for _, v := range b.verdicts {
		scores = append(scores, v.Probability)
	}
	slices.Sort(scores)
	between := func(i int) float64 { return (scores[i-1] + scores[i]) / 2 }
	return bundletest.Three(serial, between(len(scores)/3), between(2*len(scores)/3))
}

func installBundle(t *testing.T, s *models.Store, b *bundle.Bundle) {
	t.Helper()
	data, err := bundle.Encode(b, bundletest.Key(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Install(data); err != nil {
		t.Fatal(err)
	}
}

// A tire between the two thresholds has a verdict with its score and the reason unsure. The station
// rejects it or lets it pass, and keeps its crop either way.
func TestUnsure(t *testing.T) {
	for _, pass := range []bool{false, true} {
		tires := row(12)
		model := thirds(t, 2, tires)
		b := newBench(t, tires)
		installBundle(t, b.store, model)
		path := filepath.Join(t.TempDir(), "journal.db")
		j, err := journal.Open(path, "a/b/c")
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close()
		decided := map[uint64]bool{} // reject, as the ejector sees it
		seen := 0
		b.o.Each, b.o.PassUnsure, b.o.Journal, b.o.Keep = true, pass, j, &review.Policy{Station: "a/b/c"}
		b.o.Observer.Decided = func(v *verdict.Verdict, _ time.Time) { decided[v.Votes[0].Frame] = v.Reject }
		b.o.Observer.Stored = func(x Judgement) {
			if seen++; x.Model == nil || x.Pix == nil || x.Typical == nil {
				t.Errorf("%s %s: no model or no pixels for the page and the drift", x.Verdict.Label, x.Verdict.Reason)
			}
		}
		if err := b.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		all, err := j.Recent(99)
		if err != nil {
			t.Fatal(err)
		}
		count := map[verdict.Label]int{}
		for _, v := range all {
			count[v.Label]++
			want := v.Label == verdict.Crack || v.Label == verdict.NoDecision && !pass
			if v.Reject != want || decided[v.Votes[0].Frame] != want {
				t.Errorf("pass %v: %s is rejected: %v", pass, v.Label, v.Reject)
			}
			if v.IsUnsure() != (v.Label == verdict.NoDecision) || v.SoundBelow != model.Heads[0].SoundBelow ||
				v.Threshold != model.Threshold || v.Probability == 0 || v.ModelSerial != 2 || v.Reason != "" && v.Label != verdict.NoDecision {
				t.Errorf("%+v", v)
			}
			if kept := v.Crop != ""; kept != (v.Label != verdict.Normal) {
				t.Errorf("pass %v: the crop of a tire with the label %s is kept: %v", pass, v.Label, kept)
			}
		}
		if count[verdict.Normal] != 4 || count[verdict.NoDecision] != 4 || count[verdict.Crack] != 4 || seen != 12 {
			t.Errorf("%v, %d reported", count, seen)
		}
		queue, err := review.Open(journal.CropFolder(path), "a/b/c", "").Next(99)
		if err != nil {
			t.Fatal(err)
		}
		unsure := 0
		for i, p := range queue {
			if slices.Equal(p.Why, []review.Reason{review.InBand}) {
				if unsure++; i >= 4 {
					t.Errorf("an unsure tire is number %d of the queue, after surer ones", i+1)
				}
			}
		}
		if len(queue) != 8 || unsure != 4 {
			t.Errorf("%d crops in the queue, %d of unsure tires", len(queue), unsure)
		}
	}
}

// A decision that is too late rejects the tire, also if the network was unsure and unsure tires
// pass.
func TestLateIsNotUnsure(t *testing.T) {
	tires := row(6)
	b := newBench(t, tires)
	installBundle(t, b.store, bundletest.Three(1, 0.0001, 0.9999))
	b.o.Each, b.o.PassUnsure, b.o.Budget = true, true, time.Nanosecond
	if err := b.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, v := range b.verdicts {
		if v.IsUnsure() || !v.Reject {
			t.Errorf("%s, %q, reject %v", v.Label, v.Reason, v.Reject)
		}
	}
}

// On probation an unsure answer, of either model, is no disagreement. Those of the new model are
// counted.
func TestUnsureOnProbation(t *testing.T) {
	tires := row(12)
	sure := func(serial uint64) *bundle.Bundle {
		b := bundletest.Small(serial)
		b.Threshold = middle(t, bundletest.Small(serial), tires)
		return b
	}
	for name, c := range map[string]struct {
		old, new *bundle.Bundle
		unsure   int
	}{
		"the new model": {sure(1), thirds(t, 2, tires), 4},
		"the old model": {thirds(t, 1, tires), sure(2), 0},
	} {
		b := newBench(t, tires)
		b.o.Each = true
		installBundle(t, b.store, c.old)
		installBundle(t, b.store, c.new)
		if err := b.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		differ := 0
		for _, v := range b.verdicts {
			// model 1 has the same weights in both cases
			before, _ := c.old.Policy("").Decide([]verdict.Vote{{Logit: b.score(t, int(v.Votes[0].Frame)-1, v.Votes[0].Crop)}})
			if v.Label != before && v.Label != verdict.NoDecision && before != verdict.NoDecision {
				differ++
			}
		}
		want := models.Counts{Verdicts: 12, Unsure: c.unsure, Compared: 12, Disagreements: differ}
		if got := b.store.Snapshot().Trial; got.Counts != want {
			t.Errorf("%s is unsure: counted %+v, want %+v", name, got.Counts, want)
		}
	}
}
