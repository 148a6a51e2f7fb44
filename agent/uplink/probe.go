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

// Aside is the station's login under a client id of its own: the broker would throw a running agent
// out for a second one with its id.
func Aside(cfg config.MQTT) config.MQTT {
	cfg.ClientID = fmt.Sprintf("%.40s-%s", cfg.ClientID, rand.Text()[:6])
	return cfg
}

// Try connects as the station would and asks for the topic that every station reads. It publishes
// nothing. Where an agent may run cfg must be Aside.
func Try(ctx context.Context, cfg config.MQTT, topics message.Topics) error {
	_, err := try(ctx, cfg, topics.Command(), "")
	return err
}

// TrySparkplug does the same for the station's Sparkplug session. It returns the STATE that the
// broker has of the primary host; nil: none, or there is no such host.
func TrySparkplug(ctx context.Context, cfg config.MQTT, names sparkplug.Names) (state []byte, err error) {
	return try(ctx, cfg, names.Command(), names.State())
}

// try connects, asks for a topic and, unless it is empty, for another one, of which it returns what
// is retained.
func try(ctx context.Context, cfg config.MQTT, topic, retained string) (found []byte, err error) {
	client, lost, err := connect(ctx, cfg, nil)
	if err != nil {
		return nil, err
	}
	defer client.Disconnect(uint(goodbye.Milliseconds()))
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
		return nil, fmt.Errorf("broker %s: %w", cfg.Broker, err)
	}
	for topic, ok := range granted {
		if !ok {
			return nil, fmt.Errorf("broker %s: %w to read %s", cfg.Broker, ErrForbidden, topic)
		}
	}
	if retained == "" {
		return nil, nil
	}
	select {
	case found = <-messages:
		return found, nil
	case <-time.After(knownWithin):
		return nil, nil
	case err := <-lost:
		return nil, fmt.Errorf("broker %s: connection lost (%w)", cfg.Broker, err)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Leave publishes one retained message as the station, beside a running agent, and waits until the
// broker has taken it.
func Leave(ctx context.Context, cfg config.MQTT, topic string, message any) error {
	client, lost, err := connect(ctx, Aside(cfg), nil)
	if err != nil {
		return err
	}
	defer client.Disconnect(uint(goodbye.Milliseconds()))
	token := client.Publish(topic, 1, true, encode(message))
	select {
	case <-token.Done():
		err = token.Error()
	case err = <-lost:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("broker %s: publish on %s: %w", cfg.Broker, topic, err)
	}
	return nil
}
