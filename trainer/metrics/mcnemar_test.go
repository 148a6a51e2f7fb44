package metrics_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"tirewatch/trainer/metrics"
)

func TestMcNemar(t *testing.T) {
	for _, c := range []struct {
		name  string
		b, c  int
		p     float64
		exact bool
	}{
		{"no difference", 0, 0, 1, true},
		{"one image proves nothing", 0, 1, 1, true},
		{"five to none is not enough", 0, 5, 2. / 32, true},
		{"six to none is", 6, 0, 2. / 64, true},
		{"one to nine: 2 (1 + 10) / 1024", 1, 9, 22. / 1024, true},
		{"five to fifteen: 2 (1+20+190+1140+4845+15504) / 2^20", 15, 5, 43400. / 1048576, true},
		{"equal, exactly", 7, 7, 1, true},
		{"ten to twenty: chi-squared (10-1)²/30 = 2.7", 10, 20, 0.10034824646, false},
		{"121 to 59: chi-squared 61²/180 = 20.672", 121, 59, 5.4501e-6, false},
		{"equal, by chi-squared", 20, 20, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, exact := metrics.McNemar(c.b, c.c)
			if math.Abs(p-c.p) > 1e-5*c.p || exact != c.exact {
				t.Errorf("p = %.10g, exact %v, want %.10g, %v", p, exact, c.p, c.exact)
			}
		})
	}
}

// The exact and the approximate test agree where they meet, so one more image does not change the
// result.
func TestMcNemarMeets(t *testing.T) {
	exact, isExact := metrics.McNemar(7, 17)
	approx, isApprox := metrics.McNemar(7, 18)
	if !isExact || isApprox || math.Abs(exact-0.06391) > 1e-4 || math.Abs(approx-0.04550) > 1e-4 {
		t.Errorf("7:17 gives %g, 7:18 gives %g", exact, approx)
	}
}

func TestCompare(t *testing.T) {
	repeat := func(n int, old, new, label bool) (o, w, l []bool) {
		for range n {
			o, w, l = append(o, old), append(w, new), append(l, label)
		}
		return
	}
	var old, new, labels []bool
	add := func(n int, o, w, l bool) {
		a, b, c := repeat(n, o, w, l)
		old, new, labels = append(old, a...), append(new, b...), append(labels, c...)
	}
	add(10, T, T, T) // found by both
	add(7, F, T, T)  // found by the new one
	add(2, T, F, F)  // only the old one rejects these sound tires
	add(1, F, T, F)  // only the new one rejects this
	add(3, F, F, T)  // missed by both
	c, err := metrics.Compare(old, new, labels)
	if err != nil {
		t.Fatal(err)
	}
	if want := (metrics.Pairs{BothRight: 10, OnlyOld: 1, OnlyNew: 9, BothWrong: 3}); c.All != want || c.All.Total() != 23 {
		t.Errorf("%+v, want %+v", c.All, want)
	}
	if c.Crack != (metrics.Pairs{BothRight: 10, OnlyNew: 7, BothWrong: 3}) || c.Normal != (metrics.Pairs{OnlyOld: 1, OnlyNew: 2}) {
		t.Errorf("cracks %+v, sound %+v", c.Crack, c.Normal)
	}
	if c.Outcome != metrics.Better || c.Sentence() != "The new model is better than the old one: only the new model is right on 9 images, only the old one on 1 image (McNemar p = 0.021)." {
		t.Errorf("%s: %s", c.Outcome, c.Sentence())
	}
	back, err := metrics.Compare(new, old, labels)
	if err != nil || back.Outcome != metrics.Worse || back.P != c.P {
		t.Errorf("the other way round: %+v, %v", back, err)
	}
	// Worse overall, and it misses cracks.
	if s := back.Sentence(); !strings.Contains(s, "worse than") || !strings.HasSuffix(s, "; it does not find 7 cracks that the old one found.") {
		t.Error(s)
	}
	same, err := metrics.Compare(old, old, labels)
	if err != nil || same.Outcome != metrics.NotDistinguishable || !strings.Contains(same.Sentence(), "on all 23 images, both are right or neither is") {
		t.Errorf("with itself: %+v, %v", same, err)
	}
	three, err := metrics.CompareRight([]bool{true, false, true}, []bool{true, false, false}, []bool{true, true, false})
	if err != nil || three.All != (metrics.Pairs{BothRight: 1, OnlyOld: 1, BothWrong: 1}) || three.Normal.OnlyOld != 1 {
		t.Errorf("an unsure answer for a sound tire: %+v, %v", three, err)
	}
	if _, err := metrics.Compare(old, new[1:], labels); !errors.Is(err, metrics.ErrInput) {
		t.Errorf("lengths differ: %v", err)
	}
	if _, err := metrics.Compare(nil, nil, nil); !errors.Is(err, metrics.ErrInput) {
		t.Errorf("no images: %v", err)
	}
}
