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

// Errors of Push, Ask, Inquire and Watch that a caller can give advice on.
var (
	ErrForbidden      = errors.New("the broker does not allow this user")
	ErrUnknownStation = errors.New("the broker has never heard of the station")
	ErrOffline        = errors.New("the station is offline")
	ErrNoAnswer       = errors.New("the station gave no answer")
)

// RefusedError is the station's refusal of a bundle.
type RefusedError struct {
	Station string
	Reason  string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("station %s refused the bundle: %s", e.Station, e.Reason)
}

// Target say where Push sends to.
type Target struct {
	MQTT    config.MQTT // Broker, Root and how to log in; an empty ClientID lets the broker choose
	Station string      // site/line/name
}

// knownWithin is how long a broker may take to hand out what it has retained.
const knownWithin = 3 * time.Second

// Push sends a bundle to a station and waits until it answers or ctx ends. The answer is about
// these very bytes and newer than the push. Errors: *RefusedError, ErrUnknownStation, ErrOffline,
// ErrNoAnswer, ErrForbidden, or why there is no connection.
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
		o.SetWriteTimeout(0) // a bundle may take long on a slow line; ctx bounds it
	})
	if err != nil {
		return nil, err
	}
	defer client.Disconnect(uint(goodbye.Milliseconds()))
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

// stationClient talks to one station for Push, Ask and Inquire. All of it is owned by the goroutine of push, but for messages, which
// paho fills.
type stationClient struct {
	Target
	client   mqtt.Client
	lost     <-chan error
	messages chan mqtt.Message
	leave    func() // of visit

	status *message.Status     // the last that came
	model  *message.ModelState // the last that came
	health *message.Health     // the last that came
}

// learn waits for what the broker has retained about the station. The broker sends what it retained
// for one subscription before it looks at the next, so the status comes last. Figures are a
// courtesy: a broker may keep them from this client.
func (p *stationClient) learn(ctx context.Context) error {
	topics := message.Topics{Root: p.MQTT.Root, Station: p.Station}
	handle := func(_ mqtt.Client, m mqtt.Message) {
		select {
		case p.messages <- m:
		case <-ctx.Done(): // push has returned
		}
	}
	for _, topic := range []string{topics.Health(), topics.Model(), topics.Status()} {
		granted, err := subscribe(ctx, p.client, p.lost, map[string]byte{topic: 1}, handle)
		if err != nil {
			return err
		}
		if !granted[topic] && topic != topics.Health() {
			return fmt.Errorf("%w to read %s", ErrForbidden, topic)
		}
	}
	timeout := time.NewTimer(knownWithin)
	defer timeout.Stop()
	for p.status == nil {
		select {
		case m := <-p.messages:
			p.note(m)
		case err := <-p.lost:
			return fmt.Errorf("broker %s: connection lost (%w)", p.MQTT.Broker, err)
		case <-timeout.C:
			return fmt.Errorf("%w %s", ErrUnknownStation, p.Station)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// note remembers what a station says. What cannot be read is as good as absent.
func (p *stationClient) note(m mqtt.Message) {
	switch topics := (message.Topics{Root: p.MQTT.Root, Station: p.Station}); m.Topic() {
	case topics.Status():
		remember(&p.status, m.Payload())
	case topics.Model():
		remember(&p.model, m.Payload())
	case topics.Health():
		remember(&p.health, m.Payload())
	}
}

func remember[M any](last **M, payload []byte) {
	var m M
	if json.Unmarshal(payload, &m) == nil {
		*last = &m
	}
}

// answer is the last one that came, an empty one if there was none.
func (p *stationClient) answer() message.Answer {
	if p.model == nil || p.model.Answer == nil {
		return message.Answer{}
	}
	return *p.model.Answer
}

// describe is the last status in words.
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

// send publishes the bundle and waits for an answer about it that was not there before.
func (p *stationClient) send(ctx context.Context, data []byte) (*message.Answer, error) {
	before, hash := p.answer(), message.BundleHash(data)
	topic := message.Topics{Root: p.MQTT.Root, Station: p.Station}.ModelSet()
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
				return nil, fmt.Errorf("broker %s: the bundle was not taken, it may exceed the broker's message size limit (%w)", p.MQTT.Broker, err)
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
			return nil, fmt.Errorf("broker %s: connection lost, the bundle of %d bytes may exceed the broker's message size limit (%w)",
				p.MQTT.Broker, len(data), err)
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return nil, fmt.Errorf("%w in time: %s", ErrNoAnswer, p.describe())
			}
			return nil, ctx.Err()
		}
	}
}
