package inspection

import (
	"image"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"tirewatch/vision/locate"
)

// Tires of the tests are 100 px wide in a picture of 400 x 120 px. A tire is wholly visible with
// its centre at 50 to 350.
const (
	testRadius = 50
	testWidth  = 400
)

// film holds the centres that the search finds, frame by frame.
type film [][]float64

// passing films tires whose centres start at the given places and move by what step gives for each
// frame.
func passing(frames int, step func(frame int) float64, starts ...float64) film {
	var f film
	moved := 0.0
	for i := range frames {
		var seen []float64
		for _, x := range starts {
			if at := x + moved; at >= testRadius && at <= testWidth-testRadius {
				seen = append(seen, at)
			}
		}
		f = append(f, seen)
		moved += step(i)
	}
	return f
}

func steady(px float64) func(int) float64 { return func(int) float64 { return px } }

// without takes the detections of some frames away.
func (f film) without(frames ...int) film {
	for _, i := range frames {
		f[i] = nil
	}
	return f
}

// track runs a film through a tracker and gives the tracks in the order in which they left.
func (f film) track(t *testing.T, samples int) []*Track {
	t.Helper()
	tr := NewTracker(samples)
	var left []*Track
	for i, seen := range f {
		var tires []locate.Tire
		for _, x := range seen {
			tires = append(tires, locate.Tire{Centre: locate.Point{X: x, Y: 60}, Radius: testRadius, Score: 1})
		}
		v := View{Seq: uint64(i + 1), Time: time.Unix(0, 0).Add(time.Duration(i) * 40 * time.Millisecond), Size: image.Pt(testWidth, 120)}
		takes, gone := tr.Step(v, tires)
		for _, take := range takes {
			if got := take.Track.Samples[take.Slot].Seq; got != v.Seq {
				t.Errorf("frame %d: a take for frame %d", v.Seq, got)
			}
		}
		left = append(left, gone...)
	}
	return append(left, tr.End()...)
}

func TestTracker(t *testing.T) {
	stopAndGo := func(i int) float64 {
		if i/7%2 == 0 {
			return 12
		}
		return 0
	}
	for _, c := range []struct {
		name        string
		film        film
		tires, dust int // confirmed tracks and others
	}{
		{"nothing", passing(50, steady(10)), 0, 0},
		{"one tire", passing(60, steady(10), 0), 1, 0},
		{"one tire from the right", passing(60, steady(-10), 400), 1, 0},
		{"slow", passing(900, steady(0.5), 0), 1, 0},
		{"fast, a bit less than half a diameter a frame", passing(12, steady(48), 40), 1, 0},
		{"three with gaps", passing(120, steady(10), 0, -180, -400), 3, 0},
		{"four that touch", passing(120, steady(10), 0, -100, -200, -300), 4, 0},
		{"ten that touch, fast", passing(60, steady(45), slices.Collect(func(yield func(float64) bool) {
			for i := range 10 {
				if !yield(float64(-100 * i)) {
					return
				}
			}
		})...), 10, 0},
		{"belt stop and go", passing(150, stopAndGo, 0, -100, -300), 3, 0},
		{"standing still for a thousand frames", passing(1000, steady(0), 200), 1, 0},
		{"standing still, then leaving, then another", passing(1100, func(i int) float64 {
			if i < 1000 {
				return 0
			}
			return 10
		}, 200, -250), 2, 0},
		{"creeping back at a stop", passing(80, func(i int) float64 {
			if i >= 20 && i < 23 {
				return -8
			}
			return 10
		}, 0), 1, 0},
		{"a detection flickers for one frame", passing(60, steady(10), 0).without(10, 20, 30), 1, 0},
		{"a detection flickers for two frames", passing(60, steady(10), 0).without(10, 11, 20, 21), 1, 0},
		{"a hand hides a standing tire for eight frames", passing(90, func(i int) float64 {
			if i >= 20 && i < 50 {
				return 0
			}
			return 10
		}, 0).without(30, 31, 32, 33, 34, 35, 36, 37), 1, 0},
		{"it flickers while the belt stops", passing(80, func(i int) float64 {
			if i >= 12 && i < 30 {
				return 0
			}
			return 15
		}, 0, -100).without(11, 12, 29, 30), 2, 0},
		{"the last tire is still in the picture at the end", passing(20, steady(10), 100), 1, 0},
		{"a tire that never comes wholly in", passing(30, steady(0), -20), 0, 0},
		{"a reflection in one frame", film{nil, nil, {200}, nil, nil, nil, nil}, 0, 1},
		{"a reflection beside a tire", append(passing(15, steady(10), 50), film{{200, 320}, {210}, {220}, {230}}...), 1, 1},
		{"the next tire appears in the frame in which the first has gone", film{{250}, {290}, {330}, {70}, {110}, {150}}, 2, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			tires, dust := 0, 0
			ids := map[uint64]bool{}
			for _, tr := range c.film.track(t, 5) {
				if ids[tr.ID] {
					t.Errorf("tire %d left twice", tr.ID)
				}
				ids[tr.ID] = true
				if !tr.Confirmed() {
					dust++
					continue
				}
				tires++
				if n := len(tr.Samples); n < 1 || n > 5 {
					t.Errorf("tire %d has %d samples", tr.ID, n)
				}
			}
			if tires != c.tires || dust != c.dust {
				t.Errorf("%d tires and %d others; want %d and %d", tires, dust, c.tires, c.dust)
			}
		})
	}
}

func TestSamplesAreTheMiddleOnes(t *testing.T) {
	left := passing(60, steady(10), 3).track(t, 5)
	if len(left) != 1 || len(left[0].Samples) != 5 {
		t.Fatalf("%+v", left)
	}
	var places []float64
	for _, s := range left[0].Samples {
		places = append(places, s.Tire.Centre.X)
	}
	slices.Sort(places)
	// The middle of the picture is 200; the tire stands at 3 + 10 n.
	if want := []float64{183, 193, 203, 213, 223}; !slices.Equal(places, want) && !slices.Equal(places, []float64{173, 183, 193, 203, 213}) {
		t.Errorf("samples at %v; want %v", places, want)
	}
}

func TestStandingTireIsLookedAtOnce(t *testing.T) {
	tr := NewTracker(5)
	takes := 0
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 1000 {
		jitter := locate.Point{X: 150 + rng.NormFloat64()*0.3, Y: 60 + rng.NormFloat64()*0.3}
		v := View{Seq: uint64(i + 1), Time: time.Unix(int64(i)/25, 0), Size: image.Pt(testWidth, 120)}
		took, _ := tr.Step(v, []locate.Tire{{Centre: jitter, Radius: testRadius}})
		takes += len(took)
	}
	if takes > 3 {
		t.Errorf("%d crops were taken of a tire that stands still", takes)
	}
	if left := tr.End(); len(left) != 1 || left[0].Seen != 1000 {
		t.Errorf("left: %+v", left)
	}
}

// TestTrackerOnRandomBelts lets tires pass at random speeds and distances, with frames in which the
// search fails.
func TestTrackerOnRandomBelts(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 3))
		speed := 2 + 38*rng.Float64()
		n := 1 + rng.IntN(8)
		var starts []float64
		for x := 0.0; len(starts) < n; x -= 100 + max(0, 300*(rng.Float64()-0.5)) {
			starts = append(starts, x)
		}
		frames := int((testWidth-starts[n-1])/(0.75*speed)) + 8
		f := passing(frames, func(int) float64 { return speed * (0.8 + 0.4*rng.Float64()) }, starts...)
		for i, failed := 0, 0; i < len(f); i++ {
			// Fast tires are seen in few frames: there a failure can hide one.
			if failed < 2 && speed < 15 && rng.Float64() < 0.1 {
				f[i] = nil
				failed++
				continue
			}
			failed = 0
		}
		confirmed := 0
		for _, tr := range f.track(t, 4) {
			if tr.Confirmed() {
				confirmed++
			}
		}
		if confirmed != n {
			t.Errorf("seed %d: %d tires at %.1f px a frame from %.0f: %d verdicts", seed, n, speed, starts, confirmed)
		}
	}
}

func TestGapsEndTires(t *testing.T) {
	for _, c := range []struct {
		name string
		next View
		left int
	}{
		{"the next frame", View{Seq: 3, Time: time.Unix(1, 0), Size: image.Pt(400, 120)}, 0},
		{"a camera that stalled", View{Seq: 3, Time: time.Unix(60, 0), Size: image.Pt(400, 120)}, 1},
		{"another resolution", View{Seq: 3, Time: time.Unix(1, 0), Size: image.Pt(800, 240)}, 1},
	} {
		tr := NewTracker(3)
		tire := []locate.Tire{{Centre: locate.Point{X: 200, Y: 60}, Radius: testRadius}}
		for seq := range uint64(2) {
			tr.Step(View{Seq: seq + 1, Time: time.Unix(0, 0), Size: image.Pt(400, 120)}, tire)
		}
		_, left := tr.Step(c.next, tire)
		if len(left) != c.left {
			t.Errorf("%s: %d tires left; want %d", c.name, len(left), c.left)
		}
		if rest := tr.End(); len(rest) != 1 {
			t.Errorf("%s: %d tires in the picture; want 1", c.name, len(rest))
		}
	}
}
