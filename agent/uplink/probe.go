package uplink

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"tirewatch/agent/config"
	"tirewatch/agent/message"
	"tirewatch/agent/sparkplug"
)

// Aside returns the station's login with another client id: the broker would disconnect a running
// agent if a second client used its id.
func Aside(cfg config.MQTT) config.MQTT {
	cfg.ClientID = fmt.Sprintf("%.40s-%s", cfg.ClientID, rand.Text()[:6])
	return cfg
}

// Try connects as the station does and subscribes to the topic that every station reads. It
// publishes nothing. If an agent may be running, cfg must be the result of Aside.
func Try(ctx context.Context, cfg config.MQTT, topics message.Topics) error {
	_, err := try(ctx, cfg, topics.Command(), "")
	return err
}

// TrySparkplug does the same for the station's Sparkplug session. It returns the retained STATE of
// the primary host; nil if there is none, or no such host.
func TrySparkplug(ctx context.Context, cfg config.MQTT, names sparkplug.Names) (state []byte, err error) {
	return try(ctx, cfg, names.Command(), names.State())
}

// try connects and subscribes to topic and, unless it is empty, to retained. It returns the message
// that the broker has retained there, or nil.
func try(ctx context.Context, cfg config.MQTT, topic, retained string) (found []byte, err error) {
	client, lost, err := connect(ctx, cfg, nil)
	if err != nil {
		return nil, err
	}
	defer client.Disconnect(uint(goodbyeTimeout.Milliseconds()))
	messages := make(chan []byte, 1)
	filters := map[string]byte{topic: 1}
	if retained != "" {
		filters[retained] = 1
	}
	granted, err := subscribe(ctx, client, lost, filters, func(_ mqtt.Client, m mqtt.Message) {
		if m.Topic() != retained {
			return
		}
		select {
		case messages <- m.Payload():
		default:
		}
	})
	if err != nil {
		return nil, brokerError(cfg, err)
	}
	for topic, ok := range granted {
		if !ok {
			return nil, brokerError(cfg, fmt.Errorf("%w to read %s", ErrForbidden, topic))
		}
	}
	if retained == "" {
		return nil, nil
	}
	select {
	case found = <-messages:
		return found, nil
	case <-time.After(retainedTimeout):
		return nil, nil
	case err := <-lost:
		return nil, brokerError(cfg, lostError(err))
	case <-ctx.Done():
		return nil, brokerError(cfg, contextError(ctx, "read "+retained))
	}
}

// Leave publishes one retained message as the station, beside a running agent, and waits until the
// broker has acknowledged it.
func Leave(ctx context.Context, cfg config.MQTT, topic string, message any) error {
	client, lost, err := connect(ctx, Aside(cfg), nil)
	if err != nil {
		return err
	}
	defer client.Disconnect(uint(goodbyeTimeout.Milliseconds()))
	token := client.Publish(topic, 1, true, encode(message))
	select {
	case <-token.Done():
		if err := token.Error(); err != nil {
			return brokerError(cfg, fmt.Errorf("publish on %s: %w", topic, err))
		}
		return nil
	case err := <-lost:
		return brokerError(cfg, lostError(err))
	case <-ctx.Done():
		return brokerError(cfg, contextError(ctx, "publish on "+topic))
	}
}
