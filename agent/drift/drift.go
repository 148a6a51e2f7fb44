// Package drift notices when the station sees other pictures than its model learned from: a dirty
// lens, a dead lamp, a moved camera, another kind of tire.
//
//	verdict, crop -> DRIFT -> alarm (status, metrics, log)
//
// It compares rolling means of the latest verdicts with the reference in the model's bundle. One
// odd tire is no drift; that the mean of hundreds lies where hardly a single image of the reference
// lay is. Newcomers need New and Watch.Observe.
package drift

import (
	"fmt"
	"math"

	"tirewatch/vision/bundle"
	"tirewatch/vision/verdict"
)

// Options bound what counts as drift.
type Options struct {
	Window int // verdicts that the rolling means cover
	Least  int // of a statistic before it is judged
	// distance of the means that raises the alarm, in standard deviations of a single image of the
	// reference
	Limit float64
}

// Defaults suit a line that makes some hundred verdicts an hour.
var Defaults = Options{Window: 200, Least: 50, Limit: 2}

// clip is what a single value counts at most, in standard deviations: a winsorised mean, which a
// handful of odd pictures cannot move far.
const clip = 4

// hysteresis is the share of the limit below which an alarm ends, so that a mean at the limit does not
// ring all day.
const hysteresis = 0.8

// Names of the statistics.
const (
	Brightness  = "brightness"
	Sharpness   = "sharpness"
	NormalScore = "normal score" // logits of the tires that were judged sound
	CrackScore  = "crack score"
)

// Observation is what a verdict adds.
type Observation struct {
	Brightness, Sharpness float64 // of the deciding crop, preprocess.Measure
	Logit                 float64 // mean of the votes
	Label                 verdict.Label
}

// Finding is the state of one statistic.
type Finding struct {
	Statistic  string
	Mean       float64 // of the latest verdicts, each clipped to clip standard deviations
	Reference  bundle.Statistic
	Deviations float64 // of the means, in standard deviations of the reference, signed
	Alarm      bool
	Changed    bool // Alarm was raised or ended by the latest verdict
}

// String says what is wrong in a technician's words.
func (f Finding) String() string {
	direction, cause := "above", map[string]string{
		Brightness: "brighter than in training: check lamps, exposure and sunlight", Sharpness: "sharper than in training: check focus and the camera's sharpening",
		NormalScore: "sound tires look less sound than in training", CrackScore: "cracks are called more surely than in training"}[f.Statistic]
	if f.Deviations < 0 {
		direction, cause = "below", map[string]string{
			Brightness: "darker than in training: check lamps, exposure and the lens", Sharpness: "blurred against training: check focus, dirt on the lens and exposure time",
			NormalScore: "sound tires look more sound than in training", CrackScore: "cracks are called less surely than in training"}[f.Statistic]
	}
	return fmt.Sprintf("%s is %.3g on average, %.1f standard deviations %s the reference of %.3g: %s",
		f.Statistic, f.Mean, math.Abs(f.Deviations), direction, f.Reference.Mean, cause)
}

// Watch follows the verdicts of one model. It belongs to one goroutine.
type Watch struct {
	o      Options
	series []*series
}

// series is the latest values of one statistic.
type series struct {
	finding Finding
	values  []float64 // a ring once it is full
	next    int
}

// New starts with the reference of a bundle; statistics that it lacks are not watched, without one
// none is.
func New(ref *bundle.Reference, o Options) *Watch {
	w := &Watch{o: o}
	if ref == nil {
		return w
	}
	for _, s := range []struct {
		name string
		ref  bundle.Statistic
	}{{Brightness, ref.Brightness}, {Sharpness, ref.Sharpness}, {NormalScore, ref.NormalLogit}, {CrackScore, ref.CrackLogit}} {
		if s.ref.N > 1 && s.ref.SD > 0 {
			w.series = append(w.series, &series{finding: Finding{Statistic: s.name, Reference: s.ref}})
		}
	}
	return w
}

// Observe takes a verdict and gives the statistics that it moved and of which there are enough
// values.
func (w *Watch) Observe(v Observation) []Finding {
	values := map[string]float64{Brightness: v.Brightness, Sharpness: v.Sharpness, NormalScore: v.Logit}
	if v.Label == verdict.Crack {
		delete(values, NormalScore)
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

// add takes a value and tells whether there are enough to judge.
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
	sum := 0.0 // anew each time: a running sum would gather rounding for years
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
