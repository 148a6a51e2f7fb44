// Package metrics counts what the station does, for Prometheus and for the health topic.
//
//	station loop, camera, models, drift -> METRICS -> http://127.0.0.1:9464/metrics
//	journal, sensors ---------------------^       \-> uplink, topic health
//	(asked at each scrape)
//
// Names follow Prometheus' rules: base units, _total for counters. Newcomers need New, the methods
// that count, Handler and Health.
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

// Sources are asked when somebody wants to know. Those of the machine give false where nobody
// measures it.
type Sources struct {
	Queue interface {
		// Depth is how many verdicts wait for the broker, and since when; journal.Journal has it.
		Depth() (n int, oldest time.Time, err error)
	}
	Serial      func() uint64 // of the active model, 0 without one
	Temperature func() (celsius float64, ok bool)
	Memory      func() (bytes uint64, ok bool) // resident, of this process
	DiskFree    func() (bytes uint64, ok bool) // where the journal is
}

// Metrics are the counters of one station. Their methods may be called from any goroutine.
type Metrics struct {
	registry *prometheus.Registry
	sources  Sources
	start    time.Time

	votes   prometheus.Histogram     // frames a verdict
	steps   *prometheus.HistogramVec // seconds, by step
	problem *prometheus.GaugeVec     // by part
	drift   *prometheus.GaugeVec     // by statistic
	alarm   *prometheus.GaugeVec     // by statistic

	mu     sync.Mutex
	counts counts // guarded by mu
	// guarded by mu; sums of the verdicts since Health was asked, ms
	recent   verdict.Duration
	verdicts int                      // guarded by mu; how many these are
	drifts   map[string]message.Drift // guarded by mu; by statistic
}

// counts are plain numbers that both readers share.
type counts struct {
	frames, restarts, uncut uint64
	verdicts                map[verdict.Label]uint64
	triggers                map[trigger.Kind]uint64
	faults                  map[trigger.Fault]uint64
	sent, missed            uint64 // rejects
}

// The steps from frame to verdict, as verdict.Duration has them.
const (
	stepLocate     = "locate"
	stepPreprocess = "preprocess"
	stepForward    = "forward"
)

// New makes the metrics of a station.
func New(version string, sources Sources) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(), sources: sources, start: time.Now().UTC(),
		counts: counts{verdicts: map[verdict.Label]uint64{}, triggers: map[trigger.Kind]uint64{}, faults: map[trigger.Fault]uint64{}},
		drifts: map[string]message.Drift{},
		votes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tirewatch_verdict_frames", Help: "Frames that were scored for a verdict.", Buckets: []float64{1, 2, 3, 5, 8, 13, 21}}),
		steps: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tirewatch_step_seconds", Help: "Time of each step from frame to verdict, of the deciding frame.",
			// 0.1 ms to 0.8 s
			Buckets: prometheus.ExponentialBuckets(100e-6, 2, 14)}, []string{"step"}),
		problem: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "tirewatch_problem", Help: "1 for each part that keeps the station from working as it should."}, []string{"part"}),
		drift: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "tirewatch_drift", Help: "Rolling mean against the model's reference, in the reference's standard deviations."}, []string{"statistic"}),
		alarm: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "tirewatch_drift_alarm", Help: "1 while the statistic is beyond its limit."}, []string{"statistic"}),
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "tirewatch_build_info", Help: "1, with the version of the agent as label."}, []string{"version"})
	build.WithLabelValues(version).Set(1)
	m.registry.MustRegister(m.votes, m.steps, m.problem, m.drift, m.alarm, build, (*collector)(m),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler answers a scrape.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 2})
}

// Frame counts a frame that the station looked at.
func (m *Metrics) Frame() { m.count(func(c *counts) { c.frames++ }) }

// Uncut counts a chosen frame in which no side wall was found.
func (m *Metrics) Uncut() { m.count(func(c *counts) { c.uncut++ }) }

// CameraRestart counts a loss of the camera.
func (m *Metrics) CameraRestart() { m.count(func(c *counts) { c.restarts++ }) }

// Trigger counts a trigger from outside.
func (m *Metrics) Trigger(k trigger.Kind) { m.count(func(c *counts) { c.triggers[k]++ }) }

// TriggerFault counts what was wrong with a trigger.
func (m *Metrics) TriggerFault(f trigger.Fault) { m.count(func(c *counts) { c.faults[f]++ }) }

// RejectSent counts a tire that the reject output acted on.
func (m *Metrics) RejectSent() { m.count(func(c *counts) { c.sent++ }) }

// RejectMissed counts a tire that the reject output should have acted on and did not.
func (m *Metrics) RejectMissed() { m.count(func(c *counts) { c.missed++ }) }

func (m *Metrics) count(change func(*counts)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(&m.counts)
}

// Verdict counts a verdict that is stored.
func (m *Metrics) Verdict(v *verdict.Verdict) {
	m.votes.Observe(float64(len(v.Votes)))
	for step, ms := range map[string]float64{stepLocate: v.MS.Locate, stepPreprocess: v.MS.Preprocess, stepForward: v.MS.Forward} {
		m.steps.WithLabelValues(step).Observe(ms / 1000)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counts.verdicts[v.Label]++
	m.verdicts++
	m.recent.Locate += v.MS.Locate
	m.recent.Preprocess += v.MS.Preprocess
	m.recent.Forward += v.MS.Forward
}

// Problem says that a part does not work, or works again.
func (m *Metrics) Problem(part string, is bool) { m.problem.WithLabelValues(part).Set(number(is)) }

// Drift shows a statistic in standard deviations of its reference.
func (m *Metrics) Drift(statistic string, deviations float64, alarm bool) {
	m.drift.WithLabelValues(statistic).Set(deviations)
	m.alarm.WithLabelValues(statistic).Set(number(alarm))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drifts[statistic] = message.Drift{Deviations: deviations, Alarm: alarm}
}

// NoDrift forgets the statistics: another model has another reference.
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
