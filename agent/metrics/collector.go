package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tirewatch/agent/trigger"
	"tirewatch/vision/verdict"
)

// collector is Metrics as a prometheus.Collector: what is looked up at each scrape.
type collector Metrics

var (
	frames     = prometheus.NewDesc("tirewatch_frames_total", "Frames that the station looked at.", nil, nil)
	uncut      = prometheus.NewDesc("tirewatch_frames_uncut_total", "Chosen frames of tires in which no side wall was found: not scored.", nil, nil)
	verdicts   = prometheus.NewDesc("tirewatch_verdicts_total", "Verdicts that are stored, by label.", []string{"label"}, nil)
	triggers   = prometheus.NewDesc("tirewatch_triggers_total", "Triggers from outside, by kind.", []string{"kind"}, nil)
	faults     = prometheus.NewDesc("tirewatch_trigger_errors_total", "What was wrong with triggers: double, late, missing, bounce.", []string{"kind"}, nil)
	rejects    = prometheus.NewDesc("tirewatch_rejects_total", "Tires that the reject output acted on (sent), or came too late for (missed).", []string{"result"}, nil)
	restarts   = prometheus.NewDesc("tirewatch_camera_restarts_total", "How often the camera was lost and opened again.", nil, nil)
	serial     = prometheus.NewDesc("tirewatch_model_serial", "Serial of the active model; 0 without one.", nil, nil)
	queueDepth = prometheus.NewDesc("tirewatch_queue_verdicts", "Verdicts that wait for the broker's acknowledgement.", nil, nil)
	queueAge   = prometheus.NewDesc("tirewatch_queue_oldest_seconds", "Age of the oldest verdict that waits; 0 when none does.", nil, nil)
	celsius    = prometheus.NewDesc("tirewatch_temperature_celsius", "The hottest sensor of this machine.", nil, nil)
	diskFree   = prometheus.NewDesc("tirewatch_disk_free_bytes", "What the agent may still write to the disk of its journal.", nil, nil)
)

// Describe is part of prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{frames, uncut, verdicts, triggers, faults, rejects, restarts, serial, queueDepth, queueAge, celsius, diskFree} {
		out <- d
	}
}

// Collect is part of prometheus.Collector. A queue that cannot be read shows as an error of the
// scrape, not as an empty one.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value)
	}
	counter := func(d *prometheus.Desc, value uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
	}
	c.mu.Lock()
	counter(frames, c.counts.frames)
	counter(uncut, c.counts.uncut)
	counter(restarts, c.counts.restarts)
	for _, label := range verdict.Labels() {
		counter(verdicts, c.counts.verdicts[label], string(label))
	}
	for _, kind := range []trigger.Kind{trigger.PhotoEye, trigger.Command} {
		counter(triggers, c.counts.triggers[kind], string(kind))
	}
	for _, fault := range trigger.Faults() {
		counter(faults, c.counts.faults[fault], string(fault))
	}
	counter(rejects, c.counts.sent, "sent")
	counter(rejects, c.counts.missed, "missed")
	c.mu.Unlock()
	gauge(serial, float64(c.sources.Serial()))

	if n, oldest, err := c.sources.Queue.Depth(); err != nil {
		out <- prometheus.NewInvalidMetric(queueDepth, err)
	} else {
		gauge(queueDepth, float64(n))
		gauge(queueAge, age(n, oldest).Seconds())
	}
	if t, ok := c.sources.Temperature(); ok {
		gauge(celsius, t)
	}
	if n, ok := c.sources.DiskFree(); ok {
		gauge(diskFree, float64(n))
	}
}

// age is that of the oldest of n verdicts. A clock that went back makes nothing younger than now.
func age(n int, oldest time.Time) time.Duration {
	if n == 0 {
		return 0
	}
	return max(time.Since(oldest), 0)
}
