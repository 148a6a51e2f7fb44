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
// and says which frames of it are worth a look. It knows places and times only: no pixels, no
// clock.
//
// The belt must carry a tire less than half its diameter from frame to frame. Slower is better;
// standing still, going on and creeping back a little are all the same tire.
type Tracker struct {
	samples int // per tire at most

	tracks []*Track
	nextID uint64
	flow   locate.Point // how the belt moved lately, diameters per frame
	view   View         // of the latest frame
}

// View is the frame that tires were looked for in.
type View struct {
	Seq  uint64
	Time time.Time
	Size image.Point // px
}

// Track is one tire's way through the picture.
type Track struct {
	ID      uint64
	Seen    int      // frames in which it was found
	Samples []Sample // the chosen frames, in slots of their own
	Claimed bool     // by a trigger; owned by the caller

	tire   locate.Tire  // where it was last
	seq    uint64       // the frame of that
	speed  locate.Point // px per frame
	missed int          // frames since
}

// Sample is a frame of a tire that was chosen for the verdict.
type Sample struct {
	Tire   locate.Tire
	Seq    uint64
	Offset float64 // of the tire from the middle of the picture, in diameters
}

// Take tells the caller to keep the crop of a tire in the present frame, in place of what the slot
// held before.
type Take struct {
	Track *Track
	Slot  int // index into Track.Samples
}

const (
	// missedAtBorder is how many frames without a tire that should be past the border by now mean
	// that it has left, and missedInside is the same for one that should still be in view, where a
	// hand or a reflection may hide it.
	missedAtBorder = 3
	missedInside   = 10
	// confirmFrames is in how many frames a tire must have been found: what was seen once may be a
	// reflection.
	confirmFrames = 2
	// longGap is a pause of the camera after which nobody knows what became of the tires in the
	// picture: they get their verdicts, and what is seen next is new. An inspection must rather ask
	// twice than overlook a tire.
	longGap = 3 * time.Second
	// spacing is how far apart two samples of a tire must be, in diameters: the same view twice
	// tells nothing new.
	spacing = 0.02
)

// How a tire may move between two frames in which it was found, in diameters. Half a diameter is
// the limit at which the tire behind a touching one is as near as the tire itself.
const (
	maxAhead  = 0.5  // beyond where its speed brings it
	maxBehind = 0.2  // against the belt
	maxAside  = 0.3  // across the belt
	maxGrowth = 0.25 // of the radius; the search now and then takes an inner ring for the outline
	jitter    = 0.01 // by which the search is off from frame to frame
)

// NewTracker makes a tracker that chooses at most so many frames of each tire.
func NewTracker(samples int) *Tracker { return &Tracker{samples: max(1, samples)} }

// Step takes the tires that were found in the next frame. It gives the crops to keep and the tires
// that have left, oldest first.
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

// End gives the tires that are still in the picture and forgets them: at the end of a stream and
// when the station stops.
func (t *Tracker) End() []*Track {
	left := t.tracks
	t.tracks = nil
	return left
}

// patience is for how many frames a tire may be overlooked until it has left.
func (t *Tracker) patience(tr *Track) int {
	place := tr.tire.Centre.Add(tr.speed.Scale(float64(t.view.Seq - tr.seq)))
	r := tr.tire.Radius
	if place.X < r || place.Y < r || place.X > float64(t.view.Size.X)-r || place.Y > float64(t.view.Size.Y)-r {
		return missedAtBorder
	}
	return missedInside
}

// Nearest is the tire of the latest frame that is nearest to the middle of the picture, and how far
// from it, in diameters; nil without one.
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

// Passed says whether the tire was beyond the middle of the picture when it was seen last.
func (t *Tracker) Passed(tr *Track) bool {
	return tr.tire.Centre.Sub(t.view.middle()).Dot(t.flow) > 0
}

func (v View) middle() locate.Point {
	return locate.Point{X: float64(v.Size.X) / 2, Y: float64(v.Size.Y) / 2}
}

// offset is how far a tire is from the middle, in diameters.
func (v View) offset(tire locate.Tire) float64 {
	return tire.Centre.Sub(v.middle()).Len() / (2 * tire.Radius)
}

// Confirmed says whether the track is a tire and no passing reflection.
func (tr *Track) Confirmed() bool { return tr.Seen >= confirmFrames }

// sighting is a tire of this frame and the track that it continues or begins.
type sighting struct {
	track *Track
	tire  locate.Tire
}

// assign gives each tire of the frame to the track that it fits best; the rest begin new tracks,
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

// fits tells whether the tire can be the tracked one in this frame, and how far it is from where it
// was expected, in diameters.
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
	if flow == 0 { // the first tire: nobody knows yet which way the belt goes
		return cost, way.Len() <= maxAhead
	}
	forward := t.flow.Scale(1 / flow)
	along := way.Dot(forward)
	aside := way.Sub(forward.Scale(along)).Len()
	return cost, aside <= maxAside && along >= -maxBehind && along <= max(0, expected.Dot(forward))+maxAhead
}

// move notes where a tracked tire is now, and what that tells about the belt.
func (t *Tracker) move(tr *Track, tire locate.Tire) {
	frames := float64(t.view.Seq - tr.seq)
	tr.speed = tire.Centre.Sub(tr.tire.Centre).Scale(1 / frames)
	tr.tire, tr.seq, tr.missed = tire, t.view.Seq, 0
	tr.Seen++
	// A belt that stands keeps its direction; the jitter of the search does not count as a
	// movement.
	step := tr.speed.Scale(1 / (2 * tire.Radius))
	if step.Len() >= jitter {
		if t.flow == (locate.Point{}) {
			t.flow = step
		}
		t.flow = t.flow.Scale(0.7).Add(step.Scale(0.3))
	}
}

// choose decides whether this frame of the tire is among the best n: nearest to the middle of the
// picture, where the lens is sharpest and the tire is seen from straight above, and not the same
// view as another one.
func (tr *Track) choose(n int, v View, tire locate.Tire) (Take, bool) {
	diameter := 2 * tire.Radius
	s := Sample{Tire: tire, Seq: v.Seq, Offset: v.offset(tire)}
	slot := slices.IndexFunc(tr.Samples, func(o Sample) bool {
		return o.Tire.Centre.Sub(tire.Centre).Len() < spacing*diameter
	})
	switch {
	case slot >= 0: // the same view: worth the exchange only when it is clearly nearer
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
