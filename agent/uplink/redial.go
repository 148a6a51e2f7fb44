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

// Limits of the time between two attempts to connect.
const (
	firstPause = 500 * time.Millisecond
	lastPause  = time.Minute
	// settled is how long a connection lasts until the next loss starts again with firstPause.
	settled = 30 * time.Second
)

// redialer is a connection that is made again whenever it ends. It belongs to the goroutine of run.
type redialer struct {
	cfg      config.MQTT
	log      *slog.Logger
	pause    time.Duration // before the second attempt, see firstPause
	progress func()
	adjust   func(*mqtt.ClientOptions)
	// works until ctx or the connection ends, and says why
	session func(ctx context.Context, client mqtt.Client, lost <-chan error) error
	// what it means to have none, for the log
	without string
}

// run works until ctx ends. A failure is logged when it begins and when its cause changes, not at
// each attempt.
func (l *redialer) run(ctx context.Context) {
	pause, logged := l.pause, ""
	for ctx.Err() == nil {
		l.progress()
		client, lost, err := connect(ctx, l.cfg, l.adjust)
		if err == nil {
			l.log.Info("connected to the broker", "broker", l.cfg.Broker)
			logged = ""
			start := time.Now()
			err = l.session(ctx, client, lost)
			if time.Since(start) > settled {
				pause = l.pause
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
			l.log.Warn(l.without, "error", err)
		}
		// Half of the pause is random, so that a hall full of stations does not come back in one
		// moment.
		select {
		case <-time.After(pause/2 + rand.N(pause/2)):
		case <-ctx.Done():
			return
		}
		pause = min(2*pause, lastPause)
	}
}
