package agent

import (
	"bytes"
	"log/slog"
	"math"
	"strings"
	"testing"

	"tirewatch/agent/inspection"
	"tirewatch/agent/metrics"
	"tirewatch/agent/models"
	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
	"tirewatch/vision/preprocess"
	"tirewatch/vision/verdict"
)

// Dark images raise one alarm. It says what to check, and it is passed on to the model store.
// Another model starts without an alarm.
func TestDriftIsReported(t *testing.T) {
	b := bundletest.Small(7)
	b.Reference = &bundle.Reference{Brightness: bundle.Statistic{N: 100, Mean: 120, SD: 10}}
	model := &models.Loaded{Bundle: b}
	var log bytes.Buffer
	var problems []string
	drifted := 0
	o := &driftMonitor{
		metrics: metrics.New("test", metrics.Sources{}), // nobody reads it
		problem: func(part, text string) { problems = append(problems, part+": "+text) },
		drifted: func(m *models.Loaded, reason string) {
			drifted++
			if m != model || !strings.Contains(reason, "darker than in training") {
				t.Errorf("called with %v: %s", m.Bundle.Serial, reason)
			}
		},
		log: slog.New(slog.NewTextHandler(&log, nil)),
	}
	dark := bytes.Repeat([]byte{60}, b.Spec.Size())
	if light, _ := preprocess.Measure(dark, b.Spec.Width); math.Abs(light-60) > 1e-9 {
		t.Fatalf("brightness %g", light)
	}
	for range 120 {
		v := &verdict.Verdict{Label: verdict.Normal, Threshold: 0.5}
		o.judged(inspection.Judgement{Verdict: v, Model: model, Typical: dark, Logit: -3})
	}
	if drifted != 1 || strings.Count(log.String(), "drift: images differ") != 1 {
		t.Errorf("%d alarms: %s", drifted, &log)
	}
	if last := problems[len(problems)-1]; !strings.Contains(last, "darker than in training: check lamps") {
		t.Errorf("problem %q", last)
	}
	o.judged(inspection.Judgement{
		Verdict: &verdict.Verdict{Label: verdict.Normal}, Model: &models.Loaded{Bundle: bundletest.Small(8)}, Typical: dark,
	})
	if last := problems[len(problems)-1]; last != "drift: " {
		t.Errorf("with another model the problem is %q", last)
	}
}
