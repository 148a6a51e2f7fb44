package inspection

import (
	"path/filepath"
	"slices"
	"testing"

	"tirewatch/agent/journal"
	"tirewatch/agent/models"
	"tirewatch/agent/review"
	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
	"tirewatch/vision/infer"
	"tirewatch/vision/verdict"
)

// order notes when verdicts are stored and when the shadow has judged.
type order struct {
	Models
	*bench
	steps []string
}

func (o *order) Judged(m *models.Loaded, a models.Answer) {
	o.steps = append(o.steps, "shadow")
	o.Models.Judged(m, a)
}

func (o *order) Append(v *verdict.Verdict) error {
	o.steps = append(o.steps, "verdict")
	return o.bench.Append(v)
}

// TestShadowJudgesTheSameTires puts model 2 on probation beside model 1 and computes by hand what
// model 1 says.
func TestShadowJudgesTheSameTires(t *testing.T) {
	for name, change := range map[string]func(*bundle.Bundle){
		"with the same preprocessing": func(*bundle.Bundle) {},
		"with another preprocessing":  enlarge,
	} {
		t.Run(name, func(t *testing.T) {
			var tires film
			for i := range 12 {
				tires = append(tires, []float64{float64(100 + 20*i)})
			}
			b := newBench(t, tires, 1)
			b.o.Each = true
			second := bundletest.Small(2)
			change(second)
			second.Threshold = middle(t, second, tires) // so that it says both
			data, err := bundle.Encode(second, bundletest.Key(1))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.store.Install(data); err != nil {
				t.Fatal(err)
			}
			if err := b.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			differ := 0
			for _, v := range b.verdicts {
				if v.ModelSerial != 2 {
					t.Fatalf("verdict by model %d", v.ModelSerial)
				}
				before, _ := verdict.Policy{Threshold: 0.5}.Decide([]verdict.Vote{{Logit: b.score(t, int(v.Votes[0].Frame)-1, v.Votes[0].Crop)}})
				if before != v.Label {
					differ++
				}
			}
			got := b.store.Snapshot().Trial
			if want := (models.Counts{Verdicts: 12, Compared: 12, Disagreements: differ}); got.Counts != want {
				t.Errorf("counted %+v; want %+v", got.Counts, want)
			}
			if differ == 0 || differ == 12 {
				t.Errorf("the models differ on %d of 12 tires: the test shows nothing", differ)
			}
		})
	}
}

// middle is the middle of the probabilities that a network gives to a film.
func middle(t *testing.T, model *bundle.Bundle, tires film) float64 {
	t.Helper()
	b := newBench(t, tires)
	b.o.Each = true
	data, err := bundle.Encode(model, bundletest.Key(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.store.Install(data); err != nil {
		t.Fatal(err)
	}
	if err := b.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	low, high := 1.0, 0.0
	for _, v := range b.verdicts {
		low, high = min(low, v.Probability), max(high, v.Probability)
	}
	return (low + high) / 2
}

// enlarge gives a bundle a network that reads more pixels than the others.
func enlarge(b *bundle.Bundle) {
	g := bundletest.Graph()
	g.Input.W, g.Input.H = 16, 14
	b.Model, b.Spec.Width, b.Spec.Height = bundletest.Model(g, 2), 16, 14
	r, err := infer.NewRunner(&b.Model)
	if err != nil {
		panic(err)
	}
	for i := range b.Golden {
		b.Golden[i].Pix = make([]byte, b.Spec.Size())
		if b.Golden[i].Sum, err = r.Run(b.Golden[i].Pix); err != nil {
			panic(err)
		}
	}
}

// The shadow model runs after the verdicts of all tires that leave in a frame.
func TestShadowDelaysNoVerdict(t *testing.T) {
	b := newBench(t, passing(60, steady(12), 100, -50), 1, 2)
	b.film = b.film[:15] // both tires are in the picture at the end
	o := &order{Models: b.store, bench: b}
	b.o.Models, b.o.Journal = o, o
	if err := b.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := []string{"verdict", "verdict", "shadow", "shadow"}; !slices.Equal(o.steps, want) {
		t.Errorf("order %v; want %v", o.steps, want)
	}
}

// told looks at the queue whenever a tire is counted.
type told struct {
	Models
	count func(differs bool)
}

func (o *told) Judged(m *models.Loaded, a models.Answer) {
	o.count(a.Differs)
	o.Models.Judged(m, a)
}

// The crop of a tire on which both models differ is on the disk before the difference is counted.
func TestDisagreementsAreKept(t *testing.T) {
	var tires film
	for i := range 12 {
		tires = append(tires, []float64{float64(100 + 20*i)})
	}
	b := newBench(t, tires, 1)
	b.o.Each = true
	second := bundletest.Small(2)
	second.Threshold = middle(t, second, tires)
	data, err := bundle.Encode(second, bundletest.Key(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.store.Install(data); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "journal.db")
	j, err := journal.Open(path, "a/b/c")
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	queue := review.Open(journal.CropFolder(path), "a/b/c", "")
	kept := func() (n int) {
		all, err := queue.Next(99)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range all {
			if slices.Contains(p.Why, review.Disagreement) {
				n++
			}
		}
		return n
	}
	differ := 0
	b.o.Journal, b.o.Keep = j, &review.Policy{Station: "a/b/c", Disagreements: true}
	b.o.Models = &told{b.store, func(differs bool) {
		if differs {
			differ++
		}
		if n := kept(); n != differ {
			t.Errorf("%d pictures when difference %d is counted", n, differ)
		}
	}}
	if err := b.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	j.Close()
	if j, err = journal.Open(path, "a/b/c"); err != nil {
		t.Fatal(err)
	}
	if n := kept(); n != differ || differ == 0 || differ == 12 {
		t.Errorf("%d pictures of %d differences on 12 tires", n, differ)
	}
	all, err := queue.Next(99)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := j.Recent(99)
	if err != nil {
		t.Fatal(err)
	}
	sound := 0
	for i, p := range all {
		v := rows[len(rows)-int(p.Seq)]
		if p.Station != v.Station || p.Seq != v.Seq || !p.Time.Equal(v.Time) || p.Verdict != v.Label || p.Probability != v.Probability || p.ModelSerial != 2 {
			t.Errorf("picture %+v of verdict %+v", p, v)
		}
		if rejected := slices.Contains(p.Why, review.Rejected); rejected != v.Label.Reject() || rejected != (v.Crop != "") {
			t.Errorf("verdict %s names %q and was kept for %v", v.Label, v.Crop, p.Why)
		}
		if i < differ != slices.Contains(p.Why, review.Disagreement) {
			t.Errorf("picture %d of the queue was kept for %v", i, p.Why)
		}
		if v.Label == verdict.Normal {
			sound++
		}
	}
	if sound == 0 {
		t.Error("no sound tire was kept: the test shows little")
	}
}
