// Package health tells systemd how the station is: that it is ready, that it is alive, that it
// stops.
//
// systemd restarts a service of type notify whose watchdog is not fed (WatchdogSec=). The station
// feeds it only while each of its parts makes progress, so that a process that hangs in a driver
// counts as dead although it runs: it is restarted after one to two times WatchdogSec. A minute is
// the least: opening a network camera may take that long. Newcomers need New, Monitor.Run and
// Monitor.Part.
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

// Monitor speaks to systemd. Without systemd it does nothing. Its methods may be called from any
// goroutine.
type Monitor struct {
	log      *slog.Logger
	watchdog time.Duration // 0: systemd does not watch
	notify   func(state string)
	start    time.Time // of the monitor: what is counted from it does not jump with the clock

	mu    sync.Mutex
	parts []*Part // guarded by mu
}

// Part is a part of the station that must show progress: the frame loop, the uplink. Its methods
// may be called from any goroutine.
type Part struct {
	name  string
	limit time.Duration // of silence; 0: the watchdog's own
	start time.Time
	alive atomic.Int64 // time of the last progress since start, ns; negative: it has ended
	told  bool         // that it hangs; owned by Monitor.Run
}

// ended marks a part that owes no progress any more.
const ended = -1

// New reads from the environment what systemd wants.
func New(log *slog.Logger) *Monitor {
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("systemd's watchdog is off: its environment makes no sense", "error", err)
	}
	m := &Monitor{log: log, watchdog: watchdog, start: time.Now()}
	m.notify = func(state string) {
		if _, err := daemon.SdNotify(false, state); err != nil {
			log.Warn("systemd cannot be told", "state", state, "error", err)
		}
	}
	return m
}

// Part adds a part, which is alive now and hangs when it makes no progress for limit; 0 stands for
// the time that systemd waits.
func (m *Monitor) Part(name string, limit time.Duration) *Part {
	p := &Part{name: name, limit: limit, start: m.start}
	p.Progress()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.parts = append(m.parts, p)
	return p
}

// Progress says that the part is alive. It costs next to nothing: call it for every frame.
func (p *Part) Progress() { p.alive.Store(int64(time.Since(p.start))) }

// End says that the part's work is over: from now on it owes no progress.
func (p *Part) End() { p.alive.Store(ended) }

// Silent is how long the part has shown no progress, 0 after its end.
func (p *Part) Silent() time.Duration {
	at := p.alive.Load()
	if at == ended {
		return 0
	}
	return time.Since(p.start) - time.Duration(at)
}

// Ready says that the station is set up.
func (m *Monitor) Ready() { m.notify(daemon.SdNotifyReady) }

// Stopping says that the station finishes what it has in hand.
func (m *Monitor) Stopping() { m.notify(daemon.SdNotifyStopping) }

// Status puts a line into `systemctl status`.
func (m *Monitor) Status(text string) { m.notify("STATUS=" + text) }

// Run feeds the watchdog until ctx ends, as long as every part makes progress.
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
		if hangs && !p.told {
			m.log.Error("a part of the station hangs: systemd is going to restart it", "part", p.name, "silent", silent.Round(time.Millisecond))
		}
		p.told = hangs
		alive = alive && !hangs
	}
	return alive
}
