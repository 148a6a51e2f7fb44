package web_test

import (
	"context"
	"fmt"
	"image/jpeg"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tirewatch/agent"
	"tirewatch/agent/config"
	"tirewatch/agent/journal"
	"tirewatch/agent/message"
	"tirewatch/agent/models"
	"tirewatch/agent/web"
	"tirewatch/trainer/synth"
	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
	"tirewatch/vision/verdict"
)

// patience limits the wait for what takes seconds on an idle machine. It fails a test that would
// hang, on a busy machine too.
const patience = 10 * time.Minute

// stationName is the name of every test station.
const stationName = "hamburg/line1/station3"

// testStation is a complete station with a page. It inspects synthetic tires in a loop.
type testStation struct {
	dir string
	url string
	log *lockedLog
}

// lockedLog is a log that can be read while the station writes it.
type lockedLog struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// freeAddress returns an address on which nothing listens.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// write writes a file into the test's folder.
func write(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// prepareStation makes the files of a station: images, a model and a journal of the last days.
func prepareStation(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"tires", "inbox"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 4 {
		f, err := os.Create(filepath.Join(dir, "tires", fmt.Sprintf("%d.jpg", i)))
		if err != nil {
			t.Fatal(err)
		}
		if err := jpeg.Encode(f, synth.Draw(synth.Side, 400, 7, i, i%2 == 1), nil); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := bundle.GenerateKey(filepath.Join(dir, "maker")); err != nil {
		t.Fatal(err)
	}
	key, err := bundle.ReadPrivateKey(filepath.Join(dir, "maker"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := bundle.Encode(bundletest.Small(7), key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "first.tire", string(data))
	fillJournal(t, filepath.Join(dir, "journal.db"), 3000)
	return dir
}

// fillJournal writes n verdicts of the last three days: most are normal, some are cracks, few are
// without a decision, and one of these is unsure.
func fillJournal(t testing.TB, path string, n int) {
	t.Helper()
	j, err := journal.Open(path, stationName)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	rng := rand.New(rand.NewPCG(5, 6))
	at := time.Now().Add(-72 * time.Hour)
	for i := range n {
		at = at.Add(72 * time.Hour / time.Duration(n+1))
		v := &verdict.Verdict{Schema: verdict.SchemaVersion, Time: at.UTC(), Label: verdict.Normal, Threshold: 0.5, ModelSerial: 7,
			ModelHash: "0123456789abcdef", MS: verdict.Duration{Locate: 1.9, Preprocess: 0.3, Forward: 0.5}}
		logit := -5 + 1.5*rng.NormFloat64()
		switch rng.IntN(40) {
		case 0, 1:
			logit = 4 + rng.NormFloat64()
		case 2:
			if rng.IntN(6) == 0 {
				v.Label, v.Reason = verdict.NoDecision, "no frame within the budget"
			}
		}
		v.Probability = verdict.Probability(logit)
		if v.Label != verdict.NoDecision && v.Probability >= v.Threshold {
			v.Label = verdict.Crack
		}
		if i == 10 {
			v.Label, v.Reason, v.Threshold, v.SoundBelow = verdict.NoDecision, verdict.Unsure, 0.6, 0.2
			logit, v.Probability = -0.3228, 0.42
		}
		v.Reject = v.Label.Reject()
		v.Votes = []verdict.Vote{{Frame: 1, Crop: [4]int{0, 0, 400, 400}, Logit: logit}}
		if err := j.Append(v); err != nil {
			t.Fatal(err)
		}
	}
}

// start runs a station in dir; more is added to its configuration.
func start(t testing.TB, dir, more string) *testStation {
	t.Helper()
	address := freeAddress(t)
	return startWith(t, dir, address, `# The station of a test.
[station]
site = "hamburg"
line = "line1"
name = "station3"

[camera]
source = "folder:tires" # synthetic
realtime = true
fps = 10
loop = true

[model]
keys = ["maker.pub"]
initial = "first.tire"
dir = "models"
inbox = "inbox"
probation = 100000 # a slow machine must not end the probation before the test does
probation_time = "0s"

[journal]
path = "journal.db"

[metrics]
listen = ""

[page]
listen = "`+address+"\"\n"+more)
}

// startWith runs a station with the configuration text, whose page listens on address.
func startWith(t testing.TB, dir, address, text string) *testStation {
	t.Helper()
	path := write(t, dir, "station.toml", text)
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	s := &testStation{dir: dir, url: "http://" + address, log: new(lockedLog)}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- agent.Run(ctx, cfg, agent.RunOptions{
			Version: "1.2.3", Config: path, Log: slog.New(slog.NewTextHandler(s.log, nil)),
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the station: %v", err)
		}
		if t.Failed() {
			t.Logf("log of the station:\n%s", tail(s.log.String(), 40))
		}
	})
	s.await(t, "page: listening")
	return s
}

// barePage is a page with an empty store and journal, without a station.
type barePage struct {
	*web.Page
	url     string
	store   *models.Store
	journal *journal.Journal
}

// bare makes a barePage. A nil review means no review queue.
func bare(t testing.TB, r web.Review) *barePage {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	store, err := models.Open(models.Options{
		Dir: t.TempDir(), Verify: models.Verifier(bundletest.Public(1), stationName, nil), Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(filepath.Join(t.TempDir(), "journal.db"), stationName)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	page, err := web.New(web.Options{
		Page:    config.Page{Listen: "127.0.0.1:0", Shifts: []string{"06:00"}},
		Station: stationName, Journal: j, Models: store, Locate: fixedPlace{}, Review: r, Log: log,
		Health: func() (message.Health, error) { return message.Health{}, nil }, Problems: func() map[string]string { return nil },
		Broker: func() (bool, bool) { return false, false },
	})
	if err != nil {
		t.Fatal(err)
	}
	server, err := page.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	ctx := t.Context()
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() {
		if err := <-ended; err != nil {
			t.Errorf("the page: %v", err)
		}
	})
	return &barePage{page, strings.TrimSuffix(server.URL(), "/"), store, j}
}

// fixedPlace is a locate setting that ignores changes.
type fixedPlace struct{}

func (fixedPlace) Where() (string, []int, int) { return config.LocateRound, nil, 0 }
func (fixedPlace) Move(string, []int) error    { return nil }

// await waits until the station's log contains a text.
func (s *testStation) await(t testing.TB, text string) {
	t.Helper()
	for end := time.Now().Add(patience); !strings.Contains(s.log.String(), text); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the log does not contain %q:\n%s", text, tail(s.log.String(), 20))
		}
	}
}

func tail(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
