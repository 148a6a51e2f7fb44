package uplink

import (
	"context"
	"errors"
	"fmt"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"tirewatch/agent/message"
	"tirewatch/vision/verdict"
)

const (
	// inFlight bounds the verdicts that are published and not yet acknowledged.
	inFlight = 64
	// ackTimeout is how long an acknowledgement may take before the connection counts as broken:
	// paho has been seen to leave a token open for ever.
	ackTimeout = 30 * time.Second
	// journalPause lies between attempts when the journal cannot be read or marked.
	journalPause = 5 * time.Second
	// goodbye is the patience for the last words.
	goodbye = 2 * time.Second
)

// sent is a verdict on its way.
type sent struct {
	seq   uint64
	token mqtt.Token
}

// session is the time of one connection. All of it is owned by the goroutine of Run.
type session struct {
	*Uplink
	client mqtt.Client
	since  time.Time

	subscribed bool

	flying  []sent   // published and not acknowledged, in the order of their numbers
	last    uint64   // the highest number published
	more    bool     // the journal may hold numbers above last
	marking []uint64 // acknowledged by the broker and not yet marked in the journal

	// The last of each that is not acknowledged yet; nil: none. The next waits for it, so that a
	// broker that acknowledges nothing cannot make paho collect them.
	reply, state, health mqtt.Token
}

// session works until the connection or ctx ends. It returns why the connection is of no use any
// more.
func (u *Uplink) session(ctx context.Context, client mqtt.Client, lost <-chan error) error {
	s := &session{Uplink: u, client: client, since: time.Now().UTC(), more: true}
	err := s.run(ctx, lost)
	if ctx.Err() != nil {
		s.publishHealth()
		offline := message.Status{State: message.Offline, Since: time.Now().UTC(), Reason: message.ReasonStopped, Version: u.opts.Version}
		client.Publish(u.topics.Status(), 1, true, encode(offline)).WaitTimeout(goodbye)
	}
	client.Disconnect(uint(goodbye.Milliseconds()))
	return err
}

// beatPause is how often a session with nothing to do shows that it is alive.
const beatPause = 10 * time.Second

func (s *session) run(ctx context.Context, lost <-chan error) error {
	// Subscribed first, so that whoever sees this station online can reach it.
	if err := s.subscribe(ctx, lost); err != nil {
		return err
	}
	s.takeRejects(true)
	defer s.takeRejects(false)
	s.publishState()
	overdue := time.NewTimer(s.ackTimeout)
	defer overdue.Stop()
	retry := time.NewTimer(s.journalPause)
	defer retry.Stop()
	hear := time.NewTimer(s.quarantineLeft()) // without quarantine it finds the subscription made
	defer hear.Stop()
	beat := time.NewTicker(beatPause)
	defer beat.Stop()
	var healthy <-chan time.Time
	if period := s.cfg.HealthPeriod.Std(); period > 0 {
		tick := time.NewTicker(period)
		defer tick.Stop()
		healthy = tick.C
	}
	s.publishHealth()
	for {
		s.opts.Progress()
		idle := len(s.flying) == 0
		if err := s.publishPending(); err != nil {
			s.log.Error("the queue cannot be read, trying again", "error", err)
			s.more = false
			retry.Reset(s.journalPause)
		}
		var wake <-chan struct{} // stays ready while the window is full
		if len(s.flying) < inFlight {
			wake = s.queue.Wake()
		}
		var acked <-chan struct{}
		var late <-chan time.Time
		if len(s.flying) > 0 {
			acked, late = s.flying[0].token.Done(), overdue.C
			if idle {
				overdue.Reset(s.ackTimeout)
			}
		}
		changed, replies := s.changed, s.replies
		var stated, replied <-chan struct{}
		if s.state != nil {
			changed, stated = nil, s.state.Done()
		}
		if s.reply != nil {
			replies, replied = nil, s.reply.Done()
		}
		select {
		case <-beat.C:
		case <-healthy:
			s.publishHealth()
		case <-ctx.Done():
			return ctx.Err()
		case err := <-lost:
			return fmt.Errorf("broker %s: connection lost (%w)", s.cfg.Broker, err)
		case <-wake:
			s.more = true
		case <-hear.C:
			if err := s.subscribe(ctx, lost); err != nil {
				return err
			}
		case <-changed:
			s.publishState()
		case <-stated:
			s.state = nil
		case r := <-replies:
			s.reply = s.client.Publish(s.topics.CommandReply(), 1, false, encode(r))
		case <-replied:
			s.reply = nil
		case r := <-s.rejects:
			s.publishReject(r)
		case <-acked:
			if err := s.collect(); err != nil {
				return err
			}
			if err := s.mark(); err != nil {
				s.log.Error("acknowledged verdicts cannot be marked, trying again", "error", err)
				retry.Reset(s.journalPause)
			}
			overdue.Reset(s.ackTimeout)
		case <-late:
			return fmt.Errorf("broker %s: no acknowledgement within %v", s.cfg.Broker, s.ackTimeout)
		case <-retry.C:
			s.more = true
			if err := s.mark(); err != nil {
				retry.Reset(s.journalPause)
			}
		}
	}
}

// publishState sends model before status: whoever has subscribed to both in this order and sees the
// status knows both.
func (s *session) publishState() {
	s.mu.Lock()
	model := s.model
	status := message.Status{State: message.Online, Since: s.since, Version: s.opts.Version, Problem: s.problem, Lost: s.lost, Gaps: s.gaps}
	s.mu.Unlock()
	if model.Active != nil {
		status.Model = model.Active.Hash
	}
	s.client.Publish(s.topics.Model(), 1, true, encode(model))
	s.state = s.client.Publish(s.topics.Status(), 1, true, encode(status))
}

// publishReject sends a reject before anything that waits. Whether it arrived is found out beside
// the session, which goes on.
func (s *session) publishReject(r message.Reject) {
	token := s.client.Publish(s.topics.Reject(), 1, false, encode(r))
	go func() {
		if !token.WaitTimeout(s.ackTimeout) {
			r.Missed(fmt.Errorf("no acknowledgement within %v", s.ackTimeout))
		} else if err := token.Error(); err != nil {
			r.Missed(err)
		}
	}()
}

// publishHealth sends the figures of this moment. Nobody waits for their arrival: the next ones
// come soon.
func (s *session) publishHealth() {
	if s.cfg.HealthPeriod == 0 || s.opts.Health == nil {
		return
	}
	if s.health != nil {
		select {
		case <-s.health.Done():
		default:
			return // the connection does not even take the last ones
		}
	}
	figures, err := s.opts.Health()
	if err != nil {
		s.log.Warn("the station's figures cannot be told", "error", err)
		return
	}
	s.health = s.client.Publish(s.topics.Health(), 0, true, encode(figures))
}

// subscribe asks for bundles and commands. A broker that forbids them still gets the verdicts.
func (s *session) subscribe(ctx context.Context, lost <-chan error) error {
	if s.subscribed {
		return nil
	}
	if rest := s.quarantineLeft(); rest > 0 {
		s.log.Error("no bundles and commands for a while: the broker sent a packet that was too large, and may have retained it",
			"topics", []string{s.topics.ModelSet(), s.topics.Command()}, "while", rest.Round(time.Second))
		return nil
	}
	s.subscribed = true
	filters := map[string]byte{s.topics.ModelSet(): 1, s.topics.Command(): 1}
	granted, err := subscribe(ctx, s.client, lost, filters, s.receive)
	if err != nil {
		return fmt.Errorf("broker %s: %w", s.cfg.Broker, err)
	}
	for topic, ok := range granted {
		if !ok {
			s.log.Warn("the broker forbids a topic: bundles or commands cannot reach this station", "topic", topic)
		}
	}
	return nil
}

// subscribe waits for the broker's word on each filter.
func subscribe(ctx context.Context, c mqtt.Client, lost <-chan error, filters map[string]byte, handle mqtt.MessageHandler) (
	granted map[string]bool, err error) {
	token := c.SubscribeMultiple(filters, handle)
	timeout := time.NewTimer(ackTimeout)
	defer timeout.Stop()
	select {
	case <-token.Done():
	case <-ctx.Done():
		return nil, ctx.Err()
	case err := <-lost:
		return nil, fmt.Errorf("connection lost (%w)", err)
	case <-timeout.C:
		return nil, errors.New("no answer to the subscription")
	}
	if err := token.Error(); err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	granted = map[string]bool{}
	for topic, code := range token.(*mqtt.SubscribeToken).Result() {
		granted[topic] = code != 0x80
	}
	return granted, nil
}

// publishPending fills the window from the journal.
func (s *session) publishPending() error {
	room := inFlight - len(s.flying)
	if !s.more || room == 0 {
		return nil
	}
	pending, err := s.queue.Pending(s.last, room)
	if err != nil {
		return err
	}
	s.more = len(pending) == room
	for _, v := range pending {
		s.flying = append(s.flying, sent{v.Seq, s.publish(&v)})
		s.last = v.Seq
	}
	return nil
}

func (s *session) publish(v *verdict.Verdict) mqtt.Token {
	payload, err := v.Encode(s.cfg.Encoding)
	if err != nil {
		panic("internal error: " + err.Error()) // the journal takes nothing that cannot be encoded
	}
	return s.client.Publish(s.topics.Verdict(), 1, false, payload)
}

// collect takes what the broker has acknowledged off the window. Brokers acknowledge in order, so
// it looks no further than the first that is still open.
func (s *session) collect() error {
	done := 0
	for _, f := range s.flying {
		select {
		case <-f.token.Done():
		default:
			s.flying = s.flying[done:]
			return nil
		}
		if err := f.token.Error(); err != nil {
			return fmt.Errorf("broker %s: verdict %d not delivered (%w)", s.cfg.Broker, f.seq, err)
		}
		s.marking = append(s.marking, f.seq)
		done++
	}
	s.flying = nil
	return nil
}

// mark takes acknowledged verdicts off the queue. What could not be marked is tried again; should
// the program end before that, it is sent once more.
func (s *session) mark() error {
	if len(s.marking) == 0 {
		return nil
	}
	if err := s.queue.MarkAcked(s.marking...); err != nil {
		return err
	}
	s.marking = nil
	s.mu.Lock()
	close(s.acked)
	s.acked = make(chan struct{})
	s.mu.Unlock()
	return nil
}
