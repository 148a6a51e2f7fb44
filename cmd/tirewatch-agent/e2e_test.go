package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tirewatch/agent/config"
	"tirewatch/agent/journal"
	"tirewatch/agent/message"
	"tirewatch/agent/uplink"
	"tirewatch/agent/uplink/brokertest"
	"tirewatch/cmd/internal/cli"
	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
	"tirewatch/vision/verdict"
)

// patience limits the wait for what takes seconds on an idle machine. It fails a test that would
// hang, on a busy machine too.
const patience = 15 * time.Minute

// daemon is the real program in a process of its own.
type daemon struct {
	cmd    *exec.Cmd
	stderr lockedBuffer
}

// lockedBuffer may be read while the process writes it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// program is the path of the binary under test.
type program string

// TestDaemon builds the real program and runs it as a station with a real broker.
func TestDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tirewatch-agent")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	p := program(path)
	t.Run("playback", p.testPlayback)
	t.Run("outage", p.testOutage)
	t.Run("term", p.testTerm)
	t.Run("probation", p.testProbation)
	t.Run("sparkplug", p.testSparkplug)
	t.Run("unsure", p.testUnsure)
	t.Run("second opinion", p.testSecondOpinion)
}

// start runs the program in dir.
func (p program) start(t *testing.T, dir string, args ...string) *daemon {
	t.Helper()
	d := p.launch(t, dir, os.Environ(), args...)
	t.Cleanup(func() { d.end(t) })
	return d
}

// launch is start without the cleanup: the caller ends the daemon.
func (p program) launch(t *testing.T, dir string, env []string, args ...string) *daemon {
	t.Helper()
	d := &daemon{cmd: exec.Command(string(p), args...)}
	d.cmd.Dir, d.cmd.Env, d.cmd.Stderr = dir, env, &d.stderr
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return d
}

// end kills the daemon if it still runs, and prints its log if the test has failed.
func (d *daemon) end(t *testing.T) {
	if d.cmd.ProcessState == nil {
		d.cmd.Process.Kill()
		d.cmd.Wait()
	}
	if t.Failed() {
		t.Logf("the log of the agent:\n%s", d.stderr.String())
	}
}

// wait returns the exit code.
func (d *daemon) wait(t *testing.T) int {
	t.Helper()
	hung := time.AfterFunc(patience, func() { d.cmd.Process.Kill() })
	defer hung.Stop()
	err := d.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return d.cmd.ProcessState.ExitCode()
}

// listener collects the verdicts, as a SCADA system would.
type listener struct {
	verdicts chan verdict.Verdict
}

// listen returns when the subscription is active.
func listen(t *testing.T, broker *brokertest.Broker) *listener {
	t.Helper()
	l := &listener{verdicts: make(chan verdict.Verdict, 1000)}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	ready, ended := make(chan struct{}), make(chan error, 1)
	var once sync.Once
	go func() {
		ended <- uplink.Watch(ctx, uplink.WatchOptions{
			MQTT: config.MQTT{Broker: broker.URL(), Root: "tirewatch"}, Station: "plant/line/1",
			Notice: func(string) { once.Do(func() { close(ready) }) },
		}, func(_ string, v *verdict.Verdict) { l.verdicts <- *v })
	}()
	select {
	case <-ready:
	case err := <-ended:
		t.Fatalf("watch ended: %v", err)
	case <-time.After(patience):
		t.Fatal("no subscription")
	}
	return l
}

// next waits for n verdicts.
func (l *listener) next(t *testing.T, n int) (all []verdict.Verdict) {
	t.Helper()
	for range n {
		select {
		case v := <-l.verdicts:
			all = append(all, v)
		case <-time.After(patience):
			t.Fatalf("%d verdicts arrived, want %d", len(all), n)
		}
	}
	return all
}

func seqs(all []verdict.Verdict) (s []uint64) {
	for _, v := range all {
		s = append(s, v.Seq)
	}
	return s
}

// newStation prepares a folder with a station that uses the broker.
func newStation(t *testing.T, broker, camera string) string {
	t.Helper()
	dir := t.TempDir()
	if err := furnish(dir); err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(stationConfig("[mqtt]\nbroker = \""+broker+"\"\n"), "[model]", camera+"\n[model]", 1)
	if err := os.WriteFile(filepath.Join(dir, "station.toml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// testPlayback plays a folder to its end: when the program ends with 0, the verdict of each image
// has arrived.
func (p program) testPlayback(t *testing.T) {
	broker := brokertest.Start(t)
	l := listen(t, broker)
	d := p.start(t, newStation(t, broker.URL(), ""), "run", "--config", "station.toml")
	if code := d.wait(t); code != cli.OK {
		t.Fatalf("exit %d", code)
	}
	all := l.next(t, 5)
	if got := seqs(all); !slices.Equal(got, []uint64{1, 2, 3, 4, 5}) {
		t.Errorf("verdicts %v", got)
	}
	for i, v := range all {
		if v.Image != fmt.Sprintf("%d.png", i) || v.ModelSerial != 7 || v.Station != "plant/line/1" || len(v.Votes) != 1 {
			t.Errorf("verdict %+v", v)
		}
	}
}

// testOutage plays a folder without the broker: the program ends in time, and the next run sends
// the verdicts that waited.
func (p program) testOutage(t *testing.T) {
	broker := brokertest.New(t)
	dir := newStation(t, broker.URL(), "")
	d := p.start(t, dir, "run", "--config", "station.toml", "--drain-timeout", "1s")
	if code := d.wait(t); code != cli.OK {
		t.Fatalf("exit %d", code)
	}
	if said := d.stderr.String(); !strings.Contains(said, "uplink: queue not drained") {
		t.Errorf("the log does not mention the unsent verdicts: %s", said)
	}
	broker.Restart()
	l := listen(t, broker)
	if code := p.start(t, dir, "run", "--config", "station.toml").wait(t); code != cli.OK {
		t.Fatalf("exit %d", code)
	}
	got := seqs(l.next(t, 10))
	slices.Sort(got)
	if want := []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}; !slices.Equal(got, want) {
		t.Errorf("verdicts %v; want %v", got, want)
	}
}

// testUnsure pushes a model that is unsure of every tire to a station that lets such tires pass,
// and to one that rejects them.
func (p program) testUnsure(t *testing.T) {
	for on, reject := range map[string]bool{"pass": false, "reject": true} {
		broker := brokertest.Start(t)
		l := listen(t, broker)
		dir := newStation(t, broker.URL(), "loop = true\nrealtime = true\n[reject]\non_unsure = \""+on+"\"")
		path := filepath.Join(dir, "station.toml")
		text, err := os.ReadFile(path)
		if err == nil {
			text = bytes.Replace(text, []byte("[mqtt]\n"), []byte("[mqtt]\nhealth_period = \"1s\"\n"), 1)
			err = os.WriteFile(path, text, 0o600)
		}
		key, keyErr := bundle.ReadPrivateKey(filepath.Join(dir, "plant.key"))
		data, encodeErr := bundle.Encode(bundletest.Three(9, 1e-6, 1-1e-6), key)
		if err := errors.Join(err, keyErr, encodeErr); err != nil {
			t.Fatal(err)
		}
		p.start(t, dir, "run", "--config", "station.toml")
		l.next(t, 1)
		opts := uplink.Target{MQTT: config.MQTT{Broker: broker.URL(), Root: "tirewatch"}, Station: "plant/line/1"}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if _, err := uplink.Push(ctx, opts, data); err != nil {
			t.Fatal(err)
		}
		v := l.next(t, 1)[0]
		for ; v.ModelSerial != 9; v = l.next(t, 1)[0] {
		}
		if !v.IsUnsure() || v.Reject != reject || v.SoundBelow != 1e-6 || v.Threshold != 1-1e-6 || v.Probability == 0 || v.Crop == "" {
			t.Errorf("on_unsure %s: %+v", on, v)
		}
		for {
			known, err := uplink.Inquire(ctx, opts)
			if err != nil {
				t.Fatalf("on_unsure %s: the health never counts an unsure tire: %v", on, err)
			}
			if h := known.Health; h != nil && h.Unsure > 0 && h.Verdicts[string(verdict.NoDecision)] >= h.Unsure {
				break
			}
		}
	}
}

// testTerm pushes a model to a station that plays in a loop, and stops the station.
func (p program) testTerm(t *testing.T) {
	broker := brokertest.Start(t)
	l := listen(t, broker)
	dir := newStation(t, broker.URL(), "loop = true\nrealtime = true")
	d := p.start(t, dir, "run", "--config", "station.toml")
	l.next(t, 7) // it starts again after the fifth image
	opts := uplink.Target{MQTT: config.MQTT{Broker: broker.URL(), Root: "tirewatch"}, Station: "plant/line/1"}
	if known, err := uplink.Inquire(t.Context(), opts); err != nil || known.Health == nil || known.Health.ModelSerial != 7 || known.Health.MemoryBytes == nil {
		t.Errorf("the broker has %+v, %v", known, err)
	}

	key, err := bundle.ReadPrivateKey(filepath.Join(dir, "plant.key"))
	if err != nil {
		t.Fatal(err)
	}
	push := func(serial uint64) error {
		data, err := bundle.Encode(bundletest.Small(serial), key)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, err = uplink.Push(ctx, opts, data)
		return err
	}
	if err := push(9); err != nil {
		t.Fatal(err)
	}
	var refused *uplink.RefusedError
	if err := push(8); !errors.As(err, &refused) || !strings.Contains(err.Error(), "serial 8 is lower than 9") {
		t.Errorf("an older model: %v; want a refusal", err)
	}
	for v := l.next(t, 1)[0]; v.ModelSerial != 9; v = l.next(t, 1)[0] {
	}

	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := d.wait(t); code != cli.OK {
		t.Fatalf("exit %d", code)
	}
	// the broker has all verdicts of the journal
	j, err := journal.Open(filepath.Join(dir, "journal.db"), "plant/line/1")
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if n, _, err := j.Depth(); err != nil || n != 0 {
		t.Errorf("%d verdicts were not sent, %v", n, err)
	}
}

// testProbation kills the program three times while a new model is on probation: it rolls back to
// the previous model. The next bundle arrives in the inbox, and is confirmed and rolled back by
// command.
func (p program) testProbation(t *testing.T) {
	broker := brokertest.Start(t)
	dir := newStation(t, broker.URL(), "loop = true\nrealtime = true\n")
	path := filepath.Join(dir, "station.toml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.Replace(string(text), "[journal]", "inbox = \"inbox\"\nprobation = 100000\n[journal]", 1))
	if err := errors.Join(os.WriteFile(path, text, 0o600), os.Mkdir(filepath.Join(dir, "inbox"), 0o700)); err != nil {
		t.Fatal(err)
	}
	key, err := bundle.ReadPrivateKey(filepath.Join(dir, "plant.key"))
	if err != nil {
		t.Fatal(err)
	}
	opts := uplink.Target{MQTT: config.MQTT{Broker: broker.URL(), Root: "tirewatch"}, Station: "plant/line/1"}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	l := listen(t, broker)
	awaitModel := func(serial uint64) {
		t.Helper()
		for v := l.next(t, 1)[0]; v.ModelSerial != serial; v = l.next(t, 1)[0] {
		}
	}
	state := func() *message.ModelState {
		t.Helper()
		known, err := uplink.Inquire(ctx, opts)
		if err != nil {
			t.Fatal(err)
		}
		return known.Model
	}
	d := p.start(t, dir, "run", "--config", "station.toml")
	awaitModel(7)
	data, err := bundle.Encode(bundletest.Small(9), key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := uplink.Push(ctx, opts, data); err != nil {
		t.Fatal(err)
	}
	var known uint64 // the last verdict of the earlier processes
	for range 3 {
		// verdicts that are delivered again are not from the running process
		for v := l.next(t, 1)[0]; v.ModelSerial != 9 || v.Seq <= known; v = l.next(t, 1)[0] {
		}
		d.cmd.Process.Kill()
		d.cmd.Wait()
		known = lastVerdict(t, dir)
		d = p.start(t, dir, "run", "--config", "station.toml")
	}
	awaitModel(7)
	// The station publishes its models before it is online, but the broker may still have the will
	// of the killed process.
	for m := state(); m.Last == nil || m.Last.Event != "fell_back" || !strings.Contains(m.Last.Reason, "crashed 3 times"); m = state() {
	}
	if err := bundle.Write(filepath.Join(dir, "inbox", "next.tire"), bundletest.Small(10), key); err != nil {
		t.Fatal(err)
	}
	awaitModel(10)
	if m := state(); m.Candidate == nil || m.Candidate.Serial != 10 || m.Previous == nil || m.Previous.Serial != 7 {
		t.Errorf("on probation: %+v", m)
	}
	if err := uplink.Ask(ctx, opts, "confirm"); err != nil {
		t.Error(err)
	}
	if m := state(); m.Candidate != nil || m.Last.Event != "confirmed" {
		t.Errorf("confirmed: %+v, %+v", m, m.Last)
	}
	if err := uplink.Ask(ctx, opts, "confirm"); err == nil || !strings.Contains(err.Error(), "no model is on probation") {
		t.Errorf("confirmed twice: %v", err)
	}
	if err := uplink.Ask(ctx, opts, "rollback"); err != nil {
		t.Error(err)
	}
	awaitModel(7)
	if _, err := os.Stat(filepath.Join(dir, "inbox", "next.tire.accepted")); err != nil {
		t.Error(err)
	}
}

// lastVerdict returns the highest number in the journal of a stopped station.
func lastVerdict(t *testing.T, dir string) uint64 {
	t.Helper()
	j, err := journal.Open(filepath.Join(dir, "journal.db"), "plant/line/1")
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	all, err := j.Recent(1)
	if err != nil || len(all) != 1 {
		t.Fatalf("%d verdicts, %v", len(all), err)
	}
	return all[0].Seq
}
