// Package metrics counts the events of the station for Prometheus and for the MQTT topic health.
//
//	station loop, camera, models, drift -> METRICS -> http://127.0.0.1:9464/metrics
//	journal, sensors ---------------------^       \-> uplink, topic health
//	(read at each scrape)
//
// Metric names follow the rules of Prometheus: base units, _total for counters. Start with [New]
// and [Metrics.Handler].
package metrics

import (
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tirewatch/agent/message"
	"tirewatch/agent/trigger"
	"tirewatch/vision/verdict"
)

// Sources are read at each scrape and for each health message. Temperature, Memory and DiskFree
// return false if the machine cannot measure the value.
type Sources struct {
	Queue interface {
		// Depth returns how many verdicts wait for the broker and the time of the oldest;
		// journal.Journal implements it.
		Depth() (n int, oldest time.Time, err error)
	}
	Serial      func() uint64 // of the active model, 0 for none
	Temperature func() (celsius float64, ok bool)
	Memory      func() (bytes uint64, ok bool) // resident, of this process
	DiskFree    func() (bytes uint64, ok bool) // on the disk of the journal
}

// Metrics are the counters of one station. Their methods may be called from any goroutine.
type Metrics struct {
	registry *prometheus.Registry
	sources  Sources
	start    time.Time

	votes   prometheus.Histogram     // frames per verdict
	steps   *prometheus.HistogramVec // seconds, by step
	second  prometheus.Histogram     // seconds of the second opinion
	problem *prometheus.GaugeVec     // by part
	drift   *prometheus.GaugeVec     // by statistic
	alarm   *prometheus.GaugeVec     // by statistic

	mu     sync.Mutex
	counts counts // guarded by mu
	// sums over the verdicts since the last call of Health, ms; guarded by mu
	recent   verdict.Duration
	verdicts int                      // number of these verdicts; guarded by mu
	drifts   map[string]message.Drift // by statistic; guarded by mu
}

// counts are the counters that the scrape and the health topic share.
type counts struct {
	frames, restarts, uncut uint64
	verdicts                map[verdict.Label]uint64
	triggers                map[trigger.Kind]uint64
	faults                  map[trigger.Fault]uint64
	compared, unlike        uint64 // tires with a second opinion; of these, unlike the sound ones
	unsure                  uint64 // of the verdicts without a decision
	sent, missed            uint64 // rejects
}

// Steps from frame to verdict, the fields of verdict.Duration.
const (
	stepLocate     = "locate"
	stepPreprocess = "preprocess"
	stepForward    = "forward"
)

// New returns the metrics of a station.
func New(version string, sources Sources) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(), sources: sources, start: time.Now().UTC(),
		counts: counts{
			verdicts: map[verdict.Label]uint64{},
			triggers: map[trigger.Kind]uint64{},
			faults:   map[trigger.Fault]uint64{},
		},
		drifts: map[string]message.Drift{},
		votes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tirewatch_verdict_frames", Help: "Frames scored for a verdict.",
			Buckets: []float64{1, 2, 3, 5, 8, 13, 21}}),
		steps: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tirewatch_step_seconds", Help: "Duration of each step from frame to verdict (deciding frame).",
			// 0.1 ms to 0.8 s
			Buckets: prometheus.ExponentialBuckets(100e-6, 2, 14)}, []string{"step"}),
		second: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tirewatch_second_opinion_seconds", Help: "Duration of the second opinion, after the decision.",
			Buckets: prometheus.ExponentialBuckets(100e-6, 2, 12)}),
		problem: newGauge("tirewatch_problem", "1 while this part of the station has a problem.", "part"),
		drift: newGauge("tirewatch_drift",
			"Distance of the rolling mean from the model's reference, in its standard deviations.", "statistic"),
		alarm: newGauge("tirewatch_drift_alarm", "1 while the statistic is beyond its limit.", "statistic"),
	}
	build := newGauge("tirewatch_build_info", "Always 1; the label is the version of the agent.", "version")
	build.WithLabelValues(version).Set(1)
	m.registry.MustRegister(m.votes, m.steps, m.second, m.problem, m.drift, m.alarm, build, (*collector)(m),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func newGauge(name, help, label string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{label})
}

// Handler returns the handler for scrapes.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 2})
}

// Frame counts a frame that the station examined.
func (m *Metrics) Frame() { m.count(func(c *counts) { c.frames++ }) }

// Uncut counts a chosen frame in which no side wall was found.
func (m *Metrics) Uncut() { m.count(func(c *counts) { c.uncut++ }) }

// CameraRestart counts a loss of the camera.
func (m *Metrics) CameraRestart() { m.count(func(c *counts) { c.restarts++ }) }

// Trigger counts a trigger from outside.
func (m *Metrics) Trigger(k trigger.Kind) { m.count(func(c *counts) { c.triggers[k]++ }) }

// TriggerFault counts a fault of a trigger.
func (m *Metrics) TriggerFault(f trigger.Fault) { m.count(func(c *counts) { c.faults[f]++ }) }

// RejectSent counts a reject pulse.
func (m *Metrics) RejectSent() { m.count(func(c *counts) { c.sent++ }) }

// RejectMissed counts a tire that should have been rejected but was not.
func (m *Metrics) RejectMissed() { m.count(func(c *counts) { c.missed++ }) }

func (m *Metrics) count(change func(*counts)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(&m.counts)
}

// Verdict counts a stored verdict.
func (m *Metrics) Verdict(v *verdict.Verdict) {
	m.votes.Observe(float64(len(v.Votes)))
	for step, ms := range map[string]float64{
		stepLocate: v.MS.Locate, stepPreprocess: v.MS.Preprocess, stepForward: v.MS.Forward,
	} {
		m.steps.WithLabelValues(step).Observe(ms / 1000)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counts.verdicts[v.Label]++
	if v.SecondOpinion != nil {
		m.counts.compared++
		m.second.Observe(v.SecondOpinion.MS / 1000)
		if v.SecondOpinion.Unlike {
			m.counts.unlike++
		}
	}
	if v.IsUnsure() {
		m.counts.unsure++
	}
	m.verdicts++
	m.recent.Locate += v.MS.Locate
	m.recent.Preprocess += v.MS.Preprocess
	m.recent.Forward += v.MS.Forward
}

// Problem sets whether a part has a problem.
func (m *Metrics) Problem(part string, is bool) { m.problem.WithLabelValues(part).Set(number(is)) }

// Drift sets a statistic, in standard deviations of its reference.
func (m *Metrics) Drift(statistic string, deviations float64, alarm bool) {
	m.drift.WithLabelValues(statistic).Set(deviations)
	m.alarm.WithLabelValues(statistic).Set(number(alarm))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drifts[statistic] = message.Drift{Deviations: deviations, Alarm: alarm}
}

// NoDrift clears the statistics: another model has another reference.
func (m *Metrics) NoDrift() {
	m.drift.Reset()
	m.alarm.Reset()
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.drifts)
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
