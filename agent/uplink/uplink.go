// Package uplink is the station's line to the MQTT broker, and the toolbox' end of the same line.
//
//	journal -> UPLINK -> broker -> SCADA, Watch
//	models  <- UPLINK <- broker <- Push
//
// The station's side never keeps a verdict of its own: it publishes what the journal says is
// pending, in order, and marks it when the broker acknowledges. After a lost connection everything
// unacknowledged is sent again, so delivery is at least once. Inspection never waits for any of it.
// Newcomers need New and Run for the station, Push and Watch for the toolbox.
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

// Queue is where the verdicts wait; journal.Journal is one.
type Queue interface {
	Pending(after uint64, limit int) ([]verdict.Verdict, error)
	MarkAcked(seqs ...uint64) error
	Depth() (n int, oldest time.Time, err error)
	Wake() <-chan struct{} // receives when something was appended
}

// Options are what New needs besides the broker, the topics and the queue.
type Options struct {
	Version    string   // of the agent, for the status
	AcceptPush bool     // hand pushed bundles on instead of refusing them
	Commands   []string // what the station can be asked to do; others are answered here
	// Trigger is given each command "trigger" at once, in the goroutine that reads from the broker:
	// it must not block. It calls Reply once. nil: the station takes none.
	Trigger func(message.Command)
	// Health is asked for the figures of Topics.Health at the start of each connection, every
	// MQTT.HealthPeriod and at the end; nil: none are sent. An error leaves this message out.
	Health func() (message.Health, error)
	// called every ProgressPause or more often while Run is alive, with a broker or without; may be
	// nil
	Progress func()
}

// BundleMessage is a bundle that was pushed to this station. Its signature has not been looked at.
type BundleMessage struct {
	Data []byte
	Hash string // message.BundleHash(Data)

	// to be called once, after PublishModel; nil accepts the bundle. It does not block.
	Reply func(err error)
}

// ProgressPause is the longest time between two calls of Options.Progress: the longest pause
// between two attempts to connect, and one attempt.
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
	changed  chan struct{} // capacity 1: status or model are to be published

	pause        time.Duration // before the second attempt to connect, see firstPause
	ackTimeout   time.Duration // see the constant
	writeTimeout time.Duration // see the constant
	journalPause time.Duration // see the constant
	keepAlive    time.Duration // see the constant
	quarantine   time.Duration // see quarantine

	connected atomic.Bool

	mu            sync.Mutex
	quarantineEnd time.Time          // guarded by mu; no bundles and commands until then
	problem       string             // guarded by mu
	lost          uint64             // guarded by mu
	gaps          []message.Gap      // guarded by mu
	model         message.ModelState // guarded by mu
	answers       uint64             // guarded by mu
	online        bool               // guarded by mu; a session takes rejects
	acked         chan struct{}      // guarded by mu; closed and replaced when the queue got shorter
}

// New prepares the uplink; Run makes it work. Files that cfg names are read at each connection.
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

// Bundles receives pushed bundles. The receiver calls Reply once for each.
func (u *Uplink) Bundles() <-chan BundleMessage { return u.bundles }

// Commands receives the commands that Options names. The receiver calls Reply once for each.
func (u *Uplink) Commands() <-chan message.Command { return u.commands }

// Connected says whether there is a connection to the broker.
func (u *Uplink) Connected() bool { return u.connected.Load() }

// PublishModel tells the broker which networks the station holds, now and after each reconnection.
// The answer to the last push is the uplink's own and stays. It does not block; what it is given
// must not change afterwards.
func (u *Uplink) PublishModel(m message.ModelState) {
	u.mu.Lock()
	m.Answer = u.model.Answer
	u.model = m
	u.mu.Unlock()
	u.change()
}

// PublishProblem puts what keeps the station from working into its status; an empty text takes it
// back. It does not block.
func (u *Uplink) PublishProblem(problem string) {
	u.mu.Lock()
	u.problem = problem
	u.mu.Unlock()
	u.change()
}

// PublishGaps puts what the broker never got into the status. It does not block; gaps must not
// change afterwards.
func (u *Uplink) PublishGaps(lost uint64, gaps []message.Gap) {
	u.mu.Lock()
	u.lost, u.gaps = lost, gaps
	u.mu.Unlock()
	u.change()
}

// errNotSent says that a reject found no way to the broker.
var errNotSent = errors.New("no connection to the broker")

// PublishReject sends a reject now, or tells r.Missed that it could not. It does not block.
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

// takeRejects says whether a session takes rejects from now on. Those that the last one did not
// send are too old for the next.
func (u *Uplink) takeRejects(online bool) {
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

// answer records what becomes of a pushed bundle.
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

// reply queues the answer to a command. A flood of commands loses replies rather than memory.
func (u *Uplink) reply(c message.Command, err error) {
	r := message.CommandReply{ID: c.ID, Name: c.Name, OK: err == nil}
	if err != nil {
		r.Error = err.Error()
	}
	select {
	case u.replies <- r:
	default:
		u.log.Warn("reply to a command dropped, too many at once", "command", c.Name, "id", c.ID)
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

// quarantinePeriod is how long a station takes no bundles and commands after a packet that was too large.
// The broker may have retained it and would send it with each subscription; verdicts must get
// through all the same.
const quarantinePeriod = 10 * time.Minute

// Run keeps the station connected and the queue moving until ctx ends, and then says goodbye.
// Nothing that a broker or a network does ends it.
func (u *Uplink) Run(ctx context.Context) {
	l := redialer{cfg: u.cfg, log: u.log, pause: u.pause, progress: u.opts.Progress, adjust: u.adjust, session: u.countedSession,
		without: "no connection to the broker, verdicts wait in the journal"}
	l.run(ctx)
}

// countedSession is session, for Connected.
func (u *Uplink) countedSession(ctx context.Context, client mqtt.Client, lost <-chan error) error {
	u.connected.Store(true)
	defer u.connected.Store(false)
	return u.session(ctx, client, lost)
}

// startQuarantine is called when a broker sent a packet that was too large.
func (u *Uplink) startQuarantine() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.quarantineEnd = time.Now().Add(u.quarantine)
}

// quarantineLeft is how long the station still takes no bundles and commands.
func (u *Uplink) quarantineLeft() time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	return max(0, time.Until(u.quarantineEnd))
}

// adjust leaves word with the broker for the case that the station vanishes.
func (u *Uplink) adjust(o *mqtt.ClientOptions) {
	o.SetCustomOpenConnectionFn(opener(u.startQuarantine))
	o.SetWriteTimeout(u.writeTimeout).SetKeepAlive(u.keepAlive).SetPingTimeout(u.keepAlive / 3)
	payload := encode(message.Status{State: message.Offline, Reason: message.ReasonLost, Version: u.opts.Version})
	o.SetBinaryWill(u.topics.Status(), payload, 1, true)
}

// receive is paho's handler of everything that comes in. It must not block or publish: paho reads
// nothing else meanwhile.
func (u *Uplink) receive(_ mqtt.Client, m mqtt.Message) {
	switch m.Topic() {
	case u.topics.ModelSet():
		if len(m.Payload()) > 0 { // an empty message is how a retained one is removed
			u.receiveBundle(m.Payload())
		}
	case u.topics.Command():
		u.receiveCommand(m.Payload(), m.Retained())
	}
}

func (u *Uplink) receiveBundle(data []byte) {
	hash := message.BundleHash(data)
	if len(data) > message.MaxBundle {
		u.answer(hash, fmt.Errorf("the bundle has %d bytes, accepted are at most %d", len(data), message.MaxBundle))
		return
	}
	if !u.opts.AcceptPush {
		u.answer(hash, errors.New("this station takes no bundles through MQTT (model.accept_push = false)"))
		return
	}
	message := BundleMessage{Data: data, Hash: hash, Reply: func(err error) { u.answer(hash, err) }}
	select {
	case u.bundles <- message:
	default:
		u.answer(hash, errors.New("the station is still busy with another bundle, push again later"))
	}
}

// maxCommand bounds a command, bytes: what is longer is not even read.
const maxCommand = 4 << 10

// CommandTrigger asks for a verdict on the tire that passes now.
const CommandTrigger = "trigger"

// maxPart bounds the name of a part, bytes.
const maxPart = 128

func (u *Uplink) receiveCommand(data []byte, retained bool) {
	var c message.Command
	if len(data) > maxCommand {
		u.reply(c, fmt.Errorf("the command has %d bytes, accepted are at most %d", len(data), maxCommand))
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

// receiveTrigger does not go through the queue of commands: a rollback takes a second, in which
// tires pass.
func (u *Uplink) receiveTrigger(c message.Command, retained bool) {
	switch {
	case retained:
		u.reply(c, errors.New("a retained trigger is for a tire of the past: publish it without retain"))
		return
	case len(c.Part) > maxPart:
		u.reply(c, fmt.Errorf("the part's name has %d bytes, accepted are at most %d", len(c.Part), maxPart))
		return
	}
	command := c
	command.Reply = func(err error) { u.reply(c, err) }
	u.opts.Trigger(command)
}

// encode is json.Marshal of the types in this package, which cannot fail.
func encode(message any) []byte {
	data, err := json.Marshal(message)
	if err != nil {
		panic("internal error: " + err.Error())
	}
	return data
}
