package metrics

import (
	"maps"
	"time"

	"tirewatch/agent/message"
	"tirewatch/vision/verdict"
)

// Health returns the current figures for the health topic. Its mean times cover the verdicts since
// the last call, so only one goroutine may call it. It fails if the queue cannot be read.
func (m *Metrics) Health() (message.Health, error) {
	h, err := m.Now()
	if err != nil {
		return h, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.verdicts > 0 {
		n := float64(m.verdicts)
		h.MS = &verdict.Duration{
			Locate: m.recent.Locate / n, Preprocess: m.recent.Preprocess / n, Forward: m.recent.Forward / n}
		m.verdicts, m.recent = 0, verdict.Duration{}
	}
	return h, nil
}

// Now is Health without mean times, for any number of callers.
func (m *Metrics) Now() (message.Health, error) {
	n, oldest, err := m.sources.Queue.Depth()
	if err != nil {
		return message.Health{}, err
	}
	h := message.Health{Time: time.Now().UTC(), Since: m.start, ModelSerial: m.sources.Serial(),
		Queued: n, OldestS: age(n, oldest).Seconds(), Verdicts: map[string]uint64{}}
	if t, ok := m.sources.Temperature(); ok {
		h.TemperatureC = &t
	}
	if n, ok := m.sources.Memory(); ok {
		h.MemoryBytes = &n
	}
	if n, ok := m.sources.DiskFree(); ok {
		h.DiskFreeBytes = &n
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	h.Frames, h.CameraRestarts, h.Unsure = m.counts.frames, m.counts.restarts, m.counts.unsure
	for _, label := range verdict.Labels() {
		h.Verdicts[string(label)] = m.counts.verdicts[label]
	}
	h.Triggers, h.TriggerErrors = byName(m.counts.triggers), byName(m.counts.faults)
	if m.counts.sent+m.counts.missed > 0 {
		h.Rejects = map[string]uint64{"sent": m.counts.sent, "missed": m.counts.missed}
	}
	if n := m.counts.compared; n > 0 {
		h.SecondOpinions = map[string]uint64{"compared": n, "unlike": m.counts.unlike}
	}
	h.Drift = maps.Clone(m.drifts)
	return h, nil
}

// byName converts counts for the health topic; nil if there are none.
func byName[K ~string](counts map[K]uint64) map[string]uint64 {
	if len(counts) == 0 {
		return nil
	}
	out := map[string]uint64{}
	for k, n := range counts {
		out[string(k)] = n
	}
	return out
}
