package metrics_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"tirewatch/trainer/metrics"
)

// line returns scores of 0.05, 0.10 and so on, one for each letter: C is a crack, s a sound tire.
func line(classes string) (scores []float64, labels []bool) {
	for i, c := range classes {
		scores, labels = append(scores, 0.05*float64(i+1)), append(labels, c == 'C')
	}
	return scores, labels
}

func TestChooseBand(t *testing.T) {
	escape := func(l float64) metrics.Budget { return metrics.Budget{Side: metrics.Escape, Limit: l} }
	reject := func(l float64) metrics.Budget { return metrics.Budget{Side: metrics.FalseReject, Limit: l} }
	unsure := func(l float64) metrics.Budget { return metrics.Budget{Side: metrics.UnsureShare, Limit: l} }
	for _, c := range []struct {
		name    string
		classes string
		budgets []metrics.Budget
		want    string // sound|unsure|crack, each by the letters of its images
	}{
		{"no mistake on either side", "ssssCsCsCCCC", []metrics.Budget{escape(0), reject(0)}, "ssss|CsCs|CCCC"},
		{"one crack may escape", "ssssCsCsCCCC", []metrics.Budget{escape(0.17), reject(0)}, "ssssCs|Cs|CCCC"},
		{"one sound tire may be rejected", "ssssCsCsCCCC", []metrics.Budget{escape(0), reject(0.17)}, "ssss|Cs|CsCCCC"},
		{"a crack escapes only where it saves a sound tire", "sssssCCsCCCC", []metrics.Budget{escape(0.17), reject(0)}, "sssss|CCs|CCCC"},
		{"one threshold keeps both", "ssssssCCCCCC", []metrics.Budget{escape(0), reject(0)}, "ssssss||CCCCCC"},
		{"one threshold with slack on both sides", "ssssCsCsCCCC", []metrics.Budget{escape(0.34), reject(0.34)}, "ssssCs||CsCCCC"},
		{"nothing unsure", "ssssCsCsCCCC", []metrics.Budget{unsure(0)}, "ssss||CsCsCCCC"},
		{"the best for two of twelve unsure", "ssssCsCsCCCC", []metrics.Budget{unsure(0.17)}, "ssss|Cs|CsCCCC"},
		{"no more unsure than it needs", "ssssCsCsCCCC", []metrics.Budget{unsure(0.9)}, "ssss|CsCs|CCCC"},
		{"unsure and no escape", "ssssCsCsCCCC", []metrics.Budget{unsure(0.17), escape(0)}, "ssss|Cs|CsCCCC"},
		{"unsure and no false reject", "ssssCsCsCCCC", []metrics.Budget{unsure(0.17), reject(0)}, "ssssCs|Cs|CCCC"},
	} {
		scores, labels := line(c.classes)
		got, err := metrics.ChooseBand(scores, labels, c.budgets)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		lo, hi := 0, 0
		for _, s := range scores {
			if s < got.SoundBelow {
				lo++
			}
			if s < got.Threshold {
				hi++
			}
		}
		if text := c.classes[:lo] + "|" + c.classes[lo:hi] + "|" + c.classes[hi:]; text != c.want {
			t.Errorf("%s: %s, want %s", c.name, text, c.want)
		}
		if got.Three() != (lo < hi) || got.Answers != got.Count(scores, labels) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

func TestChooseBandRefuses(t *testing.T) {
	escape, reject := metrics.Budget{Side: metrics.Escape}, metrics.Budget{Side: metrics.FalseReject}
	unsure := metrics.Budget{Side: metrics.UnsureShare}
	for _, c := range []struct {
		name    string
		classes string
		budgets []metrics.Budget
		want    string
	}{
		{"one side only", "ssCC", []metrics.Budget{escape}, "a budget on both sides"},
		{"a side twice", "ssCC", []metrics.Budget{escape, escape}, "each side once"},
		{"a limit of 1", "ssCC", []metrics.Budget{escape, {Side: metrics.FalseReject, Limit: 1}}, "less than 1"},
		{"an unknown side", "ssCC", []metrics.Budget{{Side: "money"}}, "money"},
		{"one class", "ssss", []metrics.Budget{escape, reject}, "show 0 cracks and 4 sound tires"},
		{"cracks score lowest", "CCss", []metrics.Budget{escape, reject}, "calling no tire sound"},
		{"the highest is sound", "sCCs", []metrics.Budget{escape, reject}, "calling no tire cracked"},
		{"more unsure than allowed", "sCsC", []metrics.Budget{unsure, escape, reject}, "leave at least 2 of 4 tires unsure"},
		{"turned", "CCss", []metrics.Budget{unsure}, "no pair of thresholds finds a crack and a sound tire"},
	} {
		scores, labels := line(c.classes)
		got, err := metrics.ChooseBand(scores, labels, c.budgets)
		_, budget := errors.AsType[*metrics.BudgetError](err)
		if got != nil || err == nil || !strings.Contains(err.Error(), c.want) || !budget && !errors.Is(err, metrics.ErrInput) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// Every pair of thresholds is tried on random scores with ties: none that keeps the budgets is
// better than the chosen one.
func TestChooseBandIsTheBest(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 300 {
		var scores []float64
		var labels []bool
		for range 4 + rng.IntN(20) {
			crack := rng.IntN(2) == 0
			s := 1 + rng.IntN(7)
			if crack {
				s += 3
			}
			scores, labels = append(scores, float64(s)/11), append(labels, crack)
		}
		limit := func() float64 { return float64(rng.IntN(5)) / 12 }
		e, f, u := limit(), limit(), limit()
		both := []metrics.Budget{{Side: metrics.Escape, Limit: e}, {Side: metrics.FalseReject, Limit: f}}
		cuts := []float64{}
		for k := range 12 {
			cuts = append(cuts, (float64(k)+0.5)/11)
		}
		cuts[11] = 0.999
		fewest, best := -1, -1.0
		for i, lo := range cuts {
			for _, hi := range cuts[i:] {
				a := metrics.Band{SoundBelow: lo, Threshold: hi}.Count(scores, labels)
				n := a.UnsureCrack + a.UnsureSound
				within := func(k, n int, l float64) bool { return float64(k) <= l*float64(n)+1e-9 }
				if within(a.FN, a.Cracks(), e) && within(a.FP, a.Sound(), f) && (fewest < 0 || n < fewest) {
					fewest = n
				}
				if d := a.Decided(); within(n, a.Total(), u) && a.TP > 0 && a.TN > 0 {
					best = max(best, float64(d.Count)/float64(d.Of))
				}
			}
		}
		if c, err := metrics.ChooseBand(scores, labels, both); err == nil {
			// a crack that saves no sound tire stays unsure, so there may be more than the fewest
			if n := c.Unsure.Count; n < fewest || c.Escape.Count > 0 && n > fewest+c.Answers.Cracks() {
				t.Fatalf("round %d: %d unsure, the fewest are %d", round, n, fewest)
			}
			if c.Three() == (fewest == 0) {
				t.Fatalf("round %d: three answers %v, the fewest unsure are %d", round, c.Three(), fewest)
			}
		}
		c, err := metrics.ChooseBand(scores, labels, []metrics.Budget{{Side: metrics.UnsureShare, Limit: u}})
		if (err == nil) != (best >= 0) || err == nil && float64(c.Decided.Count)/float64(c.Decided.Of) != best {
			t.Fatalf("round %d: %+v, %v; the best accuracy is %v", round, c, err, best)
		}
	}
}

// A report of three answers counts all images, and its JSON has no NaN where nothing is decided.
func TestBandedReport(t *testing.T) {
	scores, labels := line("ssssCsCsCCCC")
	r, err := metrics.NewBanded(scores, labels, metrics.Band{SoundBelow: 0.22, Threshold: 0.42})
	if err != nil {
		t.Fatal(err)
	}
	if r.Matrix != (metrics.Matrix{TP: 4, TN: 4}) || r.Unsure.Cracks != 2 || r.Unsure.Sound != 2 || r.Accuracy != 1 ||
		r.ROCAUC != metrics.ROCAUC(scores, labels) || r.Answers().Total() != 12 {
		t.Errorf("%+v", r)
	}
	for _, want := range []string{"called called called normal crack unsure is normal 4 0 2 is crack 0 4 2",
		"4 of 12 tires, 2 of them cracked", "thresholds 0.2200 and 0.4200"} {
		if !strings.Contains(strings.Join(strings.Fields(r.String()), " "), want) {
			t.Errorf("%q is not in\n%s", want, r)
		}
	}
	if r, _ = metrics.NewBanded(scores, labels, metrics.Band{SoundBelow: 0.01, Threshold: 0.99}); r.Weighted.F1 != 0 || r.Unsure.Rate.Count != 12 {
		t.Errorf("all unsure: %+v", r)
	}
	r, _ = metrics.NewBanded(scores, labels, metrics.Band{Threshold: 0.42})
	if two, _ := metrics.New(scores, labels, 0.42); r.String() != two.String() || r.Unsure != nil {
		t.Errorf("with one threshold:\n%s\nwant\n%s", r, two)
	}
}

// Two of thirteen tires are hard to tell. Without an answer for them all others are right.
func ExampleChooseBand() {
	scores, labels := line(strings.Repeat("s", 5) + "CsC" + strings.Repeat("C", 5))
	c, err := metrics.ChooseBand(scores, labels, []metrics.Budget{
		{Side: metrics.Escape, Limit: 0.01}, {Side: metrics.FalseReject, Limit: 0.02}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(c)
	// Output:
	// sound below 0.2750, crack from 0.3750, unsure between: for at most 1 % of cracks missed and at most 2 % of sound tires rejected on these images
	//   unsure                      2 of 13 (15.4 %; on new images 4.3 % to 42 %, 95 % confidence)
	//   right of the decided        11 of 11 (100 %; on new images 74 % to 100 %, 95 % confidence)
	//   cracks called sound         0 of 7 (0 %; on new images 0 % to 35 %, 95 % confidence)
	//   sound tires called cracked  0 of 6 (0 %; on new images 0 % to 39 %, 95 % confidence)
	//   price: of 1000 tires, about 154 are unsure (worst case 422)
	//   it buys: right answers rise from 92.3 % with the one threshold 0.3750 to 100.0 %
	//   rejecting unsure tires rejects 16.7 % of the sound tires; letting them pass misses 14.3 % of the cracks
	//   at most 1 % of cracks missed: not proven: 7 cracks cannot prove 1 %. This takes at least 381 without a mistake. On new tires the rate may be up to 35 %
	//   at most 2 % of sound tires rejected: not proven: 6 sound tires cannot prove 2 %. This takes at least 189 without a mistake. On new tires the rate may be up to 39 %
}
