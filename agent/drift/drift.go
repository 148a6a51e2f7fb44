// Package drift detects crops that differ from the training images of the model: a dirty lens, a
// dead lamp, a moved camera, another kind of tire.
//
//	verdict, crop -> DRIFT -> alarm (status, metrics, log)
//
// It compares rolling means of the latest verdicts with the reference in the model's bundle. One
// odd tire is not drift. A mean of hundreds that is as far away as hardly any single image of the
// reference is drift. Start with [New] and [Watch.Observe].
package drift

import (
	"fmt"
	"math"

	"tirewatch/vision/bundle"
	"tirewatch/vision/verdict"
)

// Options define what counts as drift.
type Options struct {
	Window int // verdicts in a rolling mean
	Least  int // values of a statistic before it is judged
	// distance of the mean that raises the alarm, in standard deviations of a single image of the
	// reference
	Limit float64
}

// Defaults suit a line with some hundred verdicts an hour.
var Defaults = Options{Window: 200, Least: 50, Limit: 2}

// clip is the largest deviation of a single value, in standard deviations: a winsorized mean, which
// a few odd images cannot move far.
const clip = 4

// hysteresis is the share of the limit below which an alarm ends, so that a mean near the limit
// does not raise and end alarms all day.
const hysteresis = 0.8

// Names of the statistics.
const (
	Brightness  = "brightness"
	Sharpness   = "sharpness"
	NormalScore = "normal score" // logits of tires without a crack verdict
	CrackScore  = "crack score"  // logits of tires with a crack verdict
)

// Observation holds the values of one verdict.
type Observation struct {
	Brightness, Sharpness float64 // of the deciding crop, from preprocess.Measure
	Logit                 float64 // mean of the votes
	Label                 verdict.Label
}

// Finding is the state of one statistic.
type Finding struct {
	Statistic  string
	Mean       float64 // of the latest values, each clipped to clip standard deviations
	Reference  bundle.Statistic
	Deviations float64 // of Mean from the reference, in its standard deviations, signed
	Alarm      bool
	Changed    bool // the latest verdict raised or ended the alarm
}

// Causes of a mean above and below the reference, for a technician.
var (
	causesAbove = map[string]string{
		Brightness:  "brighter than in training: check lamps, exposure and sunlight",
		Sharpness:   "sharper than in training: check focus and the camera's sharpening",
		NormalScore: "normal tires look less normal than in training",
		CrackScore:  "cracks are more certain than in training",
	}
	causesBelow = map[string]string{
		Brightness:  "darker than in training: check lamps, exposure and the lens",
		Sharpness:   "blurrier than in training: check focus, dirt on the lens and exposure time",
		NormalScore: "normal tires look more normal than in training",
		CrackScore:  "cracks are less certain than in training",
	}
)

// String describes the finding for a technician.
func (f Finding) String() string {
	direction, cause := "above", causesAbove[f.Statistic]
	if f.Deviations < 0 {
		direction, cause = "below", causesBelow[f.Statistic]
	}
	return fmt.Sprintf("%s is %.3g on average, %.1f standard deviations %s the reference of %.3g: %s",
		f.Statistic, f.Mean, math.Abs(f.Deviations), direction, f.Reference.Mean, cause)
}

// Watch follows the verdicts of one model. It is owned by one goroutine.
type Watch struct {
	o      Options
	series []*series
}

// series holds the latest values of one statistic.
type series struct {
	finding Finding
	values  []float64 // a ring buffer once it is full
	next    int
}

// New returns a watch with the reference of a bundle. It ignores statistics that the reference
// lacks, and everything without a reference.
func New(ref *bundle.Reference, o Options) *Watch {
	w := &Watch{o: o}
	if ref == nil {
		return w
	}
	for _, s := range []struct {
		name string
		ref  bundle.Statistic
	}{
		{Brightness, ref.Brightness}, {Sharpness, ref.Sharpness},
		{NormalScore, ref.NormalLogit}, {CrackScore, ref.CrackLogit},
	} {
		if s.ref.N > 1 && s.ref.SD > 0 {
			w.series = append(w.series, &series{finding: Finding{Statistic: s.name, Reference: s.ref}})
		}
	}
	return w
}

// Observe adds a verdict and returns the statistics that it changed and that have enough values.
func (w *Watch) Observe(v Observation) []Finding {
	values := map[string]float64{Brightness: v.Brightness, Sharpness: v.Sharpness}
	switch v.Label { // an unsure tire is in neither reference
	case verdict.Normal:
		values[NormalScore] = v.Logit
	case verdict.Crack:
		values[CrackScore] = v.Logit
	}
	var found []Finding
	for _, s := range w.series {
		if value, ok := values[s.finding.Statistic]; ok && s.add(value, w.o) {
			found = append(found, s.finding)
		}
	}
	return found
}

// add adds a value and reports whether there are enough values to judge.
func (s *series) add(v float64, o Options) bool {
	reach := clip * s.finding.Reference.SD
	v = min(max(v, s.finding.Reference.Mean-reach), s.finding.Reference.Mean+reach)
	if len(s.values) < o.Window {
		s.values = append(s.values, v)
	} else {
		s.values[s.next] = v
		s.next = (s.next + 1) % o.Window
	}
	if len(s.values) < o.Least {
		return false
	}
	sum := 0.0 // summed again each time: a running sum would collect rounding errors for years
	for _, v := range s.values {
		sum += v
	}
	f := &s.finding
	f.Mean = sum / float64(len(s.values))
	f.Deviations = (f.Mean - f.Reference.Mean) / f.Reference.SD
	limit := o.Limit
	if f.Alarm {
		limit *= hysteresis
	}
	alarm := math.Abs(f.Deviations) > limit
	f.Changed, f.Alarm = alarm != f.Alarm, alarm
	return true
}
