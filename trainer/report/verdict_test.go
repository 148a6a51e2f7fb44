package report_test

import (
	"strings"
	"testing"

	"tirewatch/trainer/metrics"
	"tirewatch/trainer/report"
)

// outcomes makes scores that have this matrix at a threshold of 0.5.
func outcomes(m metrics.Matrix) (scores []float64, labels []bool) {
	for _, c := range []struct {
		n     int
		score float64
		crack bool
	}{{m.TP, 0.97, true}, {m.FN, 0.03, true}, {m.FP, 0.97, false}, {m.TN, 0.03, false}} {
		for range c.n {
			scores, labels = append(scores, c.score), append(labels, c.crack)
		}
	}
	return scores, labels
}

func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		name, part string
		matrix     metrics.Matrix
		sentence   string
		tone       string
		notes      []string // part of each
	}{
		{"good", report.Test, metrics.Matrix{TP: 137, FN: 3, FP: 2, TN: 138},
			"Finds 137 of 140 cracks and rejects 2 of 140 sound tires on 280 test images. On new tires like these, expect" +
				" 93.9 to 99.3 % of the cracks found and 0.4 to 5.1 % of the sound tires rejected.", "good", nil},
		{"right on too few", report.Validation, metrics.Matrix{TP: 10, TN: 10},
			"Finds 10 of 10 cracks and rejects 0 of 10 sound tires on 20 validation images. On new tires like these, expect" +
				" 72.2 to 100 % of the cracks found and 0 to 27.8 % of the sound tires rejected.", "fair",
			[]string{"10 cracked and 10 sound tires are few", "do best on these images"}},
		{"passes everything", report.Test, metrics.Matrix{FN: 200, TN: 200},
			"Finds 0 of 200 cracks and rejects 0 of 200 sound tires on 400 test images. On new tires like these, expect" +
				" 0 to 1.9 % of the cracks found and 0 to 1.9 % of the sound tires rejected.", "poor",
			[]string{"It calls no tire cracked", "hardly separate", "off by 47 %"}},
		{"on images that may be training images", report.Given, metrics.Matrix{TP: 200, TN: 200},
			"Finds 200 of 200 cracks and rejects 0 of 200 sound tires on 400 images. On new tires like these, expect" +
				" 98.1 to 100 % of the cracks found and 0 to 1.9 % of the sound tires rejected.", "good",
			[]string{"If the model was trained on any"}},
		{"no cracks to find", report.Test, metrics.Matrix{FP: 100, TN: 100},
			"Finds 0 of 0 cracks and rejects 100 of 200 sound tires on 200 test images. On new tires like these, expect" +
				" 0 to 100 % of the cracks found and 43.1 to 56.9 % of the sound tires rejected.", "fair",
			[]string{"only one class", "0 cracked", "off by"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			scores, labels := outcomes(c.matrix)
			m, err := metrics.New(scores, labels, 0.5)
			if err != nil {
				t.Fatal(err)
			}
			v := report.Judge(c.part, m, scores, labels)
			if v.Sentence != c.sentence || v.Tone != c.tone {
				t.Errorf("%s: %s\nwant %s: %s", v.Tone, v.Sentence, c.tone, c.sentence)
			}
			if len(v.Notes) != len(c.notes) {
				t.Fatalf("notes %q", v.Notes)
			}
			for i, n := range c.notes {
				if !strings.Contains(v.Notes[i], n) {
					t.Errorf("note %q, want %q", v.Notes[i], n)
				}
			}
		})
	}
}
