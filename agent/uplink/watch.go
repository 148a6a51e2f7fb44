package uplink

import (
	"context"
	"errors"
	"fmt"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"tirewatch/agent/config"
	"tirewatch/agent/message"
	"tirewatch/vision/verdict"
)

// WatchOptions are the options of [Watch].
type WatchOptions struct {
	MQTT    config.MQTT // Broker, Root and login; if ClientID is empty, the broker chooses one
	Station string      // site/line/name, or AllStations

	// called with events for the user: listening, connection lost, an invalid message
	Notice func(text string)
}

// watchBuffer is how many verdicts may wait for a slow receiver.
const watchBuffer = 4096

// Watch calls receive for each verdict of the stations until ctx ends, and then returns nil. It
// returns an error if the first connection fails; after a later loss it keeps trying. Verdicts sent
// while there is no connection are missed, and a verdict may be received twice.
func Watch(ctx context.Context, opts WatchOptions, receive func(topic string, v *verdict.Verdict)) error {
	messages := make(chan mqtt.Message, watchBuffer)
	for pause, first := firstPause, true; ; first = false {
		client, lost, err := connect(ctx, opts.MQTT, nil)
		if err == nil {
			pause = firstPause
			err = watch(ctx, opts, client, lost, messages, receive)
			client.Disconnect(uint(goodbyeTimeout.Milliseconds()))
		}
		if ctx.Err() != nil {
			return nil
		}
		if first && client == nil || errors.Is(err, ErrForbidden) {
			return fmt.Errorf("watch: %w", err)
		}
		opts.Notice(err.Error() + "; trying again")
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
		pause = min(2*pause, lastPause)
	}
}

// watch works until the connection or ctx ends.
func watch(ctx context.Context, opts WatchOptions, client mqtt.Client, lost <-chan error, messages chan mqtt.Message,
	receive func(string, *verdict.Verdict)) error {
	topic := message.Topics{Root: opts.MQTT.Root, Station: opts.Station}.Verdict()
	full := make(chan struct{}, 1)
	granted, err := subscribe(ctx, client, lost, map[string]byte{topic: 1}, func(_ mqtt.Client, m mqtt.Message) {
		select {
		case messages <- m:
		default: // blocking here would stop paho from answering the broker
			select {
			case full <- struct{}{}:
			default:
			}
		}
	})
	if err != nil {
		return brokerError(opts.MQTT, err)
	}
	if !granted[topic] {
		return fmt.Errorf("%w to read %s", ErrForbidden, topic)
	}
	opts.Notice("listening to " + topic + " on " + redacted(opts.MQTT.Broker))
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-lost:
			return brokerError(opts.MQTT, lostError(err))
		case <-full:
			opts.Notice("verdicts skipped: the output is too slow")
		case m := <-messages:
			v, err := verdict.Decode(m.Payload())
			if err != nil {
				opts.Notice(fmt.Sprintf("%s: %v", m.Topic(), err))
				continue
			}
			receive(m.Topic(), v)
		}
	}
}
