package agent

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"tirewatch/agent/sparkplug"
	"tirewatch/vision/camera"
)

func TestProblemsAreReportedTogether(t *testing.T) {
	var reported []string
	p := newProblems()
	p.observe(func(all, _ string, _ bool) { reported = append(reported, all) })
	p.set("journal", "full")
	p.set("journal", "full") // no change
	p.set("camera", "gone")
	p.set("journal", "")
	p.set("camera", "")
	p.set("camera", "")
	want := []string{"journal: full", "camera: gone; journal: full", "camera: gone", ""}
	if !slices.Equal(reported, want) {
		t.Errorf("reported %q; want %q", reported, want)
	}
}

// An observer may be added while another goroutine reports a problem: run with -race.
func TestObserversAreAddedSafely(t *testing.T) {
	p := newProblems()
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 1000 {
			p.set("model's end", strconv.Itoa(i))
		}
	})
	p.observe(func(string, string, bool) {})
	wg.Wait()
}

// TestCameraFailureIsLoggedOnce simulates a pulled cable for a hundred attempts.
func TestCameraFailureIsLoggedOnce(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	p := newProblems()
	gone := &camera.OpenError{
		Source: camera.Location{Kind: camera.V4L2, Target: "/dev/video0"}, Err: errors.New("no such file"), Advice: "look there",
	}
	for range 100 {
		p.camera(camera.Event{Err: gone}, log)
	}
	p.camera(camera.Event{}, log)
	p.camera(camera.Event{Err: gone}, log)
	if n := strings.Count(out.String(), "camera: failed"); n != 2 {
		t.Errorf("%d log lines; want one for each failure, 2: %s", n, &out)
	}
	if !strings.Contains(out.String(), `hint="look there"`) || !strings.Contains(out.String(), "camera: working again") {
		t.Errorf("log %s", &out)
	}
}

// The edge node reports every problem, and that its device is dead while the camera is lost.
func TestEdgeNodeReportsProblems(t *testing.T) {
	var now sparkplug.Facts
	p := newProblems()
	p.observe(func(all, part string, broken bool) { noteProblem(&now, all, part, broken) })
	log := slog.New(slog.DiscardHandler)
	p.set("journal", "full")
	if want := (sparkplug.Facts{Problem: "journal: full"}); now != want {
		t.Errorf("%+v, want %+v", now, want)
	}
	p.camera(camera.Event{Err: errors.New("no such file")}, log)
	if want := (sparkplug.Facts{Problem: "camera: no such file; journal: full", CameraLost: true}); now != want {
		t.Errorf("%+v, want %+v", now, want)
	}
	p.camera(camera.Event{}, log)
	p.set("journal", "")
	if want := (sparkplug.Facts{}); now != want {
		t.Errorf("%+v, want %+v", now, want)
	}
}
