// Package health tells systemd how the station is: that it is ready, that it is alive, that it stops.
//
// systemd restarts a service of type notify whose watchdog is not fed (WatchdogSec=). The station feeds it only while its loop makes
// progress, so that a process that hangs in a driver counts as dead although it runs: it is restarted after one to two times
// WatchdogSec. A minute is the least: opening a network camera may take that long. Newcomers need New, Monitor.Run and Monitor.Progress.
package health

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Monitor speaks to systemd. Without systemd it does nothing. Its methods may be called from any goroutine.
type Monitor struct {
	log      *slog.Logger
	watchdog time.Duration // 0: systemd does not watch
	notify   func(state string)
	start    time.Time    // of the monitor: what is counted from it does not jump with the clock
	alive    atomic.Int64 // time of the last progress since start, ns
}

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
	m.Progress()
	return m
}

// Ready says that the station is set up.
func (m *Monitor) Ready() { m.notify(daemon.SdNotifyReady) }

// Stopping says that the station finishes what it has in hand.
func (m *Monitor) Stopping() { m.notify(daemon.SdNotifyStopping) }

// Status puts a line into `systemctl status`.
func (m *Monitor) Status(text string) { m.notify("STATUS=" + text) }

// Progress says that the station's loop is alive. It costs next to nothing: call it for every frame.
func (m *Monitor) Progress() { m.alive.Store(int64(time.Since(m.start))) }

// Run feeds the watchdog until ctx ends, as long as there is progress.
func (m *Monitor) Run(ctx context.Context) {
	if m.watchdog <= 0 {
		return
	}
	tick := time.NewTicker(m.watchdog / 4)
	defer tick.Stop()
	hungry := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		silent := time.Since(m.start) - time.Duration(m.alive.Load())
		if silent < m.watchdog {
			m.notify(daemon.SdNotifyWatchdog)
			hungry = false
		} else if !hungry {
			hungry = true
			m.log.Error("the station's loop hangs: systemd is going to restart it", "silent", silent.Round(time.Millisecond))
		}
	}
}
