package agent

import (
	"path/filepath"
	"testing"
	"time"

	"tirewatch/agent/config"
	"tirewatch/agent/journal"
	"tirewatch/agent/review"
	"tirewatch/vision/verdict"
)

// The page reads from the review queue beside the journal and writes its answers there.
func TestPageReviewsKeptCrops(t *testing.T) {
	cfg := &config.Config{Station: config.Station{Site: "a", Line: "b", Name: "c"}, Journal: config.Journal{Crops: config.CropsReview}}
	j, err := journal.Open(filepath.Join(t.TempDir(), "journal.db"), cfg.Station.ID())
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	at := time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
	for _, p := range []float64{0.99, 0.45, 0.6, 0.2} { // verdicts 1 to 4
		v := &verdict.Verdict{Schema: verdict.SchemaVersion, Time: at, Label: verdict.Crack, Probability: p, Threshold: 0.5}
		png, err := review.Encode(make([]byte, 4), 2, review.Of(v, cfg.Station.ID(), j.Next(), []review.Reason{review.Uncertain}))
		if err != nil {
			t.Fatal(err)
		}
		if v.Crop, err = j.SaveCrop(png); err != nil {
			t.Fatal(err)
		}
		if err := j.Append(v); err != nil {
			t.Fatal(err)
		}
	}
	r := newReviewQueue(j, cfg)
	if all, err := r.Waiting(); err != nil || all != 4 {
		t.Fatalf("%d wait, %v", all, err)
	}
	waiting, err := r.Next(3)
	if err != nil || len(waiting) != 3 || waiting[0].Seq != 2 || waiting[1].Seq != 3 ||
		waiting[0].Probability != 0.45 || !waiting[0].Time.Equal(at) {
		t.Fatalf("%+v, %v", waiting, err)
	}
	for seq, label := range map[uint64]verdict.Label{2: verdict.Normal, 3: verdict.Crack, 4: ""} {
		if err := r.Label(seq, label); err != nil {
			t.Fatal(err)
		}
	}
	counts, err := review.Open(journal.CropFolder(j.Path()), cfg.Station.ID(), "").Count()
	if want := (review.Counts{Waiting: 1, Crack: 1, Normal: 1, Unsure: 1}); err != nil || counts != want {
		t.Errorf("%+v, %v; want %+v", counts, err, want)
	}
	cfg.Locate.View = "sidewall" // from now on crops of whole tires are not asked about
	r = newReviewQueue(j, cfg)
	if all, err := r.Waiting(); err != nil || all != 0 {
		t.Errorf("%d wait, %v", all, err)
	}
	if waiting, err := r.Next(3); err != nil || len(waiting) != 0 {
		t.Errorf("%+v, %v", waiting, err)
	}
	cfg.Journal.Crops = config.CropsOff
	if newReviewQueue(j, cfg) != nil {
		t.Error("a queue without crops")
	}
}
