package uplink

import (
	"context"
	"crypto/rand"
	"fmt"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"tirewatch/agent/config"
)

// aside is the station's login under a client id of its own: the broker would throw a running agent out for a second one with its id.
func aside(cfg config.MQTT) config.MQTT {
	cfg.ClientID = fmt.Sprintf("%.40s-%s", cfg.ClientID, rand.Text()[:6])
	return cfg
}

// Try connects as the station would, beside a running agent, and asks for the topic that every station reads. It publishes nothing.
func Try(ctx context.Context, cfg config.MQTT, topics Topics) error {
	client, lost, err := connect(ctx, aside(cfg), nil)
	if err != nil {
		return err
	}
	defer client.Disconnect(uint(goodbye.Milliseconds()))
	topic := topics.Command()
	granted, err := subscribe(ctx, client, lost, map[string]byte{topic: 1}, func(mqtt.Client, mqtt.Message) {})
	if err != nil {
		return fmt.Errorf("broker %s: %w", cfg.Broker, err)
	}
	if !granted[topic] {
		return fmt.Errorf("broker %s: %w to read %s", cfg.Broker, ErrForbidden, topic)
	}
	return nil
}

// Leave publishes one retained message as the station, beside a running agent, and waits until the broker has taken it.
func Leave(ctx context.Context, cfg config.MQTT, topic string, message any) error {
	client, lost, err := connect(ctx, aside(cfg), nil)
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
