package crossval_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"tirewatch/internal/hint"
	"tirewatch/trainer/crossval"
	"tirewatch/trainer/metrics"
)

// scored makes the results of three folds with 20 groups of two images each. The network separates
// the classes by gap, the baseline guesses.
func scored(gap float64) (results []*crossval.Result) {
	rng := rand.New(rand.NewPCG(7, 1))
	for k := range 3 {
		r := new(crossval.Result)
		for i := range 40 {
			crack := i/2%2 == 1
			v := rng.NormFloat64()
			if crack {
				v += gap
			}
			r.Scores = append(r.Scores, crossval.Score{
				File: fmt.Sprintf("%v/%d-%d.jpg", crack, k, i), Group: fmt.Sprintf("%d-%d", k, i/2), Fold: fmt.Sprint(k),
				Crack: crack, Score: 1 / (1 + math.Exp(-v))})
			r.Grey = append(r.Grey, rng.Float64())
		}
		results = append(results, r)
	}
	return results
}

// flat joins the scores of all folds.
func flat(results []*crossval.Result) (all []crossval.Score) {
	for _, r := range results {
		all = append(all, r.Scores...)
	}
	return all
}

func TestFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs", "folds")
	setup := []crossval.Setting{{"--folds", "3"}, {"--epochs", "60"}, {"data set", "aa"}}
	f, err := crossval.Open(dir, setup)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := f.Result("1"); r != nil || err != nil {
		t.Errorf("before the first fold: %v, %v", r, err)
	}
	want := scored(1)[0]
	const odd = "left/right 2"
	if err := f.Save(odd, want); err != nil {
		t.Fatal(err)
	}
	if _, err := crossval.Open(dir, setup); !errors.Is(err, crossval.ErrBusy) {
		t.Errorf("opened twice: %v", err)
	}
	f.Close()
	again, err := crossval.Open(dir, setup)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Result(odd); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, %v", got, err)
	}
	if filepath.Dir(f.Run(odd)) != dir {
		t.Errorf("run folder %s", f.Run(odd))
	}
	again.Close()

	_, err = crossval.Open(dir, []crossval.Setting{{"--folds", "3"}, {"--epochs", "2"}, {"--group", "x"}})
	var changed *crossval.SetupError
	if !errors.As(err, &changed) || hint.Of(err) == "" ||
		!strings.HasSuffix(err.Error(), "holds another cross-validation: --epochs is 2, was 60; --group is x, was none; data set is none, was aa") {
		t.Errorf("error %v", err)
	}
	if err := os.WriteFile(f.Run("2")+".json", []byte(`{"scores": [`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Result("2"); err == nil || !strings.Contains(err.Error(), "delete it") {
		t.Errorf("a damaged result: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "setup.json"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := crossval.Open(dir, setup); err == nil {
		t.Error("damaged settings are accepted")
	}
}

func TestScoresFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scores.csv")
	want := flat(scored(1))
	want[0].Group = `tire "7", left`
	if err := crossval.WriteScores(path, want); err != nil {
		t.Fatal(err)
	}
	if got, err := crossval.ReadScores(path); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, read %+v", err, got)
	}
	for _, c := range []struct{ name, content, says string }{
		{"empty", "", "EOF"},
		{"no group", "file,fold,label,score\n", "no column group"},
		{"no images", "file,group,fold,label,score\n", "no images"},
		{"an unknown label", "file,group,fold,label,score\na,a,1,bad,0.5\n", `line 2 has the label "bad"`},
		{"a logit", "score,file,group,fold,label\n0.5,a,a,1,crack\n1.5,a,a,1,crack\n", `line 3 has the label "crack" and the score "1.5"`},
		{"a torn line", "file,group,fold,label,score\na,a\n", "wrong number of fields"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.WriteFile(path, []byte(c.content), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := crossval.ReadScores(path); !errors.Is(err, crossval.ErrNotScores) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want %q", err, c.says)
			}
		})
	}
}

func TestPair(t *testing.T) {
	old := flat(scored(1))
	turned := make([]crossval.Score, len(old))
	for i, s := range old {
		s.Score, s.Fold = s.Score/2, "other"
		turned[len(old)-1-i] = s
	}
	paired, err := crossval.Pair(old, turned)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range paired {
		if s.File != old[i].File || s.Score != old[i].Score/2 {
			t.Fatalf("image %d: %+v for %+v", i, s, old[i])
		}
	}
	turned[3].Crack = !turned[3].Crack
	turned[5].File = "new.jpg"
	_, err = crossval.Pair(old, append(turned, crossval.Score{File: "newer.jpg"}))
	var pair *crossval.PairError
	if !errors.As(err, &pair) || pair.OnlyOld != 1 || pair.OnlyNew != 2 || pair.Differ != 1 || hint.Of(err) == "" {
		t.Errorf("error %v", err)
	}
}

// The scores of the last fold are all shifted. No fold has a say in its own threshold, so all of it
// is called cracked.
func TestJudge(t *testing.T) {
	var scores []crossval.Score
	for k := range 4 {
		for i := range 10 {
			s := crossval.Score{Fold: fmt.Sprint(k), Crack: i >= 5, Score: .3}
			if s.Crack {
				s.Score = .5
			}
			if k == 3 {
				s.Score += .3 // .6 and .8
			}
			scores = append(scores, s)
		}
	}
	said, threshold := crossval.Judge(scores)
	for i, s := range scores {
		if want := s.Fold == "3" || s.Score >= .4; said[i] != want {
			t.Errorf("fold %s, score %v: called cracked %v", s.Fold, s.Score, said[i])
		}
	}
	if threshold != .4 {
		t.Errorf("threshold %v, want 0.4", threshold)
	}
}

// The figures over all folds are those of the scores. A network that separates the classes is above
// the baseline, which guesses.
func TestSummarize(t *testing.T) {
	results := scored(2)
	s, err := crossval.Summarize(results)
	if err != nil {
		t.Fatal(err)
	}
	values, labels, _ := crossval.Split(flat(results))
	if s.Images != 120 || s.Cracks != 60 || s.Groups != 60 || len(s.Folds) != 3 || s.Folds[1].Name != "1" || s.Folds[1].Cracks != 20 {
		t.Errorf("%+v", s)
	}
	mean := (s.Folds[0].Network.AUC + s.Folds[1].Network.AUC + s.Folds[2].Network.AUC) / 3
	if s.AUC.Pooled != metrics.ROCAUC(values, labels) || math.Abs(s.AUC.Mean-mean) > 1e-12 || s.AUC.Spread <= 0 {
		t.Errorf("AUC %+v, mean %v", s.AUC, mean)
	}
	if s.Accuracy.Pooled != s.Report.Accuracy || s.Recall1.Pooled != metrics.RecallAt(values, labels, .01) {
		t.Errorf("accuracy %+v, recall %+v", s.Accuracy, s.Recall1)
	}
	for name, f := range map[string]crossval.Figure{"accuracy": s.Accuracy, "AUC": s.AUC, "recall 1 %": s.Recall1, "recall 5 %": s.Recall5} {
		if f.Low >= f.Pooled || f.High <= f.Pooled || f.Grey > f.Pooled {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if s.AUC.Grey < .35 || s.AUC.Grey > .65 {
		t.Errorf("guessing has an AUC of %.3f", s.AUC.Grey)
	}
	for _, want := range []string{"recall at 5 % false rejects", "grey statistics", "of 60 cracks missed", "bootstrap over 60 groups"} {
		if !strings.Contains(s.String(), want) {
			t.Errorf("%q is not in\n%s", want, s)
		}
	}
	if _, err := crossval.Summarize(nil); !errors.Is(err, metrics.ErrInput) {
		t.Errorf("no folds: %v", err)
	}
}

func ExampleSummarize() {
	fold := func(name string, crack, normal float64) *crossval.Result {
		return &crossval.Result{Grey: []float64{.5, .5}, Scores: []crossval.Score{
			{File: "crack/" + name, Group: "tire 1" + name, Fold: name, Crack: true, Score: crack},
			{File: "normal/" + name, Group: "tire 2" + name, Fold: name, Score: normal},
		}}
	}
	s, err := crossval.Summarize([]*crossval.Result{fold("a", .9, .2), fold("b", .8, .3), fold("c", .4, .1)})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("ROC AUC %.2f, accuracy %.2f, grey statistics %.2f\n", s.AUC.Pooled, s.Accuracy.Pooled, s.Accuracy.Grey)
	// Output: ROC AUC 1.00, accuracy 0.83, grey statistics 0.50
}

// The scores of the last fold are all shifted, so thresholds of the other folds leave more of it
// unsure, or wrong, than thresholds that were chosen with it.
func TestChooseBand(t *testing.T) {
	var scores []crossval.Score
	for k := range 4 {
		for i := range 12 {
			s := crossval.Score{Fold: fmt.Sprint(k), Crack: i >= 6, Score: .2 + .05*float64(i)}
			if i == 5 || i == 6 { // hard to tell
				s.Crack = !s.Crack
			}
			if k == 3 {
				s.Score += .1
			}
			scores = append(scores, s)
		}
	}
	budgets := []metrics.Budget{{Side: metrics.Escape}, {Side: metrics.FalseReject}}
	r, err := crossval.ChooseBand(scores, budgets)
	if err != nil {
		t.Fatal(err)
	}
	if r.Escape.Count != 0 || r.FalseReject.Count != 0 || !r.Three() {
		t.Errorf("chosen on all: %+v", r.BandChoice)
	}
	var sum metrics.Answers
	for _, s := range scores {
		sum = sum.Plus(r.Judge(s.Fold).Count([]float64{s.Score}, []bool{s.Crack}))
	}
	if sum != r.OutOfFold || sum.Total() != 48 || sum.FP == 0 || r.Judge("3") == r.Judge("0") {
		t.Errorf("out of fold %+v, fold 3 is judged with %+v", r.OutOfFold, r.Judge("3"))
	}
	for _, want := range []string{"with each fold judged by the thresholds of the others", "it buys"} {
		if !strings.Contains(r.String(), want) {
			t.Errorf("%q is not in\n%s", want, r)
		}
	}
	budgets = append(budgets, metrics.Budget{Side: metrics.UnsureShare})
	if _, err := crossval.ChooseBand(scores, budgets); err == nil {
		t.Error("no tire may be unsure, and none may be wrong: no error")
	}
}
