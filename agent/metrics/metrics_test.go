package metrics_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tirewatch/agent/message"
	"tirewatch/agent/metrics"
	"tirewatch/agent/trigger"
	"tirewatch/vision/verdict"
)

// queue is a journal with n waiting verdicts.
type queue struct {
	n      int
	oldest time.Time
	err    error
}

func (q *queue) Depth() (int, time.Time, error) { return q.n, q.oldest, q.err }

func sources(q *queue) metrics.Sources {
	return metrics.Sources{
		Queue: q, Serial: func() uint64 { return 7 },
		Temperature: func() (float64, bool) { return 63.5, true },
		Memory:      func() (uint64, bool) { return 1 << 20, true },
		DiskFree:    func() (uint64, bool) { return 4096, true },
	}
}

// A scrape over a real connection shows the counts.
func TestScrape(t *testing.T) {
	q := &queue{n: 3, oldest: time.Now().Add(-time.Hour)}
	m := metrics.New("v1.2.3", sources(q))
	m.Frame()
	m.Frame()
	m.CameraRestart()
	m.Problem("camera", true)
	m.Drift("brightness", -4.5, true)
	m.Verdict(&verdict.Verdict{Label: verdict.Crack, Votes: make([]verdict.Vote, 5), MS: verdict.Duration{Locate: 2, Preprocess: 1, Forward: 0.4}})

	m.Verdict(&verdict.Verdict{Label: verdict.Normal, SecondOpinion: &verdict.SecondOpinion{Unlike: true, MS: 2}})
	m.Trigger(trigger.PhotoEye)
	m.TriggerFault(trigger.Double)
	m.RejectSent()
	m.RejectMissed()

	s, err := m.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()

	page := get(t, "http://"+s.Addr()+"/metrics")
	for _, want := range []string{
		"tirewatch_frames_total 2\n", "tirewatch_camera_restarts_total 1\n", "tirewatch_model_serial 7\n",
		`tirewatch_verdicts_total{label="crack"} 1` + "\n", `tirewatch_verdicts_total{label="normal"} 1` + "\n",
		`tirewatch_second_opinions_total{result="unlike"} 1` + "\n", `tirewatch_second_opinions_total{result="like"} 0` + "\n",
		"tirewatch_second_opinion_seconds_sum 0.002\n",
		`tirewatch_problem{part="camera"} 1` + "\n", `tirewatch_drift{statistic="brightness"} -4.5` + "\n",
		`tirewatch_drift_alarm{statistic="brightness"} 1` + "\n", `tirewatch_step_seconds_count{step="forward"} 2` + "\n",
		`tirewatch_triggers_total{kind="photo-eye"} 1` + "\n", `tirewatch_triggers_total{kind="command"} 0` + "\n",
		`tirewatch_trigger_errors_total{kind="double"} 1` + "\n", `tirewatch_trigger_errors_total{kind="missing"} 0` + "\n",
		`tirewatch_rejects_total{result="sent"} 1` + "\n", `tirewatch_rejects_total{result="missed"} 1` + "\n",
		"tirewatch_verdict_frames_sum 5\n", "tirewatch_queue_verdicts 3\n", "tirewatch_queue_oldest_seconds 3600",
		"tirewatch_temperature_celsius 63.5\n", "tirewatch_disk_free_bytes 4096\n", `tirewatch_build_info{version="v1.2.3"} 1` + "\n", "go_goroutines ",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if t.Failed() {
		t.Log(page)
	}
	q.n = 0
	if page := get(t, "http://"+s.Addr()+"/metrics"); !strings.Contains(page, "tirewatch_queue_oldest_seconds 0\n") {
		t.Error("an empty queue has an age")
	}
	q.err = errors.New("disk gone")
	if page := get(t, "http://"+s.Addr()+"/metrics"); !strings.Contains(page, "disk gone") {
		t.Errorf("an unreadable journal shows as %.200q", page)
	}

	cancel()
	if err := <-ended; err != nil {
		t.Errorf("the end of the station: %v", err)
	}
	if _, err := m.Listen("127.0.0.1:99999"); err == nil || !strings.Contains(err.Error(), "metrics.listen") {
		t.Errorf("a wrong address: %v", err)
	}
}

// The health topic has the same figures; its mean times cover the verdicts since the last call.
func TestHealth(t *testing.T) {
	q := &queue{n: 3, oldest: time.Now().Add(-time.Hour)}
	m := metrics.New("v1.2.3", sources(q))
	m.Frame()
	m.CameraRestart()
	m.Drift("brightness", -4.5, true)
	for _, ms := range []float64{1, 2} {
		m.Verdict(&verdict.Verdict{Label: verdict.Crack, Votes: make([]verdict.Vote, 1), MS: verdict.Duration{Locate: ms, Preprocess: 10 * ms, Forward: 100 * ms}})
	}
	got, err := m.Health()
	if err != nil {
		t.Fatal(err)
	}
	if age := time.Since(got.Time); age < 0 || age > time.Hour || got.Since.After(got.Time) {
		t.Errorf("time %v, since %v", got.Time, got.Since)
	}
	if got.OldestS < 3600 || got.OldestS > 3700 {
		t.Errorf("the oldest is %g s old", got.OldestS)
	}
	warm, held, left := 63.5, uint64(1<<20), uint64(4096)
	want := message.Health{
		Time: got.Time, Since: got.Since, OldestS: got.OldestS, Frames: 1, Verdicts: map[string]uint64{"crack": 2, "no_decision": 0, "normal": 0}, CameraRestarts: 1,
		ModelSerial: 7, Queued: 3, MS: &verdict.Duration{Locate: 1.5, Preprocess: 15, Forward: 150},
		TemperatureC: &warm, MemoryBytes: &held, DiskFreeBytes: &left, Drift: map[string]message.Drift{"brightness": {Deviations: -4.5, Alarm: true}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	m.Trigger(trigger.Command)
	m.TriggerFault(trigger.Late)
	m.RejectMissed()
	m.Verdict(&verdict.Verdict{Label: verdict.Normal, SecondOpinion: new(verdict.SecondOpinion)})
	if got, err := m.Health(); err != nil || got.SecondOpinions["compared"] != 1 || got.SecondOpinions["unlike"] != 0 || got.Triggers["command"] != 1 || got.TriggerErrors["late"] != 1 || got.Rejects["missed"] != 1 {
		t.Errorf("triggers %v, errors %v, rejects %v, %v", got.Triggers, got.TriggerErrors, got.Rejects, err)
	}
	m.NoDrift()
	if got, err := m.Health(); err != nil || got.MS != nil || len(got.Drift) != 0 || got.Verdicts["crack"] != 2 {
		t.Errorf("later, with another model: %+v, %v", got, err)
	}
	q.err = errors.New("disk gone")
	if _, err := m.Health(); err == nil {
		t.Error("no error for an unreadable journal")
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
