package uplink_test

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"tirewatch/agent/uplink"
	"tirewatch/agent/uplink/brokertest"
)

// An uplink reports progress with and without a broker: a missing broker must not restart the
// station.
func TestProgress(t *testing.T) {
	broker := brokertest.New(t) // down
	beats := make(chan struct{}, 1000)
	u := uplink.New(settings(broker.URL()), topics, newJournal(t), slog.New(slog.NewTextHandler(io.Discard, nil)),
		uplink.Options{Progress: func() { beats <- struct{}{} }})
	run(t, u)
	beat := func(when string) {
		t.Helper()
		select {
		case <-beats:
		case <-time.After(15 * time.Minute):
			t.Fatalf("no progress %s", when)
		}
	}
	beat("at the start")
	beat("at the second attempt")
	broker.Restart()
	beat("with a broker")
}
