package drift

import (
	"math/rand/v2"
	"strings"
	"testing"

	"tirewatch/vision/bundle"
	"tirewatch/vision/verdict"
)

var reference = &bundle.Reference{
	Brightness:  bundle.Statistic{N: 500, Mean: 110, SD: 12},
	Sharpness:   bundle.Statistic{N: 500, Mean: 9, SD: 2},
	NormalLogit: bundle.Statistic{N: 400, Mean: -6, SD: 1.5},
	CrackLogit:  bundle.Statistic{N: 1, Mean: 5}, // one value has no deviation: not watched
}

// line returns a verdict like those of the reference, one in thirty a crack, darker by dim grey
// levels.
func line(rng *rand.Rand, dim float64) Observation {
	o := Observation{Brightness: 110 + 12*rng.NormFloat64() - dim, Sharpness: 9 + 2*rng.NormFloat64(),
		Logit: -6 + 1.5*rng.NormFloat64(), Label: verdict.Normal}
	if rng.IntN(30) == 0 {
		o.Label, o.Logit = verdict.Crack, 50
	}
	return o
}

// changes returns the verdicts at which alarms were raised and ended.
func changes(w *Watch, from, to int, next func(i int) Observation) (raised, ended []int, text string) {
	for i := from; i < to; i++ {
		for _, f := range w.Observe(next(i)) {
			switch {
			case f.Changed && f.Alarm:
				raised, text = append(raised, i), f.String()
			case f.Changed:
				ended = append(ended, i)
			}
		}
	}
	return raised, ended, text
}

// A day of ordinary tires raises no alarm. A dead lamp raises one alarm within a window, which ends
// after the repair.
func TestDeadLamp(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	w := New(reference, Defaults)
	if raised, _, text := changes(w, 0, 20_000, func(int) Observation { return line(rng, 0) }); len(raised) > 0 {
		t.Fatalf("an alarm at %v without drift: %s", raised, text)
	}
	raised, ended, text := changes(w, 0, 1000, func(i int) Observation {
		if i < 500 {
			return line(rng, 40)
		}
		return line(rng, 0)
	})
	if len(raised) != 1 || raised[0] > Defaults.Window || len(ended) != 1 || ended[0] < 500 || ended[0] > 500+Defaults.Window {
		t.Errorf("raised at %v, ended at %v", raised, ended)
	}
	if !strings.Contains(text, "brightness") || !strings.Contains(text, "check lamps") {
		t.Errorf("the alarm text is %q", text)
	}
}

// A few odd tires at the start are not judged, and single odd tires later raise no alarm.
func TestOneOddTireIsNoDrift(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	w := New(reference, Defaults)
	raised, _, text := changes(w, 0, 5000, func(i int) Observation {
		if i < 10 || i%100 == 0 {
			return Observation{Brightness: 255, Sharpness: 60, Logit: 4, Label: verdict.Normal}
		}
		return line(rng, 0)
	})
	if len(raised) > 0 {
		t.Errorf("alarm at %v: %s", raised, text)
	}
}

func TestOldBundleHasNoReference(t *testing.T) {
	w := New(nil, Defaults)
	for range 500 {
		if f := w.Observe(Observation{}); len(f) > 0 {
			t.Fatalf("found %v", f)
		}
	}
}
