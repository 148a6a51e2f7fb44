package uplink_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"tirewatch/agent/journal"
	"tirewatch/agent/message"
	"tirewatch/agent/uplink"
	"tirewatch/agent/uplink/brokertest"
	"tirewatch/vision/verdict"
)

// online starts a station and waits until the broker reports it as online.
func online(t *testing.T, broker *brokertest.Broker, opts uplink.Options) (u *uplink.Uplink, j *journal.Journal, stop func()) {
	t.Helper()
	j = newJournal(t)
	u = uplink.New(settings(broker.URL()), topics, j, quiet, opts)
	u.SetPauses(20*time.Millisecond, time.Minute)
	stop = run(t, u)
	l := listen(t, broker.URL(), topics.Status())
	until(l, topics.Status(), func(s message.Status) bool { return s.State == message.Online })
	l.client.Disconnect(100)
	return u, j, stop
}

func pushTo(ctx context.Context, broker *brokertest.Broker, station string, data string) (*message.Answer, error) {
	cfg := settings(broker.URL())
	cfg.ClientID = ""
	return uplink.Push(ctx, uplink.Target{MQTT: cfg, Station: station}, []byte(data))
}

func TestPush(t *testing.T) {
	broker := brokertest.Start(t)
	u, _, _ := online(t, broker, uplink.Options{AcceptPush: true})
	tooOld := errors.New("serial 6 is not above the active 7")
	answers := []error{tooOld, nil, tooOld}
	go func() {
		for _, err := range answers {
			m := <-u.Bundles()
			if string(m.Data) != "bundle" || m.Hash != message.BundleHash(m.Data) {
				t.Errorf("got %q, hash %s", m.Data, m.Hash)
			}
			if err == nil {
				u.PublishModel(message.ModelState{Active: &message.ModelRef{Serial: 8, Hash: m.Hash}})
			}
			m.Reply(err)
		}
	}()
	// The same bundle three times: a retained answer must not be mistaken for the new one.
	for i, want := range answers {
		answer, err := pushTo(t.Context(), broker, station, "bundle")
		if want == nil {
			hash := message.BundleHash([]byte("bundle"))
			if err != nil || !answer.Accepted || answer.Hash != hash || answer.Count != uint64(i+1) {
				t.Errorf("push %d: got %+v, %v", i, answer, err)
			}
			continue
		}
		refused, ok := errors.AsType[*uplink.RefusedError](err)
		if !ok || refused.Reason != want.Error() || refused.Station != station {
			t.Errorf("push %d: got %v, %v", i, answer, err)
		}
	}
}

func TestPushWhileBusy(t *testing.T) {
	broker := brokertest.Start(t)
	online(t, broker, uplink.Options{AcceptPush: true}) // nobody receives its bundles
	technician := listen(t, broker.URL())
	technician.send(topics.ModelSet(), "the first")
	_, err := pushTo(t.Context(), broker, station, "the second")
	if r, ok := errors.AsType[*uplink.RefusedError](err); !ok || !strings.Contains(r.Reason, "busy") {
		t.Errorf("got %v", err)
	}
}

func TestPushIsRefusedByTheUplink(t *testing.T) {
	tests := []struct {
		name   string
		accept bool
		data   []byte
		want   string
	}{
		{"pushes switched off", false, []byte("bundle"),
			"this station does not accept bundles through MQTT (model.accept_push = false)"},
		{"too large", true, make([]byte, message.MaxBundle+1), "the bundle has 67108865 bytes, the limit is 67108864"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			broker := brokertest.Start(t)
			u, _, _ := online(t, broker, uplink.Options{AcceptPush: test.accept})
			technician := listen(t, broker.URL(), topics.Model())
			technician.send(topics.ModelSet(), string(test.data)) // Push itself would not send it
			s := until(technician, topics.Model(), func(s message.ModelState) bool { return s.Answer != nil })
			if s.Answer.Accepted || s.Answer.Reason != test.want || s.Answer.Hash != message.BundleHash(test.data) {
				t.Errorf("got %+v", s.Answer)
			}
			select {
			case m := <-u.Bundles():
				t.Errorf("the station got %d bytes", len(m.Data))
			default:
			}
		})
	}
}

// timedOut is a context whose deadline passes when over is closed.
type timedOut struct {
	context.Context
	over <-chan struct{}
}

func (c timedOut) Done() <-chan struct{} { return c.over }

func (c timedOut) Err() error {
	select {
	case <-c.over:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func TestPushWithoutAnswer(t *testing.T) {
	broker := brokertest.Start(t)
	t.Run("unknown station", func(t *testing.T) {
		if _, err := pushTo(t.Context(), broker, "hamburg/line1/typo", "bundle"); !errors.Is(err, uplink.ErrUnknownStation) {
			t.Errorf("got %v", err)
		}
	})
	u, _, stop := online(t, broker, uplink.Options{AcceptPush: true})
	t.Run("online but silent", func(t *testing.T) {
		over := make(chan struct{})
		go func() {
			<-u.Bundles()
			close(over)
		}()
		_, err := pushTo(timedOut{t.Context(), over}, broker, station, "bundle")
		if !errors.Is(err, uplink.ErrNoAnswer) || !strings.Contains(err.Error(), station+" is online") {
			t.Errorf("got %v", err)
		}
	})
	stop()
	t.Run("stopped", func(t *testing.T) {
		_, err := pushTo(t.Context(), broker, station, "bundle")
		if !errors.Is(err, uplink.ErrOffline) || !strings.Contains(err.Error(), station+" is offline, stopped, since ") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("nothing to send", func(t *testing.T) {
		if _, err := pushTo(t.Context(), broker, station, ""); err == nil || !strings.Contains(err.Error(), "0 bytes") {
			t.Errorf("got %v", err)
		}
	})
}

// A refusal retained since an earlier run of the agent is not an answer to this push.
func TestRetainedAnswerOfAnEarlierRun(t *testing.T) {
	broker := brokertest.Start(t)
	hash := message.BundleHash([]byte("bundle"))
	refusal := &message.Answer{Hash: hash, Reason: "old", Time: time.Now(), Count: 1}
	old, err := json.Marshal(message.ModelState{Answer: refusal})
	if err != nil {
		t.Fatal(err)
	}
	status, err := json.Marshal(message.Status{State: message.Online})
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t, broker.URL(), topics.ModelSet())
	l.done(l.client.Publish(topics.Model(), 1, true, old))
	l.done(l.client.Publish(topics.Status(), 1, true, status))
	go func() {
		l.next(topics.ModelSet())
		accepted := &message.Answer{Hash: hash, Accepted: true, Time: time.Now(), Count: 1}
		answer, _ := json.Marshal(message.ModelState{Answer: accepted})
		l.client.Publish(topics.Model(), 1, true, answer)
	}()
	if answer, err := pushTo(t.Context(), broker, station, "bundle"); err != nil || !answer.Accepted {
		t.Errorf("got %+v, %v", answer, err)
	}
}

func TestAsk(t *testing.T) {
	broker := brokertest.Start(t)
	u, _, stop := online(t, broker, uplink.Options{Commands: []string{"confirm"}})
	opts := uplink.Target{MQTT: settings(broker.URL()), Station: station}
	opts.MQTT.ClientID = ""
	go func() {
		for i := 0; ; i++ {
			c := <-u.Commands()
			if i == 0 {
				// Another technician's reply arrives first and must be ignored.
				listen(t, broker.URL()).send(topics.CommandReply(), `{"id": "other", "command": "confirm", "ok": true}`)
				c.Reply(errors.New("no model is on probation"))
				continue
			}
			u.PublishModel(message.ModelState{Active: &message.ModelRef{Serial: 8}})
			c.Reply(nil)
		}
	}()
	refused, ok := errors.AsType[*uplink.CommandError](uplink.Ask(t.Context(), opts, "confirm"))
	if !ok || refused.Reason != "no model is on probation" || refused.Station != station {
		t.Errorf("got %v", refused)
	}
	if err := uplink.Ask(t.Context(), opts, "confirm"); err != nil {
		t.Error(err)
	}
	if err := uplink.Ask(t.Context(), opts, "dance"); err == nil || !strings.Contains(err.Error(), `unknown command "dance"`) {
		t.Errorf("got %v", err)
	}
	known, err := uplink.Inquire(t.Context(), opts)
	if err != nil || known.Status.State != message.Online || known.Model.Active == nil ||
		known.Model.Active.Serial != 8 || known.Health != nil {
		t.Errorf("%+v, %v", known, err)
	}
	stop()
	if err := uplink.Ask(t.Context(), opts, "confirm"); !errors.Is(err, uplink.ErrOffline) {
		t.Errorf("got %v", err)
	}
	if known, err := uplink.Inquire(t.Context(), opts); err != nil || known.Status.State != message.Offline {
		t.Errorf("%+v, %v", known, err)
	}
	opts.Station = "no/such/one"
	if err := uplink.Ask(t.Context(), opts, "confirm"); !errors.Is(err, uplink.ErrUnknownStation) {
		t.Errorf("got %v", err)
	}
}

func TestWatch(t *testing.T) {
	broker := brokertest.Start(t)
	u, j, _ := online(t, broker, uplink.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	notices := make(chan string, 100)
	verdicts := make(chan uint64, 100)
	watched := make(chan error, 1)
	go func() {
		opts := uplink.WatchOptions{
			MQTT: settings(broker.URL()), Station: message.AllStations, Notice: func(s string) { notices <- s },
		}
		opts.MQTT.ClientID = ""
		watched <- uplink.Watch(ctx, opts, func(topic string, v *verdict.Verdict) {
			if topic != topics.Verdict() {
				t.Errorf("topic %s", topic)
			}
			verdicts <- v.Seq
		})
	}()
	notice := func(want string) {
		t.Helper()
		for got := range notices {
			if strings.Contains(got, want) {
				return
			}
		}
	}
	take := func(n int) (seqs []uint64) {
		for range n {
			seqs = append(seqs, <-verdicts)
		}
		return seqs
	}
	notice("listening to tirewatch/+/+/+/verdict")
	appendN(t, j, 3)
	if got := take(3); !slices.Equal(got, []uint64{1, 2, 3}) {
		t.Errorf("got %v", got)
	}
	listen(t, broker.URL()).send(topics.Verdict(), "{}")
	notice("malformed verdict")

	drain(t, u)
	broker.Stop()
	notice("connection lost")
	broker.Restart()
	notice("listening to")
	appendN(t, j, 1)
	if got := take(1); got[0] != 4 {
		t.Errorf("got %v", got)
	}
	cancel()
	if err := <-watched; err != nil {
		t.Errorf("got %v", err)
	}
}

// The hash in answers must be the one that bundles use for themselves.
func TestBundleHash(t *testing.T) {
	// echo -n aaa | sha256sum
	if got := message.BundleHash(bytes.Repeat([]byte{'a'}, 3)); got != "9834876dcfb05cb1" {
		t.Errorf("got %s", got)
	}
}
