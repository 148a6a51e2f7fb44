package uplink_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"tirewatch/agent/config"
	"tirewatch/agent/journal"
	"tirewatch/agent/message"
	"tirewatch/agent/uplink"
	"tirewatch/vision/verdict"
)

const station = "hamburg/line1/station3"

var topics = message.Topics{Root: "tirewatch", Station: station}

func settings(broker string) config.MQTT {
	return config.MQTT{Broker: broker, Root: "tirewatch", ClientID: "tirewatch-test", Encoding: verdict.JSON}
}

func newJournal(t testing.TB) *journal.Journal {
	t.Helper()
	j, err := journal.Open(filepath.Join(t.TempDir(), "journal.db"), station)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func appendN(t testing.TB, j *journal.Journal, n int) {
	t.Helper()
	for range n {
		if err := j.Append(passed()); err != nil {
			t.Fatal(err)
		}
	}
}

// run runs an uplink or an edge node until stop is called or the test ends.
func run(t testing.TB, u interface{ Run(context.Context) }) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { u.Run(ctx) })
	stop = func() { cancel(); wg.Wait() }
	t.Cleanup(stop)
	return stop
}

func drain(t testing.TB, u *uplink.Uplink) {
	t.Helper()
	if err := u.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// memoryLog is a log that a test can wait for.
type memoryLog struct {
	mu      sync.Mutex
	text    bytes.Buffer
	written chan struct{} // capacity 1
}

func newLog() (*memoryLog, *slog.Logger) {
	l := &memoryLog{written: make(chan struct{}, 1)}
	return l, slog.New(slog.NewTextHandler(l, nil))
}

func (l *memoryLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.written <- struct{}{}:
	default:
	}
	return l.text.Write(p)
}

func (l *memoryLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// wait returns when the log contains the text.
func (l *memoryLog) wait(text string) { l.waitAgain(text, 1) }

// waitAgain returns when the log contains the text n times.
func (l *memoryLog) waitAgain(text string, n int) {
	for strings.Count(l.String(), text) < n {
		<-l.written
	}
}

// listener is another client of the broker.
type listener struct {
	t        testing.TB
	client   mqtt.Client
	messages chan mqtt.Message
}

// listen connects a client and subscribes to the filters.
func listen(t testing.TB, broker string, filters ...string) *listener {
	t.Helper()
	l := &listener{t: t, messages: make(chan mqtt.Message, 4096)}
	o := mqtt.NewClientOptions().AddBroker(broker).SetClientID("listener").SetAutoReconnect(false)
	l.client = mqtt.NewClient(o)
	l.done(l.client.Connect())
	t.Cleanup(func() { l.client.Disconnect(100) })
	for _, filter := range filters {
		l.done(l.client.Subscribe(filter, 1, func(_ mqtt.Client, m mqtt.Message) { l.messages <- m }))
	}
	return l
}

func (l *listener) done(token mqtt.Token) {
	l.t.Helper()
	<-token.Done()
	if err := token.Error(); err != nil {
		l.t.Fatal(err)
	}
}

func (l *listener) send(topic string, payload string) {
	l.t.Helper()
	l.done(l.client.Publish(topic, 1, false, payload))
}

// next waits for a message on topic and discards others.
func (l *listener) next(topic string) mqtt.Message {
	for m := range l.messages {
		if m.Topic() == topic {
			return m
		}
	}
	panic("the channel is never closed")
}

// until waits for a message of type M on topic that satisfies want.
func until[M any](l *listener, topic string, want func(M) bool) M {
	l.t.Helper()
	for {
		var m M
		if err := json.Unmarshal(l.next(topic).Payload(), &m); err != nil {
			l.t.Fatal(err)
		}
		if want(m) {
			return m
		}
	}
}
