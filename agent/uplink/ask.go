package uplink

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"

	"tirewatch/agent/message"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// CommandError says that a station refused a command.
type CommandError struct {
	Station string
	Command string
	Reason  string
}

func (e *CommandError) Error() string {
	return fmt.Sprintf("station %s refused the command %s: %s", e.Station, e.Command, e.Reason)
}

// Ask sends a command to a station and waits until it is done or ctx ends. Errors: *CommandError,
// ErrUnknownStation, ErrOffline, ErrNoAnswer, ErrForbidden, or why there is no connection.
func Ask(ctx context.Context, opts Target, command string) error {
	if err := ask(ctx, opts, command); err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	return nil
}

func ask(ctx context.Context, opts Target, command string) error {
	p, err := dialStation(ctx, opts)
	if err != nil {
		return err
	}
	defer p.leave()
	if p.status.State != message.Online {
		return fmt.Errorf("%w: %s", ErrOffline, p.describe())
	}
	topics := p.topics()
	replies := make(chan message.CommandReply, 64)
	handle := func(_ mqtt.Client, m mqtt.Message) {
		var r message.CommandReply
		if json.Unmarshal(m.Payload(), &r) != nil {
			return
		}
		select {
		case replies <- r:
		default: // too many replies to others; a new attempt sends ours again
		}
	}
	granted, err := subscribe(ctx, p.client, p.lost, map[string]byte{topics.CommandReply(): 1}, handle)
	if err != nil {
		return brokerError(p.MQTT, err)
	}
	if !granted[topics.CommandReply()] {
		return fmt.Errorf("%w to read %s", ErrForbidden, topics.CommandReply())
	}
	id := rand.Text()
	p.client.Publish(topics.Command(), 1, false, encode(message.Command{ID: id, Name: command}))
	for {
		select {
		case r := <-replies:
			switch {
			case r.ID != id: // a reply to somebody else
			case r.OK:
				return nil
			default:
				return &CommandError{Station: p.Station, Command: command, Reason: r.Error}
			}
		case <-p.messages: // later status and model messages are ignored
		case err := <-p.lost:
			return brokerError(p.MQTT, lostError(err))
		case <-ctx.Done():
			return p.noAnswer(ctx)
		}
	}
}

// Known is what the broker knows about a station.
type Known struct {
	Station string              `json:"station"`
	Status  *message.Status     `json:"status"`
	Model   *message.ModelState `json:"model"`
	// the last health message; nil if there is none, or if this client must not read it
	Health *message.Health `json:"health,omitempty"`
}

// Inquire returns what the broker knows about a station. The station may be offline.
func Inquire(ctx context.Context, opts Target) (*Known, error) {
	p, err := dialStation(ctx, opts)
	if err != nil {
		return nil, fmt.Errorf("status: %w", err)
	}
	defer p.leave()
	if p.model == nil {
		p.model = &message.ModelState{}
	}
	return &Known{Station: p.Station, Status: p.status, Model: p.model, Health: p.health}, nil
}

// dialStation connects and reads what the broker has retained about a station.
func dialStation(ctx context.Context, opts Target) (*stationClient, error) {
	client, lost, err := connect(ctx, opts.MQTT, nil)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	p := &stationClient{Target: opts, client: client, lost: lost, messages: make(chan mqtt.Message, 64)}
	p.leave = func() {
		cancel()
		client.Disconnect(uint(goodbyeTimeout.Milliseconds()))
	}
	if err := p.learn(ctx); err != nil {
		p.leave()
		return nil, err
	}
	return p, nil
}

// noAnswer is the error of a station that did not answer before ctx ended.
func (p *stationClient) noAnswer(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w in time: %s", ErrNoAnswer, p.describe())
	}
	return ctx.Err()
}
