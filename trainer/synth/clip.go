package synth

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"

	"tirewatch/internal/durable"
)

// ClipOptions describes the clip that WriteClip films. A size or rate of 0 means the default in
// brackets.
type ClipOptions struct {
	Tires int
	Seed  uint64
	// Width and Height of the picture in pixels (960 x 540). Tires are about 0.9 times as large as
	// the height. The width must be at least 1.3 times the height, so that each tire is wholly
	// visible in several frames.
	Width, Height int
	FPS           int // frames per second (15)
	// CrackFraction is the share of cracked tires, 0 to 1, rounded to whole tires.
	CrackFraction float64
	Quality       int // JPEG quality of the frames, 1 to 100 (85)
	// Rough films a belt with the problems of a real line: it changes its speed and stops, tires
	// touch, lamps glare, sometimes a hand reaches in, and the camera loses parts of frames.
	Rough bool
}

func (o ClipOptions) withDefaults() ClipOptions {
	for _, d := range []struct {
		field *int
		value int
	}{{&o.Width, 960}, {&o.Height, 540}, {&o.FPS, 15}, {&o.Quality, 85}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return o
}

func (o ClipOptions) check() error {
	switch {
	case o.Tires < 1 || o.Tires > 100_000:
		return fmt.Errorf("synth: a clip of %d tires: want 1 to 100000", o.Tires)
	case o.Height < 2*minSize || o.Height > maxSize || o.Width > 2*maxSize:
		return fmt.Errorf("synth: clip picture %d x %d: want %d to %d pixels of height and at most %d of width",
			o.Width, o.Height, 2*minSize, maxSize, 2*maxSize)
	case o.Width%2 != 0 || o.Height%2 != 0:
		return fmt.Errorf("synth: clip picture %d x %d: both must be even", o.Width, o.Height)
	case 10*o.Width < 13*o.Height:
		return fmt.Errorf("synth: clip picture %d x %d is too narrow: the width must be at least 1.3 times the height",
			o.Width, o.Height)
	case o.FPS < 1 || o.FPS > 240:
		return fmt.Errorf("synth: clip of %d frames per second: want 1 to 240", o.FPS)
	}
	if err := checkFraction(o.CrackFraction); err != nil {
		return err
	}
	return checkQuality(o.Quality)
}

// fewestFrames is the minimum number of frames in which a tire is wholly visible.
const fewestFrames = 6

// passage is the movement of a tire through the clip.
type passage struct {
	TruthTire
	start int // x of the centre in frame 0, px; usually far to the left of the picture
}

// timetable holds speed, sizes, positions and gaps.
type timetable struct {
	speed int // px per frame; for a rough belt, its usual speed
	// px that the belt has moved, by frame; even, because a chroma sample covers two pixels
	way      []int
	passages []passage
}

func (t timetable) frames() int { return len(t.way) }

func (o ClipOptions) timetable() timetable {
	s := newStream(o.Seed, 0, forClip)
	// A tire stays wholly visible over a way of at least 0.35 heights, for every picture shape.
	room := o.Width - o.Height*19/20
	t := timetable{speed: max(2, min(room/(fewestFrames+2), o.Height*4/5/o.FPS)&^1)}
	if o.Rough {
		t.speed = max(2, min(t.speed, int(float32(room/(fewestFrames+2))/fastest)&^1))
	}
	rough := newStream(o.Seed, 2, forClip)
	front := 0 // left edge of the last tire in frame 0, px
	for i, cracked := range shuffled(o.Tires, o.CrackFraction, newStream(o.Seed, 0, forLabels)) {
		r := int(s.between(0.445, 0.472) * float32(o.Height))
		gap := int(s.between(0.06, 0.5) * float32(o.Height))
		if i == o.Tires/2 || s.chance(0.12) {
			// Sometimes the belt is empty for at least a second.
			gap = o.Width + int(float32(t.speed*o.FPS)*s.between(1, 1.6))
		} else if o.Rough && rough.chance(0.3) {
			gap = rough.count(0, 2)
		}
		p := passage{start: front - gap - r}
		slack := float32(o.Height)/2 - float32(r) - 2
		p.TruthTire = TruthTire{
			Index: i, Label: labelOf(cracked), Radius: r, CentreY: o.Height/2 + int(s.between(-0.8, 0.8)*slack),
		}
		front = p.start - r
		t.passages = append(t.passages, p)
	}
	last := t.passages[len(t.passages)-1]
	end := o.Width + last.Radius - last.start
	if o.Rough {
		t.way = o.roughWay(rough, t.speed, end)
	} else {
		for f := range end/t.speed + o.FPS/2 {
			t.way = append(t.way, t.speed*f)
		}
	}
	for i := range t.passages {
		p := &t.passages[i]
		// The first and last frames with start + way between r and Width-r, and the frame nearest
		// to the middle.
		first := func(x int) int { return sort.SearchInts(t.way, x-p.start) }
		p.FirstFrame, p.LastFrame = first(p.Radius), first(o.Width-p.Radius+1)-1
		p.CentreFrame = first(o.Width / 2)
		if c := p.CentreFrame; c > 0 && o.Width/2-p.start-t.way[c-1] < t.way[c]-(o.Width/2-p.start) {
			p.CentreFrame = c - 1
		}
		p.CentreX = p.start + t.way[p.CentreFrame]
	}
	return t
}

// A rough belt runs at these shares of its usual speed, each for one to three seconds, and stops
// for some seconds at times.
const (
	slowest, fastest = 0.5, 1.3
	stopEvery        = 25 // mean distance between stops, in tires
)

func (o ClipOptions) roughWay(s stream, speed, end int) (way []int) {
	moved, next := 0, o.Width
	for moved < end {
		now := max(2, int(float32(speed)*s.between(slowest, fastest))&^1)
		for range int(float32(o.FPS) * s.between(1, 3)) {
			if moved >= next { // the belt stops
				for range int(float32(o.FPS) * s.between(2, 5)) {
					way = append(way, moved)
				}
				next = moved + int(s.between(0.5, 1.5)*float32(stopEvery*o.Height))
			}
			way = append(way, moved)
			moved += now
		}
	}
	for range o.FPS / 2 {
		way = append(way, moved)
	}
	return way
}

// WriteClip films o.Tires tires that pass on a belt from left to right, into an MJPEG AVI file at
// path, and writes the truth to TruthPath(path). Tires never overlap, and each is wholly visible in
// at least six frames. The same options give the same bytes.
//
// Both files appear only when complete. After an error, or when ctx ends, neither exists. progress
// counts frames and may be nil.
func WriteClip(ctx context.Context, path string, o ClipOptions, progress func(done, total int)) (Truth, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return Truth{}, err
	}
	table := o.timetable()
	truth := Truth{Seed: o.Seed, Width: o.Width, Height: o.Height, FPS: o.FPS, Frames: table.frames()}
	if o.Rough {
		truth.Way = table.way
	}
	for _, p := range table.passages {
		truth.Tires = append(truth.Tires, p.TruthTire)
	}
	text, err := json.MarshalIndent(truth, "", "  ")
	if err != nil {
		return Truth{}, fmt.Errorf("write clip %s: %w", path, err)
	}
	// The library opens files by name and creates a second one for its index. A temporary folder
	// holds both.
	temp, err := os.MkdirTemp(filepath.Dir(path), ".unfinished-")
	if err != nil {
		return Truth{}, fmt.Errorf("write clip %s: %w", path, err)
	}
	defer os.RemoveAll(temp)
	unfinished := filepath.Join(temp, "clip.avi")
	if err := film(ctx, unfinished, o, table, progress); err != nil {
		return Truth{}, fmt.Errorf("write clip %s: %w", path, err)
	}
	if err := durable.WriteFile(TruthPath(path), append(text, '\n'), 0o644); err != nil {
		return Truth{}, fmt.Errorf("write clip %s: %w", path, err)
	}
	if err := os.Rename(unfinished, path); err != nil {
		os.Remove(TruthPath(path))
		return Truth{}, fmt.Errorf("write clip %s: %w", path, err)
	}
	return truth, durable.SyncDir(filepath.Dir(path))
}
