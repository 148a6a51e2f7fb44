package uplink

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"tirewatch/agent/config"
)

// Limits of the pause between two attempts to connect.
const (
	firstPause = 500 * time.Millisecond
	lastPause  = time.Minute
	// settled is how long a connection must last for the next pause to be firstPause again.
	settled = 30 * time.Second
)

// Log messages of the two connections of a station.
const (
	uplinkConnected       = "uplink: connected"
	uplinkDisconnected    = "uplink: disconnected"
	sparkplugConnected    = "sparkplug: connected"
	sparkplugDisconnected = "sparkplug: disconnected"
)

// redialer connects again whenever the connection ends. It is owned by the goroutine of run.
type redialer struct {
	cfg      config.MQTT
	log      *slog.Logger
	pause    time.Duration // before the second attempt, see firstPause
	progress func()
	adjust   func(*mqtt.ClientOptions)
	// works until ctx or the connection ends, and returns why
	session func(ctx context.Context, client mqtt.Client, lost <-chan error) error

	connected, disconnected string // log messages
}

// run works until ctx ends. It logs an error when it is new or its cause changes, not at each
// attempt.
func (r *redialer) run(ctx context.Context) {
	pause, logged := r.pause, ""
	for ctx.Err() == nil {
		r.progress()
		client, lost, err := connect(ctx, r.cfg, r.adjust)
		if err == nil {
			r.log.Info(r.connected, "broker", redacted(r.cfg.Broker))
			logged = ""
			start := time.Now()
			err = r.session(ctx, client, lost)
			if time.Since(start) > settled {
				pause = r.pause
			}
		}
		if ctx.Err() != nil {
			return
		}
		cause := err.Error()
		if t, ok := errors.AsType[*ConnectError](err); ok {
			cause = t.cause()
		}
		if cause != logged {
			logged = cause
			r.log.Warn(r.disconnected, "error", err)
		}
		// Half of the pause is random, so that the stations of a plant do not all connect at the
		// same moment.
		select {
		case <-time.After(pause/2 + rand.N(pause/2)):
		case <-ctx.Done():
			return
		}
		pause = min(2*pause, lastPause)
	}
}
