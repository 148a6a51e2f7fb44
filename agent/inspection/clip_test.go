//go:build opencv

package inspection_test

import (
	"io"
	"math"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"tirewatch/agent/inspection"
	"tirewatch/trainer/synth"
	"tirewatch/vision/camera"
	"tirewatch/vision/locate"
)

// TestFilmedTires holds search and tracker against the truth of a filmed clip, through the same
// video decoding as at the station.
func TestFilmedTires(t *testing.T) {
	path := filepath.Join(t.TempDir(), "belt.avi")
	truth, err := synth.WriteClip(t.Context(), path, synth.ClipOptions{Tires: 6, Seed: 5, CrackFraction: 0.5}, nil)
	if err != nil {
		t.Fatal(err)
	}
	src, err := camera.Open(camera.Options{Source: camera.Location{Kind: camera.File, Target: path}})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	l := locate.NewRound(locate.RoundOptions{})
	tracker := inspection.NewTracker(5)
	var left []*inspection.Track
	seen := make([]int, len(truth.Tires))
	for i := 0; ; i++ {
		f, err := src.Next(t.Context())
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		tires := l.Find(f)
		view := inspection.View{Seq: f.Seq, Time: time.Unix(0, 0).Add(time.Duration(i) * time.Second / time.Duration(truth.FPS)), Size: f.Bounds().Size()}
		_, gone := tracker.Step(view, tires)
		left = append(left, gone...)
		for _, got := range tires {
			tire, x, ok := at(truth, i, got.Centre.X)
			if !ok {
				t.Errorf("frame %d: found %+v where no tire is", i, got)
				continue
			}
			// Two per cent of the diameter: where a shadow is as dark as the tire, it belongs to
			// the outline.
			limit := 0.04 * float64(tire.Radius)
			off := got.Centre.Sub(locate.Point{X: x, Y: float64(tire.CentreY)}).Len()
			if off > limit || math.Abs(got.Radius-float64(tire.Radius)) > limit {
				t.Errorf("frame %d: centre off by %.1f px, radius by %+.1f px of %d", i, off, got.Radius-float64(tire.Radius), tire.Radius)
			}
			seen[tire.Index]++
		}
	}
	if left = append(left, tracker.End()...); len(left) != len(truth.Tires) {
		t.Errorf("%d tires were tracked, %d passed", len(left), len(truth.Tires))
	}
	for _, tire := range truth.Tires {
		if visible := tire.LastFrame - tire.FirstFrame + 1; seen[tire.Index] < visible*3/4 {
			t.Errorf("tire %d was found in %d of %d frames", tire.Index, seen[tire.Index], visible)
		}
	}
}

// at gives the tire that stands near x in the frame, and its true place: tires move by a constant
// number of pixels a frame.
func at(truth synth.Truth, frame int, x float64) (synth.TruthTire, float64, bool) {
	perFrame := speed(truth)
	for _, tire := range truth.Tires {
		place := float64(tire.CentreX) + perFrame*float64(frame-tire.CentreFrame)
		if math.Abs(place-x) < float64(tire.Radius)/2 {
			return tire, place, true
		}
	}
	return synth.TruthTire{}, 0, false
}

// speed finds the belt's speed in px a frame: the one that explains in which frames each tire is
// wholly visible.
func speed(truth synth.Truth) float64 {
	for s := 1; ; s++ {
		if !slices.ContainsFunc(truth.Tires, func(t synth.TruthTire) bool {
			return (truth.Width-t.Radius-t.CentreX)/s != t.LastFrame-t.CentreFrame || (t.CentreX-t.Radius)/s != t.CentreFrame-t.FirstFrame
		}) {
			return float64(s)
		}
	}
}
