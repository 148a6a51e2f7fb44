package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tirewatch/agent/trigger"
	"tirewatch/vision/verdict"
)

// collector is Metrics as a prometheus.Collector. It reads counts and sources at each scrape.
type collector Metrics

var (
	frames = desc("tirewatch_frames_total", "Frames that the station examined.")
	uncut  = desc("tirewatch_frames_uncut_total",
		"Chosen frames of tires in which no side wall was found, so they were not scored.")
	verdicts = desc("tirewatch_verdicts_total", "Stored verdicts, by label.", "label")
	unsure   = desc("tirewatch_verdicts_unsure_total",
		"Stored verdicts no_decision with the reason unsure: the score is between the two thresholds.")
	opinions = desc("tirewatch_second_opinions_total",
		"Stored verdicts with a second opinion, by result: like or unlike the sound tires.", "result")
	triggers = desc("tirewatch_triggers_total", "External triggers, by kind.", "kind")
	faults   = desc("tirewatch_trigger_errors_total", "Trigger faults: double, late, missing, bounce.", "kind")
	rejects  = desc("tirewatch_rejects_total", "Rejects: pulses that began (sent) and tires without a pulse (missed).",
		"result")
	restarts   = desc("tirewatch_camera_restarts_total", "How often the camera was lost and opened again.")
	serial     = desc("tirewatch_model_serial", "Serial of the active model; 0 without a model.")
	queueDepth = desc("tirewatch_queue_verdicts", "Verdicts that wait for the broker's acknowledgement.")
	queueAge   = desc("tirewatch_queue_oldest_seconds", "Age of the oldest waiting verdict; 0 if none waits.")
	celsius    = desc("tirewatch_temperature_celsius", "Temperature of the hottest sensor of this machine.")
	diskFree   = desc("tirewatch_disk_free_bytes", "Bytes that the agent can still write to the disk of its journal.")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		frames, uncut, verdicts, unsure, opinions, triggers, faults, rejects, restarts,
		serial, queueDepth, queueAge, celsius, diskFree,
	} {
		out <- d
	}
}

// Collect implements prometheus.Collector. An unreadable queue is an error of the scrape, not an
// empty queue.
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
	counter(unsure, c.counts.unsure)
	counter(opinions, c.counts.compared-c.counts.unlike, "like")
	counter(opinions, c.counts.unlike, "unlike")
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

// age returns the age of the oldest of n verdicts. It is 0 if the clock went back.
func age(n int, oldest time.Time) time.Duration {
	if n == 0 {
		return 0
	}
	return max(time.Since(oldest), 0)
}
