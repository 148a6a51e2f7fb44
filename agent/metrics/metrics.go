// Package metrics counts what the station does, for Prometheus and for the health topic.
//
//	station loop, camera, models, drift -> METRICS -> http://127.0.0.1:9464/metrics
//	journal ------------------------------^ (asked at each scrape)
//
// Names follow Prometheus' rules: base units, _total for counters. Newcomers need New, the methods that count, and Handler.
package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tirewatch/vision/verdict"
)

// Queue tells how many verdicts wait for the broker, and since when; journal.Journal is one.
type Queue interface {
	Depth() (n int, oldest time.Time, err error)
}

// Metrics are the counters of one station. Their methods may be called from any goroutine.
type Metrics struct {
	registry *prometheus.Registry

	frames   prometheus.Counter
	verdicts *prometheus.CounterVec   // by label
	votes    prometheus.Histogram     // frames a verdict
	steps    *prometheus.HistogramVec // seconds, by step
	restarts prometheus.Counter
	serial   prometheus.Gauge
	problem  *prometheus.GaugeVec // by part
	drift    *prometheus.GaugeVec // by statistic
	alarm    *prometheus.GaugeVec // by statistic
}

// The steps from frame to verdict, as verdict.Duration has them.
const (
	stepLocate     = "locate"
	stepPreprocess = "preprocess"
	stepForward    = "forward"
)

// New makes the metrics of a station whose verdicts wait in queue. temperature gives degrees Celsius, and false where nobody measures it.
func New(version string, queue Queue, temperature func() (float64, bool)) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		frames: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tirewatch_frames_total", Help: "Frames that the station looked at."}),
		verdicts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tirewatch_verdicts_total", Help: "Verdicts that are stored, by label."}, []string{"label"}),
		votes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tirewatch_verdict_frames", Help: "Frames that were scored for a verdict.", Buckets: []float64{1, 2, 3, 5, 8, 13, 21}}),
		steps: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tirewatch_step_seconds", Help: "Time of each step from frame to verdict, of the deciding frame.",
			Buckets: prometheus.ExponentialBuckets(100e-6, 2, 14)}, []string{"step"}), // 0.1 ms to 0.8 s
		restarts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tirewatch_camera_restarts_total", Help: "How often the camera was lost and opened again."}),
		serial: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tirewatch_model_serial", Help: "Serial of the model that judges; 0 without one."}),
		problem: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "tirewatch_problem", Help: "1 for each part that keeps the station from working as it should."}, []string{"part"}),
		drift: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "tirewatch_drift", Help: "Rolling mean against the model's reference, in the reference's standard deviations."}, []string{"statistic"}),
		alarm: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "tirewatch_drift_alarm", Help: "1 while the statistic is beyond its limit."}, []string{"statistic"}),
	}
	for _, label := range []verdict.Label{verdict.Normal, verdict.Crack} { // a counter that does not exist yet has no rate
		m.verdicts.WithLabelValues(string(label))
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "tirewatch_build_info", Help: "1, with the version of the agent as label."}, []string{"version"})
	build.WithLabelValues(version).Set(1)
	m.registry.MustRegister(m.frames, m.verdicts, m.votes, m.steps, m.restarts, m.serial, m.problem, m.drift, m.alarm, build,
		&outside{queue: queue, temperature: temperature},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler answers a scrape.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 2})
}

// Frame counts a frame that the station looked at.
func (m *Metrics) Frame() { m.frames.Inc() }

// Verdict counts a verdict that is stored.
func (m *Metrics) Verdict(v *verdict.Verdict) {
	m.verdicts.WithLabelValues(string(v.Label)).Inc()
	m.votes.Observe(float64(len(v.Votes)))
	for step, ms := range map[string]float64{stepLocate: v.MS.Locate, stepPreprocess: v.MS.Preprocess, stepForward: v.MS.Forward} {
		m.steps.WithLabelValues(step).Observe(ms / 1000)
	}
}

// CameraRestart counts a loss of the camera.
func (m *Metrics) CameraRestart() { m.restarts.Inc() }

// Model says which model judges from now on.
func (m *Metrics) Model(serial uint64) { m.serial.Set(float64(serial)) }

// Problem says that a part does not work, or works again.
func (m *Metrics) Problem(part string, is bool) { m.problem.WithLabelValues(part).Set(number(is)) }

// Drift shows a statistic in standard deviations of its reference.
func (m *Metrics) Drift(statistic string, deviations float64, alarm bool) {
	m.drift.WithLabelValues(statistic).Set(deviations)
	m.alarm.WithLabelValues(statistic).Set(number(alarm))
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
