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

// onlooker counts every verdict and compares it with what its model learned from. It belongs to the
// station loop's goroutine.
type onlooker struct {
	metrics *metrics.Metrics
	page    *web.Page // may be nil
	problem func(part, text string)
	drifted func(m *models.Loaded, reason string) // told when an alarm is raised
	log     *slog.Logger

	model  *models.Loaded // that watch belongs to
	watch  *drift.Watch
	alarms map[string]string // by statistic: what is wrong
}

// judged is a Station's Options.Judged.
func (o *onlooker) judged(j inspection.Judgement) {
	o.metrics.Verdict(j.Verdict)
	if j.Typical == nil { // no decision says nothing about the pictures
		o.page.Judged(j.Verdict, nil, 0)
		return
	}
	o.page.Judged(j.Verdict, j.Pix, j.Model.Bundle.Spec.Width)
	if o.model == nil || j.Model.Bundle != o.model.Bundle { // another model, another reference
		o.metrics.NoDrift()
		o.model, o.watch, o.alarms = j.Model, drift.New(j.Model.Bundle.Reference, drift.Defaults), map[string]string{}
		o.problem(driftPart, "")
	}
	seen := drift.Observation{Logit: j.Logit}
	seen.Label, _ = verdict.Policy{Threshold: j.Verdict.Threshold}.Label(verdict.Probability(j.Logit))
	seen.Brightness, seen.Sharpness = preprocess.Measure(j.Typical, j.Model.Bundle.Spec.Width)
	for _, f := range o.watch.Observe(seen) {
		o.metrics.Drift(f.Statistic, f.Deviations, f.Alarm)
		if f.Changed {
			o.changed(f)
		}
	}
}

// driftPart names drift among the station's problems.
const driftPart = "drift"

// changed tells everybody that an alarm was raised or is over.
func (o *onlooker) changed(f drift.Finding) {
	if f.Alarm {
		o.alarms[f.Statistic] = f.String()
		o.log.Error("DRIFT: the pictures are not those that the model learned from", "statistic", f.Statistic, "mean", f.Mean,
			"reference", f.Reference.Mean, "deviations", f.Deviations, "model", o.model.Bundle.Serial)
	} else {
		delete(o.alarms, f.Statistic)
		o.log.Info("the drift is over", "statistic", f.Statistic, "mean", f.Mean)
	}
	var all []string
	for _, statistic := range []string{drift.Brightness, drift.Sharpness, drift.NormalScore, drift.CrackScore} {
		if text := o.alarms[statistic]; text != "" {
			all = append(all, text)
		}
	}
	o.problem(driftPart, strings.Join(all, "; "))
	if f.Alarm && o.drifted != nil {
		o.drifted(o.model, f.String())
	}
}
