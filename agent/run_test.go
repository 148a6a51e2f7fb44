package agent

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"tirewatch/agent/sparkplug"
	"tirewatch/vision/camera"
)

func TestProblemsAreToldTogether(t *testing.T) {
	var told []string
	p := &problems{texts: map[string]string{}, publish: []func(string){func(s string) { told = append(told, s) }}}
	p.set("journal", "full")
	p.set("journal", "full") // no news
	p.set("camera", "gone")
	p.set("journal", "")
	p.set("camera", "")
	p.set("camera", "")
	want := []string{"journal: full", "camera: gone; journal: full", "camera: gone", ""}
	if !slices.Equal(told, want) {
		t.Errorf("told %q; want %q", told, want)
	}
}

// TestCameraFailureIsLoggedOnce pulls the cable for a hundred attempts.
func TestCameraFailureIsLoggedOnce(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	p := &problems{texts: map[string]string{}}
	gone := &camera.OpenError{Source: camera.Location{Kind: camera.V4L2, Target: "/dev/video0"}, Err: errors.New("no such file"), Advice: "look there"}
	for range 100 {
		p.camera(camera.Event{Err: gone}, log)
	}
	p.camera(camera.Event{}, log)
	p.camera(camera.Event{Err: gone}, log)
	if n := strings.Count(out.String(), "camera is down"); n != 2 {
		t.Errorf("%d complaints; want one for each failure, 2: %s", n, &out)
	}
	if !strings.Contains(out.String(), `hint="look there"`) || !strings.Contains(out.String(), "camera is back") {
		t.Errorf("log %s", &out)
	}
}

// The edge node learns of every problem, and that its device is dead while the camera is away.
func TestEdgeNodeLearnsOfProblems(t *testing.T) {
	var now sparkplug.Facts
	p := &problems{texts: map[string]string{}}
	tellProblems(func(change func(*sparkplug.Facts)) { change(&now) }, p)
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
