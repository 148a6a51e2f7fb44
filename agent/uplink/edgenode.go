package uplink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"tirewatch/agent/config"
	"tirewatch/agent/sparkplug"
)

const (
	// replayPause lies between two messages of history, which are 50 verdicts each: a broker drops
	// what a host cannot take in time.
	replayPause = 50 * time.Millisecond
	// rememberPause is how often it is noted on the card which verdicts count as delivered.
	rememberPause = time.Minute
	// maxStates bounds the STATE messages that wait.
	maxStates = 16
)

// EdgeNode is the station's Sparkplug session: a connection of its own, with its own client id and
// will.
type EdgeNode struct {
	cfg      config.MQTT
	node     *sparkplug.Node
	wake     <-chan struct{}
	log      *slog.Logger
	progress func()

	changed chan struct{} // capacity 1: the facts are to be told

	pause       time.Duration // see firstPause
	replayPause time.Duration // see the constant

	mu    sync.Mutex
	facts sparkplug.Facts // guarded by mu
}

// NewEdgeNode prepares the session; Run makes it work. cfg is the connection with the session's own
// client id, wake receives when a verdict was stored, progress is as Options.Progress.
func NewEdgeNode(cfg config.MQTT, node *sparkplug.Node, wake <-chan struct{}, log *slog.Logger, progress func()) *EdgeNode {
	return &EdgeNode{cfg: cfg, node: node, wake: wake, log: log, progress: progress,
		changed: make(chan struct{}, 1), pause: firstPause, replayPause: replayPause}
}

// Change changes what the edge node reports beside verdicts. It does not block.
func (e *EdgeNode) Change(change func(f *sparkplug.Facts)) {
	e.mu.Lock()
	change(&e.facts)
	e.mu.Unlock()
	select {
	case e.changed <- struct{}{}:
	default:
	}
}

func (e *EdgeNode) currentFacts() sparkplug.Facts {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.facts
}

// Run keeps the session alive until ctx ends, and then ends it with an NDEATH.
func (e *EdgeNode) Run(ctx context.Context) {
	l := redialer{cfg: e.cfg, log: e.log.With("session", "sparkplug"), pause: e.pause, progress: e.progress, adjust: e.adjust, session: e.session,
		without: "no Sparkplug session, verdicts wait in the journal"}
	l.run(ctx)
}

// adjust leaves the death with the broker. The number in it is used up when the CONNECT leaves,
// which is when a connection stands.
func (e *EdgeNode) adjust(o *mqtt.ClientOptions) {
	will := e.node.Will(time.Now())
	o.SetBinaryWill(will.Topic, will.Payload, will.QoS, false)
	open := o.CustomOpenConnectionFn
	o.SetCustomOpenConnectionFn(func(broker *url.URL, options mqtt.ClientOptions) (net.Conn, error) {
		conn, err := open(broker, options)
		if err == nil {
			if err := e.node.Opening(); err != nil {
				e.log.Error("the number of this session is not on disk, the next may repeat it", "error", err)
			}
		}
		return conn, err
	})
}

// edgeSession is the time of one connection. It is owned by the goroutine of Run, but for its
// channels.
type edgeSession struct {
	*EdgeNode
	client mqtt.Client
	lost   <-chan error

	states  chan []byte   // STATE messages in their order
	rebirth chan struct{} // capacity 1: requests that come while one waits are the same request
	flooded chan struct{} // capacity 1: a STATE message found no room
}

func (e *EdgeNode) session(ctx context.Context, client mqtt.Client, lost <-chan error) error {
	s := &edgeSession{EdgeNode: e, client: client, lost: lost,
		states: make(chan []byte, maxStates), rebirth: make(chan struct{}, 1), flooded: make(chan struct{}, 1)}
	err := s.run(ctx)
	// before a DISCONNECT, which makes the broker forget the will
	for _, m := range e.node.End(time.Now()) {
		client.Publish(m.Topic, m.QoS, false, m.Payload).WaitTimeout(goodbye)
	}
	client.Disconnect(uint(goodbye.Milliseconds()))
	if err := e.node.Lost(time.Now()); err != nil {
		e.log.Error("after the next start more verdicts than needed are sent again", "error", err)
	}
	return err
}

func (s *edgeSession) run(ctx context.Context) error {
	if err := s.subscribe(ctx); err != nil {
		return err
	}
	if err := s.send(s.node.Begin(s.currentFacts(), time.Now())); err != nil {
		return err
	}
	if !s.node.Born() {
		s.log.Info("waiting for the primary host", "topic", s.node.Names().State())
	}
	beat := time.NewTicker(beatPause)
	defer beat.Stop()
	remember := time.NewTicker(rememberPause)
	defer remember.Stop()
	history := true
	var pace <-chan time.Time
	for {
		s.progress()
		replaying, err := s.sendData(ctx, history)
		if err != nil {
			return err
		}
		if replaying {
			history, pace = false, time.After(s.replayPause)
		}
		select {
		case <-pace:
			history, pace = true, nil
		case <-beat.C:
		case <-ctx.Done():
			return ctx.Err()
		case err := <-s.lost:
			return fmt.Errorf("broker %s: connection lost (%w)", s.cfg.Broker, err)
		case <-s.flooded:
			return fmt.Errorf("broker %s: too many messages on %s at once", s.cfg.Broker, s.node.Names().State())
		case <-s.wake:
		case <-s.changed:
			err = s.send(s.node.Update(s.currentFacts(), time.Now()))
		case <-s.rebirth:
			err = s.send(s.node.Rebirth(time.Now()))
		case payload := <-s.states:
			err = s.state(payload)
		case <-remember.C:
			if err := s.node.Save(); err != nil {
				s.log.Warn("after a crash more verdicts than needed would be sent again", "error", err)
			}
		}
		if err != nil {
			return err
		}
	}
}

// subscribe asks for commands and for the state of the primary host, before the births. A broker
// that forbids commands still gets the verdicts.
func (s *edgeSession) subscribe(ctx context.Context) error {
	names := s.node.Names()
	filters := map[string]byte{names.Command(): 1}
	if state := names.State(); state != "" {
		filters[state] = 1
	}
	granted, err := subscribe(ctx, s.client, s.lost, filters, s.receive)
	if err != nil {
		return fmt.Errorf("broker %s: %w", s.cfg.Broker, err)
	}
	for topic, ok := range granted {
		if !ok {
			s.log.Warn("the broker forbids a topic: a host cannot ask for a rebirth, or be waited for", "topic", topic)
		}
	}
	return nil
}

// receive is paho's handler. It must not block.
func (s *edgeSession) receive(_ mqtt.Client, m mqtt.Message) {
	if len(m.Payload()) > maxCommand {
		return
	}
	switch m.Topic() {
	case s.node.Names().Command():
		if sparkplug.AsksForRebirth(m.Payload()) {
			select {
			case s.rebirth <- struct{}{}:
			default:
			}
		}
	case s.node.Names().State():
		select {
		case s.states <- m.Payload():
		default:
			select {
			case s.flooded <- struct{}{}:
			default:
			}
		}
	}
}

// state takes what the primary host says. The death that a host's leaving brings is sent by
// session's end.
func (s *edgeSession) state(payload []byte) error {
	was := s.node.Born()
	births, err := s.node.State(payload, time.Now())
	switch {
	case errors.Is(err, sparkplug.ErrHostOffline):
		return errors.Join(s.send(births, nil), err)
	case err != nil:
		s.log.Warn("a message of the primary host is passed over", "topic", s.node.Names().State(), "error", err)
		return s.send(births, nil)
	}
	if s.node.Born() && !was {
		s.log.Info("the primary host is online")
	}
	return s.send(births, nil)
}

// sendData sends every new verdict, and one message of history if that may be. It returns whether
// it did.
func (s *edgeSession) sendData(ctx context.Context, history bool) (replayed bool, err error) {
	for ctx.Err() == nil {
		m, historical, err := s.node.Next(history, time.Now())
		if err != nil {
			return false, fmt.Errorf("verdicts for Sparkplug: %w", err)
		}
		if m == nil {
			return false, nil
		}
		if err := s.send([]sparkplug.Message{*m}, nil); err != nil {
			return false, err
		}
		if historical {
			return true, nil
		}
	}
	return false, nil
}

// send publishes in order and waits until each is written, so that a slow network slows the
// station's reading and not fills its memory.
func (s *edgeSession) send(messages []sparkplug.Message, err error) error {
	if err != nil {
		return err
	}
	timeout := time.NewTimer(ackTimeout)
	defer timeout.Stop()
	for _, m := range messages {
		token := s.client.Publish(m.Topic, m.QoS, false, m.Payload)
		select {
		case <-token.Done():
			if err := token.Error(); err != nil {
				return fmt.Errorf("broker %s: publish on %s: %w", s.cfg.Broker, m.Topic, err)
			}
		case err := <-s.lost:
			return fmt.Errorf("broker %s: connection lost (%w)", s.cfg.Broker, err)
		case <-timeout.C:
			return fmt.Errorf("broker %s: %s was not taken within %v", s.cfg.Broker, m.Topic, ackTimeout)
		}
	}
	return nil
}
