package main

import (
	"bytes"
	"database/sql"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	_ "modernc.org/sqlite" // reads the journal with other code than its own

	"tirewatch/agent/uplink/brokertest"
	"tirewatch/cmd/internal/cli"
	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
	"tirewatch/vision/verdict"
)

var (
	tortureKills = flag.Int("torture.kills", 200, "how often TestTorture kills the agent")
	tortureSeed  = flag.Uint64("torture.seed", 1, "seed of TestTorture")
)

// TestTorture kills the real agent again and again, at random moments and at chosen system calls,
// while it inspects, sends and installs models, while its broker freezes or restarts, its disk is
// full and its clock jumps. After each kill the journal must be intact. In the end every verdict
// must have arrived, unchanged and with its own number.
//
//	make torture        2,000 kills
//	go test -run Torture -v ./cmd/tirewatch-agent -torture.kills 20 -torture.seed 7
func TestTorture(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: some hundred starts of the agent take minutes")
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		if os.Getenv("REQUIRE_MOSQUITTO") == "1" {
			t.Fatal("strace is not installed (Debian package strace): the test needs it to kill the agent at system calls")
		}
		t.Skip("strace is not installed (Debian package strace)")
	}
	path := filepath.Join(t.TempDir(), "tirewatch-agent")
	buildWithClock(t, path)
	x := newTorture(t, program(path), strace)
	t.Cleanup(func() {
		for _, d := range x.latest {
			d.end(t)
		}
	})
	for x.kills < *tortureKills && !t.Failed() {
		x.cycle()
	}
	x.finish()
	t.Logf("seed %d: %d kills, %d of them at a system call; %d verdicts, %d repeated, 0 lost, 0 altered; broker frozen %d times, restarted %d;"+
		" disk full %d times; clock stepped %d times, %d verdicts dated before the previous one; %d good bundles pushed, %d bad ones; the last model has serial %d",
		*tortureSeed, x.kills, x.atCall, len(x.rows), x.scada.repeats, x.frozen, x.restarted, x.full, x.stepped, x.backwards, x.good, x.bad, x.lastSerial)
}

// torture is a station that is disturbed. It is owned by the test's goroutine.
type torture struct {
	t       *testing.T
	agent   program
	strace  string
	dir     string
	state   string // folder of journal and models
	mounted bool   // state is a small file system of its own
	broker  *brokertest.Broker
	scada   *scada
	rng     *rand.Rand

	rows       map[uint64][]byte // verdicts in the journal by number, as they must arrive
	checked    uint64            // all numbers up to here are checked
	serial     uint64            // of the latest good bundle
	lastSerial uint64
	latest     []*daemon // the last few, for their logs
	written    time.Time // of the last checked verdict
	backwards  int       // verdicts dated before the previous one
	clock      string    // of this cycle's agent, for its environment; empty: the right time

	kills, atCall, frozen, restarted, full, stepped, good, bad int
}

const tortureTopic = "tirewatch/plant/line/1/"

func newTorture(t *testing.T, agent program, strace string) *torture {
	x := &torture{t: t, agent: agent, strace: strace, dir: t.TempDir(), rows: map[uint64][]byte{}, serial: 7,
		rng: rand.New(rand.NewPCG(*tortureSeed, 0))}
	x.state = filepath.Join(x.dir, "state")
	if err := furnish(x.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(x.state, 0o755); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 && syscall.Mount("tmpfs", x.state, "tmpfs", 0, "size=1g") == nil {
		x.mounted = true
		t.Cleanup(func() { syscall.Unmount(x.state, syscall.MNT_DETACH) })
	} else {
		t.Log("the disk is never full: only root can mount a small one")
	}
	store := t.TempDir()
	x.broker = brokertest.Start(t, brokertest.Anonymous, "persistence true", "persistence_location "+store+"/",
		"max_queued_messages 0", "max_inflight_messages 0")
	config := strings.NewReplacer(`dir = "models"`, `dir = "state/models"`, `path = "journal.db"`, `path = "state/journal.db"`,
		`source = "folder:tires"`, "source = \"folder:tires\"\nloop = true").
		Replace(stationConfig("[mqtt]\nbroker = \"" + x.broker.URL() + "\"\n[log]\nlevel = \"warn\"\n[metrics]\nlisten = \"\"\n[page]\nlisten = \"\"\n"))
	if err := os.WriteFile(filepath.Join(x.dir, "station.toml"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	x.scada = newSCADA(t, x.broker.URL())
	return x
}

// cycle starts the agent, disturbs it, kills it, and checks the journal.
func (x *torture) cycle() {
	after := func() {}
	x.clock = ""
	switch x.rng.IntN(14) {
	case 0:
		x.frozen++
		x.broker.Freeze()
		after = x.broker.Thaw
	case 1:
		x.restarted++
		x.broker.End()
		x.broker.Restart()
	case 2, 3:
		x.push(x.rng.IntN(3) > 0)
	case 4:
		after = x.fill()
	case 5, 6:
		x.stepped++
		x.clock = wrongClock(x.rng)
	}
	if x.rng.IntN(5) < 2 {
		x.killAtCall()
	} else {
		d := x.launch(x.agent, "run", "--config", "station.toml")
		time.Sleep(time.Duration(20+x.rng.IntN(500)) * time.Millisecond) // the random moment
		x.end(d)
	}
	x.kills++
	after()
	x.check()
}

// launch starts a program with the clock of this cycle.
func (x *torture) launch(p program, args ...string) *daemon {
	x.t.Helper()
	env := os.Environ()
	if x.clock != "" {
		env = append(env, x.clock)
	}
	d := p.launch(x.t, x.dir, env, args...)
	x.latest = append(x.latest, d)
	x.latest = x.latest[max(0, len(x.latest)-5):]
	return d
}

// calls are the system calls that change a disk.
const calls = "pwrite64,fsync,fdatasync,ftruncate,?rename,?renameat,?renameat2,?unlink,unlinkat"

// killAtCall runs the agent until one of its threads makes its nth call, and kills it before the
// call has an effect.
func (x *torture) killAtCall() {
	x.atCall++
	n := 1 + x.rng.IntN(80)
	d := x.launch(program(x.strace), "-f", "-qq", "-o", "/dev/null", "-e", "trace="+calls, "-e", fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", calls, n),
		string(x.agent), "run", "--config", "station.toml")
	over := make(chan struct{})
	go func() { d.cmd.Wait(); close(over) }()
	select {
	case <-over:
	case <-time.After(3 * time.Second): // it makes fewer calls, for example without a broker
		exec.Command("pkill", "-KILL", "-f", "^"+string(x.agent)).Run() // strace ends too
		<-over
	}
}

func (x *torture) end(d *daemon) {
	d.cmd.Process.Kill()
	d.cmd.Wait()
	if out := d.stderr.String(); strings.Contains(out, "panic:") || strings.Contains(out, "internal error") {
		x.t.Errorf("the log of the agent:\n%s", out)
	}
}

// push stores a bundle at the broker, which sends it to the agent when it connects: a good bundle
// with the next serial, or a damaged one.
func (x *torture) push(good bool) {
	private, err := bundle.ReadPrivateKey(filepath.Join(x.dir, "plant.key"))
	if err != nil {
		x.t.Fatal(err)
	}
	x.serial++
	data, err := bundle.Encode(bundletest.Small(x.serial), private)
	if err != nil {
		x.t.Fatal(err)
	}
	if good {
		x.good++
	} else {
		x.bad++
		data[x.rng.IntN(len(data))] ^= 1 << x.rng.IntN(8)
		x.scada.bad[x.serial] = true
	}
	x.scada.publish(tortureTopic+"model/set", data)
}

// fill leaves a few free pages on the disk, and returns a function that frees the disk again.
func (x *torture) fill() (empty func()) {
	if !x.mounted {
		return func() {}
	}
	x.full++
	var s syscall.Statfs_t
	if err := syscall.Statfs(x.state, &s); err != nil {
		x.t.Fatal(err)
	}
	resize := func(bytes uint64) {
		if err := syscall.Mount("tmpfs", x.state, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%d", bytes)); err != nil {
			x.t.Fatal(err)
		}
	}
	used := (s.Blocks - s.Bfree) * uint64(s.Bsize)
	resize(used + uint64(x.rng.IntN(40))*4096)
	return func() { resize(1 << 30) }
}

// check opens a copy of the journal after the kill: SQLite finds no damage, no number is missing,
// no earlier row is lost. It is a copy, because opening the journal also repairs it.
func (x *torture) check() {
	u := url.URL{Scheme: "file", Path: filepath.Join(x.t.TempDir(), "journal.db"), RawQuery: "mode=rw"}
	for _, suffix := range []string{"", "-wal", "-journal"} {
		data, err := os.ReadFile(filepath.Join(x.state, "journal.db") + suffix)
		if os.IsNotExist(err) {
			continue
		}
		if err == nil {
			err = os.WriteFile(u.Path+suffix, data, 0o600)
		}
		if err != nil {
			x.t.Fatal(err)
		}
	}
	if _, err := os.Stat(u.Path); os.IsNotExist(err) {
		return // killed before the journal was made
	}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		x.t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	var sound string
	var tables int
	if err := db.QueryRow(`SELECT (SELECT quick_check FROM pragma_quick_check), count(*) FROM sqlite_schema`).Scan(&sound, &tables); err != nil || sound != "ok" {
		x.t.Fatalf("kill %d: the check of the journal says %q, %v", x.kills, sound, err)
	}
	if tables == 0 {
		return // killed before the schema was written
	}
	rows, err := db.Query(`SELECT seq, body FROM verdicts WHERE seq > ? ORDER BY seq`, int64(x.checked))
	if err != nil {
		x.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var seq uint64
		var body []byte
		if err := rows.Scan(&seq, &body); err != nil {
			x.t.Fatal(err)
		}
		if seq != x.checked+1 {
			x.t.Errorf("kill %d: verdict %d follows %d", x.kills, seq, x.checked)
		}
		x.checked = seq
		v, err := verdict.Decode(body)
		if err != nil {
			x.t.Fatal(err)
		}
		v.Seq = seq
		if v.Time.Before(x.written) {
			x.backwards++
		}
		x.written = v.Time
		if x.rows[seq], err = v.Encode(verdict.JSON); err != nil {
			x.t.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		x.t.Fatal(err)
	}
	var n, last uint64
	if err := db.QueryRow(`SELECT count(*), coalesce(max(seq), 0) FROM verdicts`).Scan(&n, &last); err != nil {
		x.t.Fatal(err)
	}
	if last != x.checked || n != x.checked {
		x.t.Errorf("kill %d: %d rows up to %d, want %d", x.kills, n, last, x.checked)
	}
}

// finish lets the agent run undisturbed until everything is sent, and compares what arrived with
// the journal.
func (x *torture) finish() {
	x.scada.publish(tortureTopic+"model/set", nil) // nothing is left to install
	d := x.agent.start(x.t, x.dir, "run", "--config", "station.toml")
	x.scada.wait(x.t, x.checked+1) // all of them, and a new one
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		x.t.Fatal(err)
	}
	if code := d.wait(x.t); code != cli.OK {
		x.t.Errorf("exit %d", code)
	}
	x.check()
	x.scada.wait(x.t, x.checked)

	x.scada.mu.Lock()
	defer x.scada.mu.Unlock()
	for seq, want := range x.rows {
		if got := x.scada.verdicts[seq]; !bytes.Equal(got, want) {
			x.t.Errorf("verdict %d arrived as\n%s\nthe journal has\n%s", seq, got, want)
		}
		v, err := verdict.Decode(want)
		if err != nil || x.scada.bad[v.ModelSerial] {
			x.t.Errorf("verdict %d was made by the damaged model %d (%v)", seq, v.ModelSerial, err)
		}
		if seq == x.checked && err == nil {
			x.lastSerial = v.ModelSerial
		}
	}
	if len(x.scada.verdicts) != len(x.rows) {
		x.t.Errorf("%d verdicts arrived, the journal has %d", len(x.scada.verdicts), len(x.rows))
	}
	for _, problem := range x.scada.problems {
		x.t.Error(problem)
	}
	if x.stepped >= 10 && x.backwards == 0 {
		x.t.Errorf("the clock was stepped %d times, but no verdict is dated before the previous one", x.stepped)
	}
}

// scada receives the verdicts: a client whose session the broker keeps.
type scada struct {
	client mqtt.Client
	bad    map[uint64]bool // serials of damaged bundles; owned by the test

	mu       sync.Mutex
	arrived  *sync.Cond
	verdicts map[uint64][]byte // by number, the first copy; guarded by mu
	last     uint64            // all numbers up to here have arrived; guarded by mu
	repeats  int               // guarded by mu
	problems []string          // guarded by mu
}

func newSCADA(t *testing.T, broker string) *scada {
	s := &scada{bad: map[uint64]bool{}, verdicts: map[uint64][]byte{}}
	s.arrived = sync.NewCond(&s.mu)
	subscribed := make(chan error, 1)
	o := mqtt.NewClientOptions().AddBroker(broker).SetClientID("scada").SetCleanSession(false).SetAutoReconnect(true).
		SetMaxReconnectInterval(time.Second).SetOrderMatters(true)
	o.SetOnConnectHandler(func(c mqtt.Client) {
		go func() { // because a handler must not block
			token := c.Subscribe(tortureTopic+"verdict", 1, s.receive)
			token.Wait()
			select {
			case subscribed <- token.Error():
			default:
			}
		}()
	})
	// messages that the session kept arrive before the subscription is renewed
	o.SetDefaultPublishHandler(s.receive)
	s.client = mqtt.NewClient(o)
	if token := s.client.Connect(); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	t.Cleanup(func() { s.client.Disconnect(0) })
	if err := <-subscribed; err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *scada) receive(_ mqtt.Client, m mqtt.Message) {
	v, err := verdict.Decode(m.Payload())
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.problems = append(s.problems, fmt.Sprintf("arrived %q: %v", m.Payload(), err))
		return
	}
	if before, ok := s.verdicts[v.Seq]; ok {
		s.repeats++
		if !bytes.Equal(before, m.Payload()) {
			s.problems = append(s.problems, fmt.Sprintf("verdict %d arrived as\n%s\nand as\n%s", v.Seq, before, m.Payload()))
		}
		return
	}
	s.verdicts[v.Seq] = bytes.Clone(m.Payload())
	for s.verdicts[s.last+1] != nil {
		s.last++
	}
	s.arrived.Broadcast()
}

// publish stores a retained message at the broker.
func (s *scada) publish(topic string, payload []byte) {
	s.client.Publish(topic, 1, true, payload) // sent when the broker is back
}

// wait returns when all verdicts up to number seq have arrived.
func (s *scada) wait(t *testing.T, seq uint64) {
	t.Helper()
	hung := time.AfterFunc(patience, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.problems = append(s.problems, fmt.Sprintf("lost: verdict %d has not arrived, the journal has %d", s.last+1, seq))
		s.arrived.Broadcast()
	})
	defer hung.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.last < seq && len(s.problems) == 0 {
		s.arrived.Wait()
	}
}
