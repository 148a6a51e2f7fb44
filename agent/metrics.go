package agent

import (
	"path/filepath"

	"tirewatch/agent/health"
	"tirewatch/agent/metrics"
)

func newMetrics(d *daemon) *metrics.Metrics {
	return metrics.New(d.Version, metrics.Sources{
		Queue:       d.journal,
		Serial:      func() uint64 { serial, _ := activeModel(d.store); return serial },
		Temperature: health.Temperature, Memory: health.Memory,
		DiskFree: func() (uint64, bool) {
			n, err := health.DiskFree(filepath.Dir(d.cfg.Journal.Path))
			return n, err == nil
		},
	})
}

// openMetrics listens for Prometheus. A station inspects with or without it.
func openMetrics(d *daemon) {
	if d.cfg.Metrics.Listen == "" {
		return
	}
	s, err := d.counts.Listen(d.cfg.Metrics.Listen)
	if err != nil {
		d.log.Error("metrics: listen failed", "error", err)
		return
	}
	d.log.Info("metrics: listening", "url", "http://"+s.Addr()+"/metrics")
	d.servers = append(d.servers, server{"metrics", s.Run})
}
