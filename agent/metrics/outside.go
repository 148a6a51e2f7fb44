package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// outside is what is asked for at each scrape instead of being counted along.
type outside struct {
	queue       Queue
	temperature func() (float64, bool)
}

var (
	queueDepth = prometheus.NewDesc("tirewatch_queue_verdicts", "Verdicts that wait for the broker's acknowledgement.", nil, nil)
	queueAge   = prometheus.NewDesc("tirewatch_queue_oldest_seconds", "Age of the oldest verdict that waits; 0 when none does.", nil, nil)
	celsius    = prometheus.NewDesc("tirewatch_temperature_celsius", "The hottest sensor of this machine.", nil, nil)
)

// Describe is part of prometheus.Collector.
func (o *outside) Describe(d chan<- *prometheus.Desc) {
	d <- queueDepth
	d <- queueAge
	d <- celsius
}

// Collect is part of prometheus.Collector. A queue that cannot be read shows as an error of the scrape, not as an empty one.
func (o *outside) Collect(out chan<- prometheus.Metric) {
	n, oldest, err := o.queue.Depth()
	if err != nil {
		out <- prometheus.NewInvalidMetric(queueDepth, err)
	} else {
		age := 0.0
		if n > 0 {
			age = max(time.Since(oldest).Seconds(), 0) // a clock that went back makes nothing younger than now
		}
		out <- prometheus.MustNewConstMetric(queueDepth, prometheus.GaugeValue, float64(n))
		out <- prometheus.MustNewConstMetric(queueAge, prometheus.GaugeValue, age)
	}
	if t, ok := o.temperature(); ok {
		out <- prometheus.MustNewConstMetric(celsius, prometheus.GaugeValue, t)
	}
}
