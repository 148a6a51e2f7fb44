// Package uplink connects a station, and the toolbox, to the MQTT broker.
//
//	journal -> UPLINK -> broker -> SCADA, Watch
//	models  <- UPLINK <- broker <- Push
//
// The station's side stores no verdicts: it publishes those that are pending in the journal, in
// order, and marks each one when the broker has acknowledged it. After a lost connection it sends
// everything unacknowledged again, so each verdict is delivered at least once. The inspection never
// waits for the network. For the station start with [New] and [Uplink.Run], for the toolbox with
// [Push] and [Watch]. Package message has the topics and examples of all messages.
package uplink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"tirewatch/agent/config"
	"tirewatch/agent/message"
	"tirewatch/vision/verdict"
)

// Queue holds the verdicts that wait for the broker. *journal.Journal implements it.
type Queue interface {
	Pending(after uint64, limit int) ([]verdict.Verdict, error)
	MarkAcked(seqs ...uint64) error
	Depth() (n int, oldest time.Time, err error)
	Wake() <-chan struct{} // receives when something was appended
}

// Options are the options of [New].
type Options struct {
	Version    string   // of the agent, for the status
	AcceptPush bool     // receive pushed bundles; otherwise they are refused
	Commands   []string // received by Commands; all others are refused
	// Trigger is called at once with each command "trigger", in the goroutine that reads from the
	// broker: it must not block. It must call Reply once. nil: the station accepts no triggers.
	Trigger func(message.Command)
	// Health is called for the topic health at the start of each connection, every
	// MQTT.HealthPeriod and at the end. After an error this message is skipped. nil: no messages.
	Health func() (message.Health, error)
	// called at least every ProgressPause while Run works, with or without a broker; may be nil
	Progress func()
}

// BundleMessage is a bundle that was pushed to this station. Its signature is not verified yet.
type BundleMessage struct {
	Data []byte
	Hash string // message.BundleHash(Data)

	// must be called once, after PublishModel; nil accepts the bundle. It does not block.
	Reply func(err error)
}

// ProgressPause is the longest time between two calls of Options.Progress: the longest pause
// between two attempts to connect, and the time of one attempt.
const ProgressPause = lastPause + 2*connectTimeout

// Uplink is the station's side.
type Uplink struct {
	cfg    config.MQTT
	topics message.Topics
	queue  Queue
	log    *slog.Logger
	opts   Options

	// capacity 1: a second bundle while one is being installed is refused
	bundles  chan BundleMessage
	commands chan message.Command // capacity 1
	replies  chan message.CommandReply
	rejects  chan message.Reject
	changed  chan struct{} // capacity 1: status or model was changed

	// The constants of the same names, except in tests.
	pause        time.Duration // firstPause: before the second attempt to connect
	ackTimeout   time.Duration
	writeTimeout time.Duration
	journalPause time.Duration
	keepAlive    time.Duration
	quarantine   time.Duration // quarantinePeriod

	connected atomic.Bool

	mu            sync.Mutex
	quarantineEnd time.Time          // guarded by mu; until then no bundles and commands are received
	problem       string             // guarded by mu
	lost          uint64             // guarded by mu
	gaps          []message.Gap      // guarded by mu
	model         message.ModelState // guarded by mu
	answers       uint64             // guarded by mu
	online        bool               // guarded by mu; a session accepts rejects
	acked         chan struct{}      // guarded by mu; closed and replaced when the queue becomes shorter
}

// New returns an uplink that is not connected; Run connects it. The files named in cfg are read for
// each connection.
func New(cfg config.MQTT, topics message.Topics, queue Queue, log *slog.Logger, opts Options) *Uplink {
	if opts.Progress == nil {
		opts.Progress = func() {}
	}
	return &Uplink{
		cfg: cfg, topics: topics, queue: queue, log: log, opts: opts,
		bundles:  make(chan BundleMessage, 1),
		commands: make(chan message.Command, 1),
		replies:  make(chan message.CommandReply, 16),
		rejects:  make(chan message.Reject, 16),
		changed:  make(chan struct{}, 1),
		acked:    make(chan struct{}),
		pause:    firstPause, ackTimeout: ackTimeout, writeTimeout: writeTimeout, journalPause: journalPause,
		keepAlive: keepAlive, quarantine: quarantinePeriod,
	}
}

// Bundles receives pushed bundles. The receiver must call Reply once for each.
func (u *Uplink) Bundles() <-chan BundleMessage { return u.bundles }

// Commands receives the commands listed in Options. The receiver must call Reply once for each.
func (u *Uplink) Commands() <-chan message.Command { return u.commands }

// Connected reports whether there is a connection to the broker.
func (u *Uplink) Connected() bool { return u.connected.Load() }

// PublishModel publishes which models the station holds, now and after each new connection. It
// ignores m.Answer: the uplink itself keeps the answer to the last push. It does not block. The
// caller must not change what m points to.
func (u *Uplink) PublishModel(m message.ModelState) {
	u.mu.Lock()
	m.Answer = u.model.Answer
	u.model = m
	u.mu.Unlock()
	u.change()
}

// PublishProblem publishes in the status why the station does not work; an empty text means that it
// works. It does not block.
func (u *Uplink) PublishProblem(problem string) {
	u.mu.Lock()
	u.problem = problem
	u.mu.Unlock()
	u.change()
}

// PublishGaps publishes in the status which verdicts will never reach the broker. It does not
// block. The caller must not change gaps afterwards.
func (u *Uplink) PublishGaps(lost uint64, gaps []message.Gap) {
	u.mu.Lock()
	u.lost, u.gaps = lost, gaps
	u.mu.Unlock()
	u.change()
}

// errNotSent is the error of a reject that was not sent.
var errNotSent = errors.New("no connection to the broker")

// PublishReject sends a reject now, or calls r.Missed if it cannot. It does not block.
func (u *Uplink) PublishReject(r message.Reject) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.online {
		select {
		case u.rejects <- r:
			return
		default:
		}
	}
	r.Missed(errNotSent)
}

// acceptRejects sets whether a session accepts rejects. Rejects that the previous session did not
// send are too old for the next one.
func (u *Uplink) acceptRejects(online bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.online = online
	for {
		select {
		case r := <-u.rejects:
			r.Missed(errNotSent)
		default:
			return
		}
	}
}

// answer publishes whether a pushed bundle was accepted.
func (u *Uplink) answer(hash string, err error) {
	a := &message.Answer{Hash: hash, Accepted: err == nil, Time: time.Now().UTC()}
	if err != nil {
		a.Reason = err.Error()
	}
	u.mu.Lock()
	u.answers++
	a.Count = u.answers
	u.model.Answer = a
	u.mu.Unlock()
	u.change()
}

func (u *Uplink) change() {
	select {
	case u.changed <- struct{}{}:
	default:
	}
}

// reply queues the reply to a command. A flood of commands must not fill the memory, so replies are
// dropped when the queue is full.
func (u *Uplink) reply(c message.Command, err error) {
	r := message.CommandReply{ID: c.ID, Name: c.Name, OK: err == nil}
	if err != nil {
		r.Error = err.Error()
	}
	select {
	case u.replies <- r:
	default:
		u.log.Warn("command: reply dropped", "reason", "too many at once", "command", c.Name, "id", c.ID)
	}
}

// Drain waits until the broker has acknowledged every verdict. Run must be running.
func (u *Uplink) Drain(ctx context.Context) error {
	for {
		u.mu.Lock()
		acked := u.acked
		u.mu.Unlock()
		n, _, err := u.queue.Depth()
		if err != nil {
			return fmt.Errorf("drain: %w", err)
		}
		if n == 0 {
			return nil
		}
		select {
		case <-acked:
		case <-ctx.Done():
			return fmt.Errorf("drain: %d verdicts not acknowledged: %w", n, ctx.Err())
		}
	}
}

// quarantinePeriod is how long a station receives no bundles and commands after a packet that was
// too large. The broker may have retained the packet and would send it after each subscription, but
// verdicts must still be sent.
const quarantinePeriod = 10 * time.Minute

// Run keeps the station connected and sends the queue until ctx ends, and then publishes that the
// station is offline. No error of a broker or a network ends it.
func (u *Uplink) Run(ctx context.Context) {
	r := redialer{
		cfg: u.cfg, log: u.log, pause: u.pause, progress: u.opts.Progress, adjust: u.adjust, session: u.countedSession,
		connected: uplinkConnected, disconnected: uplinkDisconnected,
	}
	r.run(ctx)
}

// countedSession runs a session and records it for Connected.
func (u *Uplink) countedSession(ctx context.Context, client mqtt.Client, lost <-chan error) error {
	u.connected.Store(true)
	defer u.connected.Store(false)
	return u.session(ctx, client, lost)
}

// startQuarantine is called when a broker has sent a packet that is too large.
func (u *Uplink) startQuarantine() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.quarantineEnd = time.Now().Add(u.quarantine)
}

// quarantineLeft returns the remaining time of the quarantine.
func (u *Uplink) quarantineLeft() time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	return max(0, time.Until(u.quarantineEnd))
}

// adjust sets the will, which the broker publishes if the station vanishes.
func (u *Uplink) adjust(o *mqtt.ClientOptions) {
	o.SetCustomOpenConnectionFn(opener(u.startQuarantine))
	o.SetWriteTimeout(u.writeTimeout).SetKeepAlive(u.keepAlive).SetPingTimeout(u.keepAlive / 3)
	payload := encode(message.Status{State: message.Offline, Reason: message.ReasonLost, Version: u.opts.Version})
	o.SetBinaryWill(u.topics.Status(), payload, 1, true)
}

// receive is called by paho with every message. It must not block or publish: paho reads nothing
// else at the same time.
func (u *Uplink) receive(_ mqtt.Client, m mqtt.Message) {
	switch m.Topic() {
	case u.topics.ModelSet():
		if len(m.Payload()) > 0 { // an empty message removes a retained one
			u.receiveBundle(m.Payload())
		}
	case u.topics.Command():
		u.receiveCommand(m.Payload(), m.Retained())
	}
}

func (u *Uplink) receiveBundle(data []byte) {
	hash := message.BundleHash(data)
	if len(data) > message.MaxBundle {
		u.answer(hash, fmt.Errorf("the bundle has %d bytes, the limit is %d", len(data), message.MaxBundle))
		return
	}
	if !u.opts.AcceptPush {
		u.answer(hash, errors.New("this station does not accept bundles through MQTT (model.accept_push = false)"))
		return
	}
	m := BundleMessage{Data: data, Hash: hash, Reply: func(err error) { u.answer(hash, err) }}
	select {
	case u.bundles <- m:
	default:
		u.answer(hash, errors.New("the station is still busy with another bundle, push again later"))
	}
}

// maxCommand is the largest size of a command, bytes. Longer commands are not parsed.
const maxCommand = 4 << 10

// CommandTrigger is the command that requests a verdict on the tire that passes now.
const CommandTrigger = "trigger"

// maxPart is the largest size of a part name, bytes.
const maxPart = 128

func (u *Uplink) receiveCommand(data []byte, retained bool) {
	var c message.Command
	if len(data) > maxCommand {
		u.reply(c, fmt.Errorf("the command has %d bytes, the limit is %d", len(data), maxCommand))
		return
	}
	if err := json.Unmarshal(data, &c); err != nil || c.Name == "" {
		u.reply(c, errors.New(`malformed command, want JSON like {"id": "1", "command": "NAME"}`))
		return
	}
	if c.Name == CommandTrigger && u.opts.Trigger != nil {
		u.receiveTrigger(c, retained)
		return
	}
	if !slices.Contains(u.opts.Commands, c.Name) {
		known := "none"
		if len(u.opts.Commands) > 0 {
			known = strings.Join(u.opts.Commands, ", ")
		}
		u.reply(c, fmt.Errorf("unknown command %q, known: %s", c.Name, known))
		return
	}
	command := c
	command.Reply = func(err error) { u.reply(c, err) }
	select {
	case u.commands <- command:
	default:
		u.reply(c, errors.New("the station is still busy with another command"))
	}
}

// receiveTrigger does not use the queue of commands: a rollback takes a second, and tires pass
// meanwhile.
func (u *Uplink) receiveTrigger(c message.Command, retained bool) {
	switch {
	case retained:
		u.reply(c, errors.New("a retained trigger is refused, its tire has already passed: publish it without retain"))
		return
	case len(c.Part) > maxPart:
		u.reply(c, fmt.Errorf("the part name has %d bytes, the limit is %d", len(c.Part), maxPart))
		return
	}
	command := c
	command.Reply = func(err error) { u.reply(c, err) }
	u.opts.Trigger(command)
}

// encode is json.Marshal for messages of a station, which cannot fail.
func encode(message any) []byte {
	data, err := json.Marshal(message)
	if err != nil {
		panic("internal error: " + err.Error())
	}
	return data
}
