package health

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestNotifySocket sends to a socket like systemd's.
func TestNotifySocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "60000000")
	m := New(slog.New(slog.DiscardHandler))
	if m.watchdog != time.Minute {
		t.Errorf("watchdog %v; want 1m", m.watchdog)
	}
	for _, c := range []struct {
		tell func()
		want string
	}{
		{m.Ready, "READY=1"},
		{func() { m.Status("camera: gone") }, "STATUS=camera: gone"},
		{m.Stopping, "STOPPING=1"},
	} {
		c.tell()
		buf := make([]byte, 256)
		n, err := conn.Read(buf)
		if err != nil || string(buf[:n]) != c.want {
			t.Errorf("systemd reads %q, %v; want %q", buf[:n], err, c.want)
		}
	}
}

func TestWithoutSystemd(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "")
	var log bytes.Buffer
	m := New(slog.New(slog.NewTextHandler(&log, nil)))
	m.Ready()
	m.Run(t.Context()) // returns at once: there is no watchdog
	if log.Len() > 0 {
		t.Errorf("log %s", &log)
	}
}

// TestWatchdogIsFedOnlyWithProgress runs a loop that works for two minutes, hangs for two, and
// works again.
func TestWatchdogIsFedOnlyWithProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		start := time.Now()
		var fed []time.Duration
		m := &Monitor{log: slog.New(slog.NewTextHandler(&log, nil)), watchdog: time.Minute, start: time.Now()}
		m.notify = func(state string) {
			if state != "WATCHDOG=1" {
				t.Errorf("state %q", state)
			}
			fed = append(fed, time.Since(start))
		}
		loop, uplink, over := m.Part("loop", 0), m.Part("uplink", time.Hour), m.Part("over", 0)
		uplink.Progress() // once: it may be silent for longer than this test
		over.End()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute+time.Second)
		defer cancel()
		go func() {
			for range 299 {
				time.Sleep(time.Second)
				if at := time.Since(start); at <= 2*time.Minute || at >= 4*time.Minute {
					loop.Progress()
				}
			}
		}()
		m.Run(ctx)
		longest := time.Duration(0)
		for i := 1; i < len(fed); i++ {
			longest = max(longest, fed[i]-fed[i-1])
		}
		if longest <= time.Minute {
			t.Errorf("the longest pause is %v: systemd would not notice that the loop hangs", longest)
		}
		if slices.ContainsFunc(fed, func(at time.Duration) bool { return at > 3*time.Minute+time.Second && at < 4*time.Minute }) {
			t.Errorf("fed at %v, while the loop hung", fed)
		}
		if fed[0] > 30*time.Second || fed[len(fed)-1] < 4*time.Minute+30*time.Second {
			t.Errorf("fed from %v to %v", fed[0], fed[len(fed)-1])
		}
		if n := strings.Count(log.String(), "part=loop"); n != 1 || strings.Count(log.String(), "hangs") != 1 {
			t.Errorf("%d messages; want 1: %s", n, &log)
		}
	})
}
