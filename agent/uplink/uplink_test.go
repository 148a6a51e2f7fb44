package uplink_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tirewatch/agent/config"
	"tirewatch/agent/message"
	"tirewatch/agent/uplink"
	"tirewatch/agent/uplink/brokertest"
	"tirewatch/vision/verdict"
)

func TestDeliversInOrder(t *testing.T) {
	for _, encoding := range []verdict.Encoding{verdict.JSON, verdict.MessagePack} {
		t.Run(string(encoding), func(t *testing.T) {
			broker := brokertest.Start(t)
			scada := listen(t, broker.URL(), topics.Verdict())
			j := newJournal(t)
			appendN(t, j, 150) // more than two windows
			cfg := settings(broker.URL())
			cfg.Encoding = encoding
			u := uplink.New(cfg, topics, j, quiet, uplink.Options{})
			run(t, u)
			drain(t, u)
			appendN(t, j, 50)
			drain(t, u)
			for want := uint64(1); want <= 200; want++ {
				m := scada.next(topics.Verdict())
				v, err := verdict.Decode(m.Payload())
				if err != nil || v.Seq != want || v.Station != station || m.Retained() {
					t.Fatalf("got %v, retained %v, %v, want number %d", v, m.Retained(), err, want)
				}
			}
		})
	}
}

// A late subscriber receives the state; a stop differs from a lost connection.
func TestStatusAndModelAreRetained(t *testing.T) {
	broker := brokertest.Start(t)
	u := uplink.New(settings(broker.URL()), topics, newJournal(t), quiet, uplink.Options{Version: "v1.2.3"})
	active := &message.ModelRef{Serial: 7, Hash: "0123456789abcdef", Since: time.Now().UTC()}
	u.PublishModel(message.ModelState{Active: active})
	stop := run(t, u)
	first := listen(t, broker.URL(), topics.Status())
	until(first, topics.Status(), func(s message.Status) bool { return s.State == message.Online })
	first.client.Disconnect(100)

	late := listen(t, broker.URL(), topics.Model(), topics.Status())
	m := late.next(topics.Model())
	var model message.ModelState
	if err := json.Unmarshal(m.Payload(), &model); err != nil || *model.Active != *active || !m.Retained() {
		t.Errorf("model: %s, retained %v, %v", m.Payload(), m.Retained(), err)
	}
	m = late.next(topics.Status())
	var status message.Status
	if err := json.Unmarshal(m.Payload(), &status); err != nil {
		t.Fatal(err)
	}
	if !m.Retained() || status.Model != active.Hash || status.Version != "v1.2.3" || status.Since.IsZero() {
		t.Errorf("status: %s, retained %v", m.Payload(), m.Retained())
	}
	u.PublishProblem("camera lost")
	until(late, topics.Status(), func(s message.Status) bool { return s.State == message.Online && s.Problem == "camera lost" })
	u.PublishProblem("")
	until(late, topics.Status(), func(s message.Status) bool { return s.State == message.Online && s.Problem == "" })
	gap := message.Gap{First: 7, Last: 9, Lost: 3, Why: "the disk budget", Time: time.Now().UTC()}
	u.PublishGaps(3, []message.Gap{gap})
	until(late, topics.Status(), func(s message.Status) bool { return s.Lost == 3 && len(s.Gaps) == 1 && s.Gaps[0] == gap })

	stop()
	gone := until(late, topics.Status(), func(s message.Status) bool { return s.State == message.Offline })
	if gone.Reason != "stopped" || gone.Since.IsZero() {
		t.Errorf("after a stop: %+v", gone)
	}
}

// Health is sent at each connection and then periodically. A late subscriber and the toolbox
// receive the last message.
func TestHealthIsRetained(t *testing.T) {
	broker := brokertest.Start(t)
	cfg := settings(broker.URL())
	cfg.HealthPeriod = config.Duration(10 * time.Millisecond)
	var calls atomic.Uint64
	u := uplink.New(cfg, topics, newJournal(t), quiet, uplink.Options{Health: func() (message.Health, error) {
		n := calls.Add(1)
		if n%2 == 0 {
			return message.Health{}, errors.New("disk gone") // skipped
		}
		return message.Health{Time: time.Now().UTC(), Frames: n, Verdicts: map[string]uint64{"crack": 2}}, nil
	}})
	stop := run(t, u)
	first := listen(t, broker.URL(), topics.Health())
	until(first, topics.Health(), func(h message.Health) bool { return h.Frames >= 5 && h.Frames%2 == 1 })
	stop()

	late := listen(t, broker.URL(), topics.Health())
	m := late.next(topics.Health())
	var h message.Health
	if err := json.Unmarshal(m.Payload(), &h); err != nil || !m.Retained() || h.Frames < 5 {
		t.Errorf("%s, retained %v, %v", m.Payload(), m.Retained(), err)
	}
	known, err := uplink.Inquire(t.Context(), uplink.Target{MQTT: settings(broker.URL()), Station: station})
	if err != nil || known.Health == nil || known.Health.Frames != h.Frames || known.Health.Verdicts["crack"] != 2 {
		t.Errorf("the toolbox knows %+v, %v", known, err)
	}
}

// TestMain runs an uplink in a separate process for TestLastWill.
func TestMain(m *testing.M) {
	if broker := os.Getenv("UPLINK_TEST_BROKER"); broker != "" {
		u := uplink.New(settings(broker), topics, emptyQueue{}, quiet, uplink.Options{Version: "v1"})
		u.Run(context.Background())
		return
	}
	os.Exit(m.Run())
}

// emptyQueue is always empty.
type emptyQueue struct{}

func (emptyQueue) Pending(uint64, int) ([]verdict.Verdict, error) { return nil, nil }
func (emptyQueue) MarkAcked(...uint64) error                      { return nil }
func (emptyQueue) Depth() (int, time.Time, error)                 { return 0, time.Time{}, nil }
func (emptyQueue) Wake() <-chan struct{}                          { return nil }

func TestLastWill(t *testing.T) {
	broker := brokertest.Start(t)
	scada := listen(t, broker.URL(), topics.Status())
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "UPLINK_TEST_BROKER="+broker.URL())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	until(scada, topics.Status(), func(s message.Status) bool { return s.State == message.Online })
	cmd.Process.Kill()
	cmd.Wait()
	s := until(scada, topics.Status(), func(s message.Status) bool { return s.State == message.Offline })
	if s.Reason != "connection lost" || s.Version != "v1" {
		t.Errorf("got %+v", s)
	}
}

func TestBrokerGoesAndComesBack(t *testing.T) {
	broker := brokertest.New(t)
	j := newJournal(t)
	log, logger := newLog()
	u := uplink.New(settings(broker.URL()), topics, j, logger, uplink.Options{})
	u.SetPauses(20*time.Millisecond, time.Minute)
	run(t, u)
	appendN(t, j, 100)
	log.wait("nothing listens there") // no broker at the start
	broker.Restart()
	drain(t, u)

	broker.Stop()
	appendN(t, j, 100)
	// the error of the loss itself depends on what notices it first, the session or a verdict in
	// flight
	log.waitAgain("nothing listens there", 2)
	broker.Restart()
	drain(t, u)
	scada := listen(t, broker.URL(), topics.Status(), topics.Verdict())
	until(scada, topics.Status(), func(s message.Status) bool { return s.State == message.Online })
	appendN(t, j, 1)
	if v := until(scada, topics.Verdict(), func(verdict.Verdict) bool { return true }); v.Seq != 201 {
		t.Errorf("got number %d, want 201", v.Seq)
	}
	if n := strings.Count(log.String(), "nothing listens there"); n > 2 { // once for each outage
		t.Errorf("the missing broker was reported %d times:\n%s", n, log)
	}
}

func TestDrainGivesUp(t *testing.T) {
	j := newJournal(t)
	appendN(t, j, 3)
	u := uplink.New(settings("mqtt://127.0.0.1:1"), topics, j, quiet, uplink.Options{})
	run(t, u)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := u.Drain(ctx)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "3 verdicts not acknowledged") {
		t.Errorf("got %v", err)
	}
}

func TestPassword(t *testing.T) {
	dir := t.TempDir()
	users := filepath.Join(dir, "users")
	if out, err := exec.Command("mosquitto_passwd", "-b", "-c", users, "station3", "right-4d8c1").CombinedOutput(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			brokertest.New(t) // skips or fails, as without the broker
		}
		t.Fatalf("mosquitto_passwd: %v: %s", err, out)
	}
	broker := brokertest.Start(t, "allow_anonymous false", "password_file "+users)
	file := filepath.Join(dir, "password")
	write := func(password string, mode os.FileMode) {
		if err := errors.Join(os.WriteFile(file, []byte(password), 0o600), os.Chmod(file, mode)); err != nil {
			t.Fatal(err)
		}
	}
	write("wrong-77e20\n", 0o644)

	j := newJournal(t)
	appendN(t, j, 1)
	cfg := settings(broker.URL())
	cfg.Username, cfg.PasswordFile = "station3", file
	log, logger := newLog()
	u := uplink.New(cfg, topics, j, logger, uplink.Options{})
	u.SetPauses(20*time.Millisecond, time.Minute)
	stop := run(t, u)
	log.wait("can be read or changed by every user of this machine: run chmod 600 " + file)
	write("wrong-77e20\n", 0o600)
	log.wait(`it refuses user \"station3\": check the user name and the password file`)
	write("right-4d8c1\n", 0o600) // read again without a restart
	drain(t, u)
	stop()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	cfg.PasswordFile = "credential:password"
	appendN(t, j, 1)
	second := uplink.New(cfg, topics, j, logger, uplink.Options{})
	run(t, second)
	drain(t, second)
	for _, secret := range []string{"right-4d8c1", "wrong-77e20"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log holds a password:\n%s", log)
		}
	}

	anonymous := settings(broker.URL())
	err := uplink.Watch(t.Context(), uplink.WatchOptions{MQTT: anonymous, Station: station}, nil)
	if err == nil || !strings.Contains(err.Error(), "it requires a user name") {
		t.Errorf("got %v", err)
	}
}

func TestConnectErrors(t *testing.T) {
	dir := t.TempDir()
	plain := brokertest.Start(t)
	secure := startTLS(t, dir)
	strictDir := t.TempDir()
	strict := startTLS(t, strictDir, "require_certificate true", "cafile "+strictDir+"/ca.pem")
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		cfg  config.MQTT
		want string
	}{
		{"port without a listener", config.MQTT{Broker: "mqtt://127.0.0.1:1"},
			"nothing listens there: check the port, and that the broker is running"},
		{"unknown host", config.MQTT{Broker: "mqtt://no-such-host.invalid"}, "host no-such-host.invalid not found"},
		{"unknown authority", config.MQTT{Broker: secure},
			"its certificate is signed by an unknown authority: set the CA file"},
		{"certificate for another host",
			config.MQTT{Broker: strings.Replace(secure, "localhost", "127.0.0.1", 1), CAFile: dir + "/ca.pem"},
			"its certificate is for another host"},
		{"TLS to a plain port", config.MQTT{Broker: fmt.Sprintf("mqtts://127.0.0.1:%d", plain.Port)},
			"it may use another protocol on this port"},
		{"no TLS to a TLS port", config.MQTT{Broker: strings.Replace(secure, "mqtts", "mqtt", 1)},
			"it may use another protocol on this port"},
		{"broker that requires a client certificate", config.MQTT{Broker: strict, CAFile: strictDir + "/ca.pem"},
			"require a client certificate"},
		{"empty CA file", config.MQTT{Broker: secure, CAFile: empty}, "contains no PEM certificate"},
		{"missing client certificate file", config.MQTT{Broker: secure, CertFile: dir + "/no", KeyFile: dir + "/no"},
			"client certificate"},
		{"empty password file", config.MQTT{Broker: plain.URL(), Username: "u", PasswordFile: empty},
			"has an empty first line"},
		{"foreign scheme", config.MQTT{Broker: "http://localhost"}, "want mqtt://HOST or mqtts://HOST"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.cfg.Root = "tirewatch"
			err := uplink.Watch(t.Context(), uplink.WatchOptions{MQTT: test.cfg, Station: station}, nil)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	t.Run("a broker with an old TLS", func(t *testing.T) {
		pair, err := tls.LoadX509KeyPair(dir+"/server.pem", dir+"/server.key")
		if err != nil {
			t.Fatal(err)
		}
		old, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
			Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11,
		})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			for conn, err := old.Accept(); err == nil; conn, err = old.Accept() {
				conn.Read(make([]byte, 1))
				conn.Close()
			}
		})
		t.Cleanup(func() { old.Close(); wg.Wait() })
		cfg := settings(fmt.Sprintf("mqtts://localhost:%d", old.Addr().(*net.TCPAddr).Port))
		cfg.CAFile = dir + "/ca.pem"
		err = uplink.Watch(t.Context(), uplink.WatchOptions{MQTT: cfg, Station: station}, nil)
		if err == nil || !strings.Contains(err.Error(), "TLS older than 1.2") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("with a client certificate", func(t *testing.T) {
		cfg := settings(strict)
		cfg.CAFile, cfg.CertFile, cfg.KeyFile = strictDir+"/ca.pem", strictDir+"/client.pem", strictDir+"/client.key"
		if err := os.Chmod(cfg.KeyFile, 0o644); err != nil {
			t.Fatal(err)
		}
		err := uplink.Watch(t.Context(), uplink.WatchOptions{MQTT: cfg, Station: station}, nil)
		if err == nil || !strings.Contains(err.Error(), "client.key can be read or changed by every user") {
			t.Errorf("with a key that everybody can read: got %v", err)
		}
		if err := os.Chmod(cfg.KeyFile, 0o600); err != nil {
			t.Fatal(err)
		}
		j := newJournal(t)
		appendN(t, j, 1)
		u := uplink.New(cfg, topics, j, quiet, uplink.Options{})
		run(t, u)
		drain(t, u)
	})
	t.Run("with the right certificate", func(t *testing.T) {
		j := newJournal(t)
		appendN(t, j, 1)
		cfg := settings(secure)
		cfg.CAFile = dir + "/ca.pem"
		u := uplink.New(cfg, topics, j, quiet, uplink.Options{})
		run(t, u)
		drain(t, u)
	})
}

func TestCommands(t *testing.T) {
	broker := brokertest.Start(t)
	u := uplink.New(settings(broker.URL()), topics, newJournal(t), quiet, uplink.Options{Commands: []string{"confirm"}})
	run(t, u)
	technician := listen(t, broker.URL(), topics.CommandReply(), topics.Status())
	until(technician, topics.Status(), func(s message.Status) bool { return s.State == message.Online })
	reply := func(payload string) message.CommandReply {
		technician.send(topics.Command(), payload)
		return until(technician, topics.CommandReply(), func(message.CommandReply) bool { return true })
	}
	if r := reply(`{"id": "1", "command": "dance"}`); r.OK || r.ID != "1" || r.Error != `unknown command "dance", known: confirm` {
		t.Errorf("got %+v", r)
	}
	if r := reply(`[`); r.OK || !strings.HasPrefix(r.Error, "malformed command") {
		t.Errorf("got %+v", r)
	}
	technician.send(topics.Command(), `{"id": "2", "command": "confirm"}`)
	c := <-u.Commands()
	if c.Name != "confirm" || c.ID != "2" {
		t.Errorf("got %+v", c)
	}
	c.Reply(nil)
	second := func(r message.CommandReply) bool { return r.ID == "2" }
	if r := until(technician, topics.CommandReply(), second); !r.OK {
		t.Errorf("got %+v", r)
	}
	c.Reply(errors.New("no candidate"))
	if r := until(technician, topics.CommandReply(), second); r.OK || r.Error != "no candidate" {
		t.Errorf("got %+v", r)
	}
}

// A trigger does not wait for slow commands. A retained one is refused.
func TestTriggerCommand(t *testing.T) {
	broker := brokertest.Start(t)
	triggers := make(chan message.Command, 4)
	u := uplink.New(settings(broker.URL()), topics, newJournal(t), quiet, uplink.Options{
		Commands: []string{"confirm"}, Trigger: func(c message.Command) { triggers <- c },
	})
	plc := listen(t, broker.URL(), topics.CommandReply(), topics.Status())
	plc.client.Publish(topics.Command(), 1, true, `{"id": "0", "command": "trigger"}`).Wait()
	run(t, u)
	until(plc, topics.Status(), func(s message.Status) bool { return s.State == message.Online })
	answer := func(id string) message.CommandReply {
		return until(plc, topics.CommandReply(), func(r message.CommandReply) bool { return r.ID == id })
	}
	if r := answer("0"); r.OK || !strings.Contains(r.Error, "retained") {
		t.Errorf("a retained trigger: %+v", r)
	}
	plc.send(topics.Command(), `{"id": "1", "command": "confirm"}`) // nobody receives it
	plc.send(topics.Command(), `{"id": "2", "command": "trigger", "part": "4711", "time": "2026-03-01T22:15:07.25Z"}`)
	c := <-triggers
	if c.Part != "4711" || !c.Time.Equal(time.Date(2026, 3, 1, 22, 15, 7, 250e6, time.UTC)) {
		t.Errorf("got %+v", c)
	}
	c.Reply(errors.New("double"))
	if r := answer("2"); r.OK || r.Error != "double" || r.Name != "trigger" {
		t.Errorf("got %+v", r)
	}
	plc.send(topics.Command(), `{"id": "3", "command": "trigger", "part": "`+strings.Repeat("x", 129)+`"}`)
	if r := answer("3"); r.OK || !strings.Contains(r.Error, "129 bytes") {
		t.Errorf("a long name: %+v", r)
	}
	if len(triggers) != 0 {
		t.Errorf("%d triggers too many", len(triggers))
	}
}

// A reject is sent at once or never.
func TestRejects(t *testing.T) {
	broker := brokertest.Start(t)
	u := uplink.New(settings(broker.URL()), topics, newJournal(t), quiet, uplink.Options{})
	missed := make(chan error, 4)
	order := func(seq uint64) {
		u.PublishReject(message.Reject{
			Station: station, Seq: seq, Middle: time.Now().UTC(), Label: verdict.Crack, Part: "4711",
			Missed: func(err error) { missed <- err },
		})
	}
	plc := listen(t, broker.URL(), topics.Reject(), topics.Status())
	order(1)
	if err := <-missed; err == nil {
		t.Error("sent without a connection")
	}
	run(t, u)
	until(plc, topics.Status(), func(s message.Status) bool { return s.State == message.Online })
	order(2)
	got := until(plc, topics.Reject(), func(message.Reject) bool { return true })
	if got.Seq != 2 || got.Part != "4711" || got.Label != verdict.Crack {
		t.Errorf("got %+v", got)
	}
	if len(missed) != 0 {
		t.Errorf("missed: %v", <-missed)
	}
}

// brokenQueue fails the first reads and marks.
type brokenQueue struct {
	uplink.Queue
	reads, marks int
}

func (q *brokenQueue) Pending(after uint64, limit int) ([]verdict.Verdict, error) {
	if q.reads > 0 {
		q.reads--
		return nil, errors.New("the disk does not answer")
	}
	return q.Queue.Pending(after, limit)
}

func (q *brokenQueue) MarkAcked(seqs ...uint64) error {
	if q.marks > 0 {
		q.marks--
		return errors.New("the disk is full")
	}
	return q.Queue.MarkAcked(seqs...)
}

// A journal that fails for a while does not end the uplink or lose a verdict.
func TestJournalTrouble(t *testing.T) {
	broker := brokertest.Start(t)
	j := newJournal(t)
	appendN(t, j, 3)
	log, logger := newLog()
	u := uplink.New(settings(broker.URL()), topics, &brokenQueue{j, 1, 1}, logger, uplink.Options{})
	u.SetJournalPause(20 * time.Millisecond)
	run(t, u)
	drain(t, u)
	log.wait("the disk does not answer")
	log.wait("the disk is full")
	if rows, err := j.Pending(0, math.MaxInt32); len(rows) != 0 || err != nil {
		t.Errorf("%d verdicts left, %v", len(rows), err)
	}
}
