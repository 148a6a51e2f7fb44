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
	// windowSize is the largest number of verdicts that are published and not acknowledged.
	windowSize = 64
	// ackTimeout is how long an acknowledgement may take before the connection counts as broken:
	// paho has been seen to leave a token open forever.
	ackTimeout = 30 * time.Second
	// journalPause is the time between two attempts when the journal cannot be read or marked.
	journalPause = 5 * time.Second
	// goodbyeTimeout limits the wait for the last messages of a connection.
	goodbyeTimeout = 2 * time.Second
	// progressPause is how often an idle session reports progress.
	progressPause = 10 * time.Second
)

// sent is a published verdict.
type sent struct {
	seq   uint64
	token mqtt.Token
}

// session is one connection. All of it is owned by the goroutine of Run.
type session struct {
	*Uplink
	client mqtt.Client
	ended  <-chan error // receives when the connection breaks
	since  time.Time

	subscribed bool

	window []sent   // published and not acknowledged, in the order of their numbers
	last   uint64   // the highest number published
	more   bool     // the journal may hold numbers above last
	toMark []uint64 // acknowledged by the broker, not yet marked in the journal

	// The last message of each kind that is not acknowledged yet, or nil. The next one waits for
	// it: otherwise paho would collect them in memory for a broker that acknowledges nothing.
	reply, state, health mqtt.Token

	overdue      *time.Timer // an acknowledgement is overdue; ignored while the window is empty
	journalRetry *time.Timer // read and mark again
	resubscribe  *time.Timer // the quarantine ends; fires at once if there is none
	progressDue  <-chan time.Time
	healthDue    <-chan time.Time // nil: the station sends no health messages
}

// session works until the connection or ctx ends, and returns why.
func (u *Uplink) session(ctx context.Context, client mqtt.Client, lost <-chan error) error {
	s := &session{Uplink: u, client: client, ended: lost, since: time.Now().UTC(), more: true}
	err := s.run(ctx)
	if ctx.Err() != nil {
		s.publishHealth()
		offline := message.Status{
			State: message.Offline, Since: time.Now().UTC(), Reason: message.ReasonStopped, Version: u.opts.Version,
		}
		client.Publish(u.topics.Status(), 1, true, encode(offline)).WaitTimeout(goodbyeTimeout)
	}
	client.Disconnect(uint(goodbyeTimeout.Milliseconds()))
	return err
}

func (s *session) run(ctx context.Context) error {
	// First subscribe, so that everybody who sees this station online can reach it.
	if err := s.subscribe(ctx); err != nil {
		return err
	}
	s.acceptRejects(true)
	defer s.acceptRejects(false)
	s.publishState()
	s.startTimers()
	s.publishHealth()
	for {
		s.opts.Progress()
		s.fillWindow()
		if err := s.step(ctx); err != nil {
			return err
		}
	}
}

func (s *session) startTimers() {
	s.overdue = time.NewTimer(s.ackTimeout)
	s.journalRetry = time.NewTimer(s.journalPause)
	s.resubscribe = time.NewTimer(s.quarantineLeft())
	s.progressDue = time.Tick(progressPause)
	s.healthDue = time.Tick(s.cfg.HealthPeriod.Std()) // nil for a period of 0
}

// step waits for one event and handles it.
func (s *session) step(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-s.ended:
		return brokerError(s.cfg, lostError(err))
	case <-s.progressDue:
	case <-s.healthDue:
		s.publishHealth()
	case <-s.resubscribe.C:
		return s.subscribe(ctx)
	case <-s.stored():
		s.more = true
	case <-s.firstDone():
		return s.acknowledged()
	case <-s.firstOverdue():
		return brokerError(s.cfg, fmt.Errorf("no acknowledgement within %v", s.ackTimeout))
	case <-s.journalRetry.C:
		s.retryJournal()
	case <-ifIdle(s.changed, s.state):
		s.publishState()
	case <-done(s.state):
		s.state = nil
	case r := <-ifIdle(s.replies, s.reply):
		s.reply = s.client.Publish(s.topics.CommandReply(), 1, false, encode(r))
	case <-done(s.reply):
		s.reply = nil
	case r := <-s.rejects:
		s.publishReject(r)
	}
	return nil
}

// stored receives when a verdict was stored and the window has room for it.
func (s *session) stored() <-chan struct{} {
	if len(s.window) < windowSize {
		return s.queue.Wake()
	}
	return nil
}

// firstDone receives when paho is done with the first verdict of the window.
func (s *session) firstDone() <-chan struct{} {
	if len(s.window) > 0 {
		return s.window[0].token.Done()
	}
	return nil
}

func (s *session) firstOverdue() <-chan time.Time {
	if len(s.window) > 0 {
		return s.overdue.C
	}
	return nil
}

// ifIdle returns c, or nil while the previous message of this kind is not acknowledged.
func ifIdle[T any](c <-chan T, previous mqtt.Token) <-chan T {
	if previous != nil {
		return nil
	}
	return c
}

// done receives when paho is done with a message; never for a nil token.
func done(t mqtt.Token) <-chan struct{} {
	if t == nil {
		return nil
	}
	return t.Done()
}

// publishState sends model before status: a client that has subscribed to both in this order and
// receives the status knows both.
func (s *session) publishState() {
	s.mu.Lock()
	model := s.model
	status := message.Status{
		State: message.Online, Since: s.since, Version: s.opts.Version, Problem: s.problem, Lost: s.lost, Gaps: s.gaps,
	}
	s.mu.Unlock()
	if model.Active != nil {
		status.Model = model.Active.Hash
	}
	s.client.Publish(s.topics.Model(), 1, true, encode(model))
	s.state = s.client.Publish(s.topics.Status(), 1, true, encode(status))
}

// publishReject sends a reject before anything that waits. A goroutine waits for the
// acknowledgement, so the session does not.
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

// publishHealth sends the current figures without waiting for an acknowledgement: the next message
// replaces them soon.
func (s *session) publishHealth() {
	if s.cfg.HealthPeriod == 0 || s.opts.Health == nil {
		return
	}
	if s.health != nil {
		select {
		case <-s.health.Done():
		default:
			return // the previous message is not sent yet
		}
	}
	health, err := s.opts.Health()
	if err != nil {
		s.log.Warn("uplink: health message skipped", "error", err)
		return
	}
	s.health = s.client.Publish(s.topics.Health(), 0, true, encode(health))
}

// subscribe subscribes to bundles and commands. A broker that forbids them still receives the
// verdicts.
func (s *session) subscribe(ctx context.Context) error {
	if s.subscribed {
		return nil
	}
	if rest := s.quarantineLeft(); rest > 0 {
		s.log.Error("uplink: bundles and commands paused",
			"reason", "the broker sent a packet that is too large, and may have retained it",
			"topics", []string{s.topics.ModelSet(), s.topics.Command()}, "while", rest.Round(time.Second))
		return nil
	}
	s.subscribed = true
	filters := map[string]byte{s.topics.ModelSet(): 1, s.topics.Command(): 1}
	granted, err := subscribe(ctx, s.client, s.ended, filters, s.receive)
	if err != nil {
		return brokerError(s.cfg, err)
	}
	for topic, ok := range granted {
		if !ok {
			s.log.Warn("uplink: subscription refused", "topic", topic)
		}
	}
	return nil
}

// subscribe waits for the broker's answer to each filter.
func subscribe(
	ctx context.Context, c mqtt.Client, lost <-chan error, filters map[string]byte, handle mqtt.MessageHandler,
) (granted map[string]bool, err error) {
	token := c.SubscribeMultiple(filters, handle)
	timeout := time.NewTimer(ackTimeout)
	defer timeout.Stop()
	select {
	case <-token.Done():
	case <-ctx.Done():
		return nil, contextError(ctx, "subscribe")
	case err := <-lost:
		return nil, lostError(err)
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

// fillWindow publishes pending verdicts. The time for an acknowledgement starts with the first one.
func (s *session) fillWindow() {
	wasEmpty := len(s.window) == 0
	if err := s.publishPending(); err != nil {
		s.log.Error("uplink: read of queue failed", "error", err)
		s.more = false
		s.journalRetry.Reset(s.journalPause)
	}
	if wasEmpty && len(s.window) > 0 {
		s.overdue.Reset(s.ackTimeout)
	}
}

// publishPending fills the window from the journal.
func (s *session) publishPending() error {
	room := windowSize - len(s.window)
	if !s.more || room == 0 {
		return nil
	}
	pending, err := s.queue.Pending(s.last, room)
	if err != nil {
		return err
	}
	s.more = len(pending) == room
	for _, v := range pending {
		s.window = append(s.window, sent{v.Seq, s.publish(&v)})
		s.last = v.Seq
	}
	return nil
}

func (s *session) publish(v *verdict.Verdict) mqtt.Token {
	payload, err := v.Encode(s.cfg.Encoding)
	if err != nil {
		panic("internal error: " + err.Error()) // the journal stores only what can be encoded
	}
	return s.client.Publish(s.topics.Verdict(), 1, false, payload)
}

// acknowledged handles acknowledgements of the broker.
func (s *session) acknowledged() error {
	if err := s.collect(); err != nil {
		return err
	}
	if err := s.mark(); err != nil {
		s.log.Error("uplink: mark of acknowledged verdicts failed", "error", err)
		s.journalRetry.Reset(s.journalPause)
	}
	s.overdue.Reset(s.ackTimeout)
	return nil
}

// retryJournal reads and marks again after an error.
func (s *session) retryJournal() {
	s.more = true
	if err := s.mark(); err != nil {
		s.journalRetry.Reset(s.journalPause)
	}
}

// collect removes acknowledged verdicts from the window. Brokers acknowledge in order, so it stops
// at the first verdict that is not acknowledged.
func (s *session) collect() error {
	done := 0
	for _, f := range s.window {
		select {
		case <-f.token.Done():
		default:
			s.window = s.window[done:]
			return nil
		}
		if err := f.token.Error(); err != nil {
			return brokerError(s.cfg, fmt.Errorf("verdict %d not delivered (%w)", f.seq, err))
		}
		s.toMark = append(s.toMark, f.seq)
		done++
	}
	s.window = nil
	return nil
}

// mark removes acknowledged verdicts from the queue. After an error the caller tries again; if the
// program ends before that, they are sent once more.
func (s *session) mark() error {
	if len(s.toMark) == 0 {
		return nil
	}
	if err := s.queue.MarkAcked(s.toMark...); err != nil {
		return err
	}
	s.toMark = nil
	s.mu.Lock()
	close(s.acked)
	s.acked = make(chan struct{})
	s.mu.Unlock()
	return nil
}
