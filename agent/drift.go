package agent

import (
	"log/slog"
	"strings"

	"tirewatch/agent/drift"
	"tirewatch/agent/inspection"
	"tirewatch/agent/metrics"
	"tirewatch/agent/models"
	"tirewatch/agent/web"
	"tirewatch/vision/preprocess"
	"tirewatch/vision/verdict"
)

// driftMonitor counts every verdict and compares its image with those that the model learned from.
// It belongs to the goroutine of the loop.
type driftMonitor struct {
	metrics *metrics.Metrics
	page    *web.Page // may be nil
	problem func(part, text string)
	drifted func(m *models.Loaded, reason string) // called when an alert begins; may be nil
	log     *slog.Logger

	model  *models.Loaded // of watch
	watch  *drift.Watch
	alerts map[string]string // by statistic: what is wrong
}

// judged is called with each stored verdict.
func (m *driftMonitor) judged(j inspection.Judgement) {
	m.metrics.Verdict(j.Verdict)
	if j.Typical == nil { // a tire that could not be judged says nothing about the images
		m.page.Judged(j.Verdict, nil, 0)
		return
	}
	m.page.Judged(j.Verdict, j.Pix, j.Model.Bundle.Spec.Width)
	if m.model == nil || j.Model.Bundle != m.model.Bundle { // another model, another reference
		m.metrics.NoDrift()
		m.model, m.watch, m.alerts = j.Model, drift.New(j.Model.Bundle.Reference, drift.Defaults), map[string]string{}
		m.problem(driftPart, "")
	}
	seen := drift.Observation{Logit: j.Logit}
	seen.Label, _ = verdict.Policy{Threshold: j.Verdict.Threshold, SoundBelow: j.Verdict.SoundBelow}.Label(verdict.Probability(j.Logit))
	seen.Brightness, seen.Sharpness = preprocess.Measure(j.Typical, j.Model.Bundle.Spec.Width)
	for _, f := range m.watch.Observe(seen) {
		m.metrics.Drift(f.Statistic, f.Deviations, f.Alarm)
		if f.Changed {
			m.changed(f)
		}
	}
}

// driftPart names drift among the station's problems.
const driftPart = "drift"

// changed reports that an alert began or is over.
func (m *driftMonitor) changed(f drift.Finding) {
	if f.Alarm {
		m.alerts[f.Statistic] = f.String()
		m.log.Error("drift: images differ from those that the model learned from", "statistic", f.Statistic, "mean", f.Mean,
			"reference", f.Reference.Mean, "deviations", f.Deviations, "model", m.model.Bundle.Serial)
	} else {
		delete(m.alerts, f.Statistic)
		m.log.Info("drift: over", "statistic", f.Statistic, "mean", f.Mean)
	}
	var all []string
	for _, statistic := range []string{drift.Brightness, drift.Sharpness, drift.NormalScore, drift.CrackScore} {
		if text := m.alerts[statistic]; text != "" {
			all = append(all, text)
		}
	}
	m.problem(driftPart, strings.Join(all, "; "))
	if f.Alarm && m.drifted != nil {
		m.drifted(m.model, f.String())
	}
}
