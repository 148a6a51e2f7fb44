package uplink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"tirewatch/agent/config"
	"tirewatch/agent/message"
)

// Errors of Push, Ask, Inquire and Watch for which a caller can give advice.
var (
	ErrForbidden      = errors.New("the broker does not allow this user")
	ErrUnknownStation = errors.New("the broker does not know the station")
	ErrOffline        = errors.New("the station is offline")
	ErrNoAnswer       = errors.New("the station did not answer")
)

// RefusedError says that a station refused a bundle.
type RefusedError struct {
	Station string
	Reason  string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("station %s refused the bundle: %s", e.Station, e.Reason)
}

// Target is a station and the broker that leads to it.
type Target struct {
	MQTT    config.MQTT // Broker, Root and login; if ClientID is empty, the broker chooses one
	Station string      // site/line/name
}

// retainedTimeout is how long a broker may take to send its retained messages.
const retainedTimeout = 3 * time.Second

// Push sends a bundle to a station and waits until the station answers or ctx ends. The answer is
// about exactly these bytes and newer than the push. Errors: *RefusedError, ErrUnknownStation,
// ErrOffline, ErrNoAnswer, ErrForbidden, or why there is no connection.
func Push(ctx context.Context, opts Target, data []byte) (*message.Answer, error) {
	answer, err := push(ctx, opts, data)
	if err != nil {
		return nil, fmt.Errorf("push: %w", err)
	}
	return answer, nil
}

func push(ctx context.Context, opts Target, data []byte) (*message.Answer, error) {
	if len(data) == 0 || len(data) > message.MaxBundle {
		return nil, fmt.Errorf("the bundle has %d bytes, want 1 to %d", len(data), message.MaxBundle)
	}
	client, lost, err := connect(ctx, opts.MQTT, func(o *mqtt.ClientOptions) {
		o.SetWriteTimeout(0) // a bundle takes long on a slow line; ctx limits it
	})
	if err != nil {
		return nil, err
	}
	defer client.Disconnect(uint(goodbyeTimeout.Milliseconds()))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := &stationClient{Target: opts, client: client, lost: lost, messages: make(chan mqtt.Message, 64)}
	if err := p.learn(ctx); err != nil {
		return nil, err
	}
	if p.status.State != message.Online {
		return nil, fmt.Errorf("%w: %s", ErrOffline, p.describe())
	}
	return p.send(ctx, data)
}

// stationClient talks to one station for Push, Ask and Inquire. It is owned by the caller's
// goroutine; paho only sends on messages.
type stationClient struct {
	Target
	client   mqtt.Client
	lost     <-chan error
	messages chan mqtt.Message
	leave    func() // disconnects; set by dialStation

	// the last message of each kind, or nil
	status *message.Status
	model  *message.ModelState
	health *message.Health
}

func (p *stationClient) topics() message.Topics {
	return message.Topics{Root: p.MQTT.Root, Station: p.Station}
}

// learn waits for what the broker has retained about the station. The broker sends the retained
// messages of one subscription before it handles the next, so the status arrives last. The health
// is optional: a broker may forbid it to this client.
func (p *stationClient) learn(ctx context.Context) error {
	topics := p.topics()
	handle := func(_ mqtt.Client, m mqtt.Message) {
		select {
		case p.messages <- m:
		case <-ctx.Done(): // nobody reads messages now
		}
	}
	for _, topic := range []string{topics.Health(), topics.Model(), topics.Status()} {
		granted, err := subscribe(ctx, p.client, p.lost, map[string]byte{topic: 1}, handle)
		if err != nil {
			return brokerError(p.MQTT, err)
		}
		if !granted[topic] && topic != topics.Health() {
			return fmt.Errorf("%w to read %s", ErrForbidden, topic)
		}
	}
	timeout := time.NewTimer(retainedTimeout)
	defer timeout.Stop()
	for p.status == nil {
		select {
		case m := <-p.messages:
			p.note(m)
		case err := <-p.lost:
			return brokerError(p.MQTT, lostError(err))
		case <-timeout.C:
			return fmt.Errorf("%w %s", ErrUnknownStation, p.Station)
		case <-ctx.Done():
			return brokerError(p.MQTT, contextError(ctx, "read the status of "+p.Station))
		}
	}
	return nil
}

// note stores a message of the station. A malformed one is ignored.
func (p *stationClient) note(m mqtt.Message) {
	switch topics := p.topics(); m.Topic() {
	case topics.Status():
		store(&p.status, m.Payload())
	case topics.Model():
		store(&p.model, m.Payload())
	case topics.Health():
		store(&p.health, m.Payload())
	}
}

func store[M any](last **M, payload []byte) {
	var m M
	if json.Unmarshal(payload, &m) == nil {
		*last = &m
	}
}

// answer returns the last answer to a push, or an empty one.
func (p *stationClient) answer() message.Answer {
	if p.model == nil || p.model.Answer == nil {
		return message.Answer{}
	}
	return *p.model.Answer
}

// describe returns the last status in words.
func (p *stationClient) describe() string {
	text := fmt.Sprintf("%s is %s", p.Station, p.status.State)
	if p.status.Reason != "" {
		text += ", " + p.status.Reason
	}
	if !p.status.Since.IsZero() {
		text += ", since " + p.status.Since.Format(time.RFC3339)
	}
	if p.status.Problem != "" {
		text += ", " + p.status.Problem
	}
	return text
}

// send publishes the bundle and waits for a new answer about it.
func (p *stationClient) send(ctx context.Context, data []byte) (*message.Answer, error) {
	before, hash := p.answer(), message.BundleHash(data)
	topic := p.topics().ModelSet()
	published := make(chan error, 1)
	go func() {
		token := p.client.Publish(topic, 1, false, data)
		<-token.Done()
		published <- token.Error()
	}()
	for {
		select {
		case err := <-published:
			if err != nil {
				return nil, brokerError(p.MQTT,
					fmt.Errorf("the bundle was not sent, it may exceed the broker's message size limit (%w)", err))
			}
			published = nil
		case m := <-p.messages:
			p.note(m)
			if a := p.answer(); a.Hash == hash && a != before {
				if !a.Accepted {
					return nil, &RefusedError{Station: p.Station, Reason: a.Reason}
				}
				return &a, nil
			}
		case err := <-p.lost:
			return nil, brokerError(p.MQTT, fmt.Errorf("connection lost, "+
				"the bundle of %d bytes may exceed the broker's message size limit (%w)", len(data), err))
		case <-ctx.Done():
			return nil, p.noAnswer(ctx)
		}
	}
}
