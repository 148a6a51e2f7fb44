package inspection

import (
	"bytes"
	"image"
	"image/png"
	"slices"
	"testing"
	"time"

	"tirewatch/agent/review"
	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
	"tirewatch/vision/cut"
	"tirewatch/vision/locate"
	"tirewatch/vision/verdict"
)

// judgedBy runs a film of tires through a model and returns the station.
func judgedBy(t *testing.T, m *bundle.Bundle, decided func(v *verdict.Verdict)) *bench {
	t.Helper()
	tires := row(12)
	b := newBench(t, tires)
	installBundle(t, b.store, m)
	b.o.Each, b.o.Keep = true, &review.Policy{Station: "a/b/c"}
	b.o.Observer.Decided = func(v *verdict.Verdict, _ time.Time) { decided(v) }
	if err := b.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

// The second opinion changes no label, no probability and no reject, and the reject output gets its
// decision before the second opinion exists. A tire that is unlike sound ones is kept.
func TestSecondOpinionChangesNoVerdict(t *testing.T) {
	model := bundletest.Second(2, 1)
	model.Threshold = 1 - 1e-9 // all tires are sound
	without := bundletest.Second(2, 1)
	without.Threshold, without.Anomaly = model.Threshold, nil

	plain := judgedBy(t, without, func(*verdict.Verdict) {})
	var scores []float64
	for _, v := range judgedBy(t, model, func(*verdict.Verdict) {}).verdicts {
		scores = append(scores, v.SecondOpinion.Score)
	}
	slices.Sort(scores)
	// half of the tires are unlike the others
	model.Anomaly.Limit = int32((scores[5] + scores[6]) / 2 * float64(model.Anomaly.Worst) * 64)
	early := 0
	b := judgedBy(t, model, func(v *verdict.Verdict) {
		if v.SecondOpinion != nil {
			early++
		}
	})
	if early > 0 {
		t.Errorf("%d verdicts waited for the second opinion before the reject output knew them", early)
	}
	if len(b.verdicts) != len(plain.verdicts) || len(b.verdicts) == 0 {
		t.Fatalf("%d verdicts, %d without a second opinion", len(b.verdicts), len(plain.verdicts))
	}
	unlike := 0
	for i, v := range b.verdicts {
		p := plain.verdicts[i]
		if v.Label != p.Label || v.Reject != p.Reject || v.Probability != p.Probability || v.Reason != p.Reason {
			t.Errorf("tire %d: %s %t %g, without a second opinion %s %t %g", i, v.Label, v.Reject, v.Probability,
				p.Label, p.Reject, p.Probability)
		}
		o := v.SecondOpinion
		if p.SecondOpinion != nil || o == nil || o.Unlike != (o.Score >= o.Limit) {
			t.Fatalf("tire %d: second opinion %+v, without %+v", i, o, p.SecondOpinion)
		}
		if kept := v.Crop != ""; kept != o.Unlike || o.Unlike != (o.Heat != nil) {
			t.Errorf("tire %d: kept %t, heat %v, unlike %t", i, kept, o.Heat, o.Unlike)
		}
		if o.Unlike {
			unlike++
			if o.Heat.W != 6 || o.Heat.H != 5 || len(o.Heat.Cells) != 30 || slices.Max(o.Heat.Cells) < 128 {
				t.Errorf("tire %d: heat %+v", i, o.Heat)
			}
		}
	}
	if unlike != 6 || len(b.pictures) != 6 {
		t.Errorf("%d of 12 tires are unlike the others, %d crops, want 6", unlike, len(b.pictures))
	}
}

// All tiles get a second opinion. The one that differs most is named and kept, although the network
// gave another the highest score.
func TestSecondOpinionNamesTheTile(t *testing.T) {
	active := bundletest.Second(3, 1)
	active.Threshold = 1 - 1e-9
	b := shadowed(t, bundletest.Second(2, 1), active, cut.Options{View: cut.Tiles, Margin: 0.02, Tile: 0.4, Overlap: 0.25},
		wheel(1, 120, true))
	if err := b.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	v := b.verdicts[0]
	o := v.SecondOpinion
	if o == nil || !o.Unlike || v.Label != verdict.Normal {
		t.Fatalf("%s, %+v", v.Label, o)
	}
	pieces, err := b.cutter.Cut(wheel(1, 120, true), locate.Tire{Centre: locate.Point{X: 320, Y: 240}, Radius: 200})
	if err != nil {
		t.Fatal(err)
	}
	want := make([]byte, active.Spec.Size())
	if err := active.Spec.Apply(want, pieces.Pieces[o.Tile].Frame, pieces.Pieces[o.Tile].Region); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(b.pictures[0]))
	if err != nil {
		t.Fatal(err)
	}
	if got := img.(*image.Gray).Pix; !bytes.Equal(got, want) {
		t.Errorf("the crop is not tile %d, which differs most; the network's worst is %d", o.Tile, v.Tiling.Worst)
	}
}

// The work that the second opinion adds to the forward pass and after it allocates little and has a
// limit: no more than maxCompared tiles.
func TestSecondOpinionIsBounded(t *testing.T) {
	b := newBench(t, nil)
	installBundle(t, b.store, bundletest.Second(2, 1))
	m, err := b.store.Active()
	if err != nil {
		t.Fatal(err)
	}
	var c second
	ran := c.keep(m)
	for i := range 2 * maxCompared {
		ran(i)
	}
	c.choose()
	if c.chosenN != maxCompared {
		t.Errorf("%d tiles, want %d", c.chosenN, maxCompared)
	}
	if n := testing.AllocsPerRun(5, func() { c.keep(m)(0); c.choose() }); n > 2 {
		t.Errorf("%g allocations a frame", n)
	}
}
