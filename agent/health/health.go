// Package health reports the station's state to systemd (ready, alive, stopping) and reads the
// machine's clock, temperature, memory and disk.
//
//	parts of the station: progress -> HEALTH -> systemd watchdog
//
// systemd restarts a service of type notify that does not feed its watchdog (WatchdogSec=). The
// station feeds it only while all its parts make progress, so that a process that hangs in a driver
// is restarted after one to two times WatchdogSec. Set it to a minute or more: opening a network
// camera may take that long. Start with [New], [Monitor.Run] and [Monitor.Part].
package health

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Monitor reports to systemd. Without systemd it does nothing. Its methods may be called from any
// goroutine.
type Monitor struct {
	log      *slog.Logger
	watchdog time.Duration // 0: the watchdog is off
	notify   func(state string)
	start    time.Time // of the monitor; durations since then do not jump with the clock

	mu    sync.Mutex
	parts []*Part // guarded by mu
}

// Part is a part of the station that must make progress, such as the frame loop or the uplink. Its
// methods may be called from any goroutine.
type Part struct {
	name  string
	limit time.Duration // longest time without progress; 0: that of the watchdog
	start time.Time
	alive atomic.Int64 // time of the last progress since start, ns; negative: it has ended
	hangs bool         // already logged; owned by Monitor.Run
}

// ended marks a part that no longer needs to make progress.
const ended = -1

// New reads systemd's settings from the environment.
func New(log *slog.Logger) *Monitor {
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("health: watchdog off, WATCHDOG_USEC is invalid", "error", err)
	}
	m := &Monitor{log: log, watchdog: watchdog, start: time.Now()}
	m.notify = func(state string) {
		if _, err := daemon.SdNotify(false, state); err != nil {
			log.Warn("health: notify systemd failed", "state", state, "error", err)
		}
	}
	return m
}

// Part adds a part. It hangs when it makes no progress for limit; 0 means the time that systemd
// waits.
func (m *Monitor) Part(name string, limit time.Duration) *Part {
	p := &Part{name: name, limit: limit, start: m.start}
	p.Progress()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.parts = append(m.parts, p)
	return p
}

// Progress reports that the part is alive. It is cheap: call it for every frame.
func (p *Part) Progress() { p.alive.Store(int64(time.Since(p.start))) }

// End reports that the part has finished: it no longer needs to make progress.
func (p *Part) End() { p.alive.Store(ended) }

// Silent returns the time since the last progress, 0 after the end of the part.
func (p *Part) Silent() time.Duration {
	at := p.alive.Load()
	if at == ended {
		return 0
	}
	return time.Since(p.start) - time.Duration(at)
}

// Ready reports that the station has started.
func (m *Monitor) Ready() { m.notify(daemon.SdNotifyReady) }

// Stopping reports that the station is stopping.
func (m *Monitor) Stopping() { m.notify(daemon.SdNotifyStopping) }

// Status sets the line in `systemctl status`.
func (m *Monitor) Status(text string) { m.notify("STATUS=" + text) }

// Run feeds the watchdog until ctx ends, while every part makes progress.
func (m *Monitor) Run(ctx context.Context) {
	if m.watchdog <= 0 {
		return
	}
	tick := time.NewTicker(m.watchdog / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if m.allAlive() {
			m.notify(daemon.SdNotifyWatchdog)
		}
	}
}

func (m *Monitor) allAlive() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	alive := true
	for _, p := range m.parts {
		silent, limit := p.Silent(), cmp.Or(p.limit, m.watchdog)
		hangs := silent >= limit
		if hangs && !p.hangs {
			m.log.Error("health: part hangs, systemd will restart the agent",
				"part", p.name, "silent", silent.Round(time.Millisecond))
		}
		p.hangs = hangs
		alive = alive && !hangs
	}
	return alive
}
