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
	// replayPause is the time between two messages of history, of 50 verdicts each: a broker drops
	// what a host cannot receive in time.
	replayPause = 50 * time.Millisecond
	// savePause is how often the session file records which verdicts count as delivered.
	savePause = time.Minute
	// maxStates is the largest number of STATE messages that wait.
	maxStates = 16
)

// EdgeNode is the station's Sparkplug session. It has its own connection, client id and will.
type EdgeNode struct {
	cfg      config.MQTT
	node     *sparkplug.Node
	wake     <-chan struct{}
	log      *slog.Logger
	progress func()

	changed chan struct{} // capacity 1: facts were changed

	pause       time.Duration // see firstPause
	replayPause time.Duration // see the constant

	mu    sync.Mutex
	facts sparkplug.Facts // guarded by mu
}

// NewEdgeNode returns a node that is not connected; Run connects it. cfg contains the session's own
// client id, wake receives when a verdict was stored, and progress is called like Options.Progress.
func NewEdgeNode(
	cfg config.MQTT, node *sparkplug.Node, wake <-chan struct{}, log *slog.Logger, progress func(),
) *EdgeNode {
	return &EdgeNode{
		cfg: cfg, node: node, wake: wake, log: log, progress: progress,
		changed: make(chan struct{}, 1), pause: firstPause, replayPause: replayPause,
	}
}

// Change changes what the edge node reports in addition to verdicts. It does not block.
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

// Run keeps a session open until ctx ends, and then ends it with an NDEATH.
func (e *EdgeNode) Run(ctx context.Context) {
	r := redialer{
		cfg: e.cfg, log: e.log, pause: e.pause, progress: e.progress, adjust: e.adjust, session: e.session,
		connected: sparkplugConnected, disconnected: sparkplugDisconnected,
	}
	r.run(ctx)
}

// adjust sets the death as the will. Its number is used up when the CONNECT packet is sent, which
// is as soon as the network connection is open.
func (e *EdgeNode) adjust(o *mqtt.ClientOptions) {
	will := e.node.Will(time.Now())
	o.SetBinaryWill(will.Topic, will.Payload, will.QoS, false)
	open := o.CustomOpenConnectionFn
	o.SetCustomOpenConnectionFn(func(broker *url.URL, options mqtt.ClientOptions) (net.Conn, error) {
		conn, err := open(broker, options)
		if err == nil {
			if err := e.node.Opening(); err != nil {
				e.log.Error("sparkplug: save of session number failed", "error", err)
			}
		}
		return conn, err
	})
}

// edgeSession is one connection. It is owned by the goroutine of Run; paho only sends on its
// channels.
type edgeSession struct {
	*EdgeNode
	client mqtt.Client
	lost   <-chan error

	states  chan []byte   // STATE messages in the order of arrival
	rebirth chan struct{} // capacity 1: a second request while one waits is the same request
	flooded chan struct{} // capacity 1: states was full
}

func (e *EdgeNode) session(ctx context.Context, client mqtt.Client, lost <-chan error) error {
	s := &edgeSession{
		EdgeNode: e, client: client, lost: lost,
		states: make(chan []byte, maxStates), rebirth: make(chan struct{}, 1), flooded: make(chan struct{}, 1),
	}
	err := s.run(ctx)
	// before DISCONNECT, after which the broker does not publish the will
	for _, m := range e.node.End(time.Now()) {
		client.Publish(m.Topic, m.QoS, false, m.Payload).WaitTimeout(goodbyeTimeout)
	}
	client.Disconnect(uint(goodbyeTimeout.Milliseconds()))
	if err := e.node.Lost(time.Now()); err != nil {
		e.log.Error("sparkplug: save of session state failed", "error", err)
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
		s.log.Info("sparkplug: waiting for primary host", "topic", s.node.Names().State())
	}
	progress := time.NewTicker(progressPause)
	defer progress.Stop()
	save := time.NewTicker(savePause)
	defer save.Stop()
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
		case <-progress.C:
		case <-ctx.Done():
			return ctx.Err()
		case err := <-s.lost:
			return brokerError(s.cfg, lostError(err))
		case <-s.flooded:
			return brokerError(s.cfg, fmt.Errorf("too many messages on %s at once", s.node.Names().State()))
		case <-s.wake:
		case <-s.changed:
			err = s.send(s.node.Update(s.currentFacts(), time.Now()))
		case <-s.rebirth:
			err = s.send(s.node.Rebirth(time.Now()))
		case payload := <-s.states:
			err = s.state(payload)
		case <-save.C:
			if err := s.node.Save(); err != nil {
				s.log.Warn("sparkplug: save of session state failed", "error", err)
			}
		}
		if err != nil {
			return err
		}
	}
}

// subscribe subscribes to commands and to the state of the primary host, before the births. A
// broker that forbids commands still receives the verdicts.
func (s *edgeSession) subscribe(ctx context.Context) error {
	names := s.node.Names()
	filters := map[string]byte{names.Command(): 1}
	if state := names.State(); state != "" {
		filters[state] = 1
	}
	granted, err := subscribe(ctx, s.client, s.lost, filters, s.receive)
	if err != nil {
		return brokerError(s.cfg, err)
	}
	for topic, ok := range granted {
		if !ok {
			s.log.Warn("sparkplug: subscription refused", "topic", topic)
		}
	}
	return nil
}

// receive is called by paho. It must not block.
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

// state handles a STATE message of the primary host. If the host went offline during a session, the
// messages to send are the death, and the connection ends.
func (s *edgeSession) state(payload []byte) error {
	wasBorn := s.node.Born()
	messages, err := s.node.State(payload, time.Now())
	switch {
	case errors.Is(err, sparkplug.ErrHostOffline):
		return errors.Join(s.send(messages, nil), err)
	case err != nil:
		s.log.Warn("sparkplug: STATE message ignored", "topic", s.node.Names().State(), "error", err)
		return s.send(messages, nil)
	}
	if s.node.Born() && !wasBorn {
		s.log.Info("sparkplug: primary host online")
	}
	return s.send(messages, nil)
}

// sendData sends every new verdict, and one message of history if history is set. It reports
// whether it sent history.
func (s *edgeSession) sendData(ctx context.Context, history bool) (replayed bool, err error) {
	for ctx.Err() == nil {
		m, historical, err := s.node.Next(history, time.Now())
		if err != nil {
			return false, fmt.Errorf("read verdicts for Sparkplug: %w", err)
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

// send publishes messages in order and waits until each is written, so that a slow network does not
// fill the station's memory. It returns err if that is not nil.
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
				return brokerError(s.cfg, fmt.Errorf("publish on %s: %w", m.Topic, err))
			}
		case err := <-s.lost:
			return brokerError(s.cfg, lostError(err))
		case <-timeout.C:
			return brokerError(s.cfg, fmt.Errorf("publish on %s: not sent within %v", m.Topic, ackTimeout))
		}
	}
	return nil
}
