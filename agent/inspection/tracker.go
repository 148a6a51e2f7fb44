package inspection

import (
	"cmp"
	"image"
	"math"
	"slices"
	"time"

	"tirewatch/vision/locate"
)

// Tracker follows tires through the frames, so that each one that passes gets exactly one verdict,
// and chooses the frames to judge it by. It reads places and times only: no pixels, no clock.
//
// From frame to frame a tire must move less than half its diameter. It may stop, continue and move
// back a little.
type Tracker struct {
	samples int // of a tire, at most

	tracks []*Track
	nextID uint64
	flow   locate.Point // recent movement of the belt, diameters per frame
	view   View         // of the latest frame
}

// View describes a frame.
type View struct {
	Seq  uint64
	Time time.Time
	Size image.Point // px
}

// Track is the path of one tire through the frames.
type Track struct {
	ID      uint64
	Seen    int      // frames in which it was found
	Samples []Sample // the chosen frames, by slot
	Claimed bool     // by a trigger; owned by the caller

	tire   locate.Tire  // where it was seen last
	seq    uint64       // the frame in which it was seen last
	speed  locate.Point // px per frame
	missed int          // frames since then
}

// Sample is a frame of a tire that was chosen for the verdict.
type Sample struct {
	Tire   locate.Tire
	Seq    uint64
	Offset float64 // distance of the tire from the middle of the frame, in diameters
}

// Take tells the caller to keep the crop of a tire in the latest frame, instead of what the slot
// held so far.
type Take struct {
	Track *Track
	Slot  int // index into Track.Samples
}

const (
	// A tire has left when it was not found in missedAtBorder frames and should be beyond the
	// border by now, or in missedInside frames and should still be in view, where a hand or a
	// reflection may hide it.
	missedAtBorder = 3
	missedInside   = 10
	// confirmFrames is in how many frames a tire must be found: a reflection is seen once.
	confirmFrames = 2
	// After a pause of the camera of longGap the tires in view are judged, and what is seen next is
	// new: two verdicts for one tire are better than none.
	longGap = 3 * time.Second
	// spacing is the least distance between two samples of a tire, in diameters: the same view
	// twice adds nothing.
	spacing = 0.02
)

// Limits of a tire's movement between two frames in which it was found, in diameters. At half a
// diameter the next one of two touching tires is as near as the tire itself.
const (
	maxAhead  = 0.5  // beyond where its speed takes it
	maxBehind = 0.2  // against the belt
	maxAside  = 0.3  // across the belt
	maxGrowth = 0.25 // of the radius; the search sometimes takes an inner ring for the outline
	jitter    = 0.01 // error of the search from frame to frame
)

// NewTracker returns a tracker that chooses up to samples frames of each tire.
func NewTracker(samples int) *Tracker { return &Tracker{samples: max(1, samples)} }

// Step takes the tires found in the next frame. It returns the crops to keep and the tires that
// have left, oldest first.
func (t *Tracker) Step(v View, tires []locate.Tire) (takes []Take, left []*Track) {
	if t.view.Size != (image.Point{}) && (v.Size != t.view.Size || v.Time.Sub(t.view.Time) > longGap) {
		left = t.End()
	}
	t.view = v
	for _, tr := range t.tracks {
		tr.missed++
	}
	for _, found := range t.assign(tires) {
		if take, ok := found.track.choose(t.samples, v, found.tire); ok {
			takes = append(takes, take)
		}
	}
	t.tracks = slices.DeleteFunc(t.tracks, func(tr *Track) bool {
		if tr.missed < t.patience(tr) {
			return false
		}
		left = append(left, tr)
		return true
	})
	return takes, left
}

// End returns the tires that are still in view and forgets them.
func (t *Tracker) End() []*Track {
	left := t.tracks
	t.tracks = nil
	return left
}

// patience returns in how many frames a tire may be missed before it has left.
func (t *Tracker) patience(tr *Track) int {
	place := tr.tire.Centre.Add(tr.speed.Scale(float64(t.view.Seq - tr.seq)))
	r := tr.tire.Radius
	if place.X < r || place.Y < r || place.X > float64(t.view.Size.X)-r || place.Y > float64(t.view.Size.Y)-r {
		return missedAtBorder
	}
	return missedInside
}

// Nearest returns the tire nearest to the middle of the latest frame and its distance from it in
// diameters; nil without a tire.
func (t *Tracker) Nearest() (nearest *Track, offset float64) {
	for _, tr := range t.tracks {
		if tr.seq != t.view.Seq {
			continue
		}
		if d := t.view.offset(tr.tire); nearest == nil || d < offset {
			nearest, offset = tr, d
		}
	}
	return nearest, offset
}

// Passed tells whether the tire was beyond the middle of the frame when it was seen last.
func (t *Tracker) Passed(tr *Track) bool {
	return tr.tire.Centre.Sub(t.view.middle()).Dot(t.flow) > 0
}

func (v View) middle() locate.Point {
	return locate.Point{X: float64(v.Size.X) / 2, Y: float64(v.Size.Y) / 2}
}

// offset returns the distance of a tire from the middle, in diameters.
func (v View) offset(tire locate.Tire) float64 {
	return tire.Centre.Sub(v.middle()).Len() / (2 * tire.Radius)
}

// Confirmed tells a tire from a short reflection.
func (tr *Track) Confirmed() bool { return tr.Seen >= confirmFrames }

// sighting is a tire of this frame and the track that it continues or starts.
type sighting struct {
	track *Track
	tire  locate.Tire
}

// assign adds each tire of the frame to the track that it fits best. The others start new tracks,
// those further along the belt first.
func (t *Tracker) assign(tires []locate.Tire) []sighting {
	type pair struct {
		sighting
		index int
		cost  float64
	}
	var pairs []pair
	for i, tire := range tires {
		for _, tr := range t.tracks {
			if cost, ok := t.fits(tr, tire); ok {
				pairs = append(pairs, pair{sighting{tr, tire}, i, cost})
			}
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(a.cost, b.cost) })

	var found []sighting
	used := make([]bool, len(tires))
	for _, p := range pairs {
		if used[p.index] || p.track.seq == t.view.Seq {
			continue
		}
		used[p.index] = true
		t.move(p.track, p.tire)
		found = append(found, p.sighting)
	}
	first := len(found)
	for i, tire := range tires {
		if !used[i] {
			found = append(found, sighting{nil, tire})
		}
	}
	fresh := found[first:]
	slices.SortStableFunc(fresh, func(a, b sighting) int {
		return cmp.Compare(b.tire.Centre.Dot(t.flow), a.tire.Centre.Dot(t.flow))
	})
	for i := range fresh {
		fresh[i].track = t.begin(fresh[i].tire)
	}
	return found
}

func (t *Tracker) begin(tire locate.Tire) *Track {
	t.nextID++
	tr := &Track{ID: t.nextID, Seen: 1, tire: tire, seq: t.view.Seq, speed: t.flow.Scale(2 * tire.Radius)}
	t.tracks = append(t.tracks, tr)
	return tr
}

// fits tells whether the tire can be the tracked one. cost is its distance from the expected place,
// in diameters.
func (t *Tracker) fits(tr *Track, tire locate.Tire) (cost float64, ok bool) {
	diameter := 2 * tr.tire.Radius
	if math.Abs(tire.Radius-tr.tire.Radius) > maxGrowth*tr.tire.Radius {
		return 0, false
	}
	frames := float64(t.view.Seq - tr.seq)
	way := tire.Centre.Sub(tr.tire.Centre).Scale(1 / diameter)
	expected := tr.speed.Scale(frames / diameter)
	cost = way.Sub(expected).Len()
	flow := t.flow.Len()
	if flow == 0 { // the first tire: the direction of the belt is not known yet
		return cost, way.Len() <= maxAhead
	}
	forward := t.flow.Scale(1 / flow)
	along := way.Dot(forward)
	aside := way.Sub(forward.Scale(along)).Len()
	return cost, aside <= maxAside && along >= -maxBehind && along <= max(0, expected.Dot(forward))+maxAhead
}

// move updates the place of a tracked tire and the movement of the belt.
func (t *Tracker) move(tr *Track, tire locate.Tire) {
	frames := float64(t.view.Seq - tr.seq)
	tr.speed = tire.Centre.Sub(tr.tire.Centre).Scale(1 / frames)
	tr.tire, tr.seq, tr.missed = tire, t.view.Seq, 0
	tr.Seen++
	// a stopped belt keeps its direction: the jitter of the search is not a movement
	step := tr.speed.Scale(1 / (2 * tire.Radius))
	if step.Len() >= jitter {
		if t.flow == (locate.Point{}) {
			t.flow = step
		}
		t.flow = t.flow.Scale(0.7).Add(step.Scale(0.3))
	}
}

// choose decides whether this frame of the tire is one of the best n: nearest to the middle, where
// the lens is sharpest and the view is from straight above, and not the same view as another one.
func (tr *Track) choose(n int, v View, tire locate.Tire) (Take, bool) {
	diameter := 2 * tire.Radius
	s := Sample{Tire: tire, Seq: v.Seq, Offset: v.offset(tire)}
	slot := slices.IndexFunc(tr.Samples, func(o Sample) bool {
		return o.Tire.Centre.Sub(tire.Centre).Len() < spacing*diameter
	})
	switch {
	case slot >= 0: // the same view: replaced only when this one is clearly nearer
		if s.Offset > tr.Samples[slot].Offset-spacing/2 {
			return Take{}, false
		}
	case len(tr.Samples) < n:
		tr.Samples = append(tr.Samples, s)
		return Take{tr, len(tr.Samples) - 1}, true
	default:
		slot = 0
		for i, o := range tr.Samples {
			if o.Offset > tr.Samples[slot].Offset {
				slot = i
			}
		}
		if s.Offset >= tr.Samples[slot].Offset {
			return Take{}, false
		}
	}
	tr.Samples[slot] = s
	return Take{tr, slot}, true
}
