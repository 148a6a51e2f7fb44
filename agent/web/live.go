package web

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"tirewatch/vision/frame"
	"tirewatch/vision/locate"
	"tirewatch/vision/verdict"
)

// live makes pictures of the newest frame for who looks.
//
// A browser asks for each picture anew and gets it when it is there: the browser sets the pace, and
// one that hangs asks for nothing, so that nothing waits for it in memory. All that look share one
// picture. The loop is asked for a frame only while a browser waits; it takes a grey copy, which is
// all that the network sees and a third of the work, and goes on. Another goroutine shrinks,
// measures and encodes it, and then rests long enough to leave the processors to the inspection.
type live struct {
	requests chan struct{} // capacity 1: a browser waits for a picture
	// the loop shall hand the next frame over; then held belongs to it until it is back in copied
	frameWanted atomic.Bool
	copied      chan struct{} // capacity 1: held is filled

	held struct {
		frame frame.Frame // grey, with pixels of its own
		tires []locate.Tire
	}

	mu          sync.Mutex
	latest      *picture      // guarded by mu; nil: none yet
	changed     chan struct{} // guarded by mu; closed and replaced with each picture
	lastVerdict *verdict.Verdict
}

// picture is what a browser gets.
type picture struct {
	jpeg []byte
	view view
	made time.Time
}

// view is what the page draws over the picture and beside it. Coordinates are px of the frame.
type view struct {
	Picture uint64      `json:"picture"` // counts pictures from 1
	Frame   uint64      `json:"frame"`   // of the source
	Time    time.Time   `json:"time"`
	Width   int         `json:"width"`
	Height  int         `json:"height"`
	Tires   []shownTire `json:"tires"`
	Focus   float64     `json:"focus"`
	Light   light       `json:"light"`
	Verdict *score      `json:"verdict,omitempty"` // the latest
}

// shownTire is a tire in the frame, and what the network would be given of it.
type shownTire struct {
	X      float64 `json:"x"`
	Y      float64 `json:"y"`
	Radius float64 `json:"r"` // 0: a fixed region
	Crop   [4]int  `json:"crop"`
}

// score is the short form of a verdict.
type score struct {
	Seq         uint64        `json:"seq"`
	Label       verdict.Label `json:"label"`
	Probability float64       `json:"probability"`
	Threshold   float64       `json:"threshold"`
	Time        time.Time     `json:"time"`
}

func newLive() *live {
	return &live{requests: make(chan struct{}, 1), copied: make(chan struct{}, 1), changed: make(chan struct{})}
}

// Show is told of each frame and the tires in it, in the loop's goroutine. It copies the frame when
// a browser waits for one, and does nothing otherwise; it never blocks.
func (p *Page) Show(f *frame.Frame, tires []locate.Tire) {
	if p != nil {
		p.live.show(f, tires)
	}
}

func (l *live) show(f *frame.Frame, tires []locate.Tire) {
	if !l.frameWanted.Load() || !l.frameWanted.CompareAndSwap(true, false) {
		return
	}
	l.held.frame = frame.Frame{Pix: f.Gray(l.held.frame.Pix, f.Bounds()), Width: f.Width, Height: f.Height, Stride: f.Width, Format: frame.Gray,
		Seq: f.Seq, Time: f.Time}
	l.held.tires = append(l.held.tires[:0], tires...)
	l.copied <- struct{}{} // there is room: it was taken out before a frame was wanted
}

func (l *live) judged(v *verdict.Verdict) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lastVerdict = v
}

// Pace of the pictures.
const (
	// minPause lies between two pictures at least: eight a second are enough to turn a lens
	// by.
	minPause = 120 * time.Millisecond
	// cpuShare is the part of all processors that pictures may take.
	cpuShare = 0.015
)

// run makes pictures until ctx ends.
func (l *live) run(ctx context.Context, margin float64) {
	var small image.Gray
	for n := uint64(1); ; n++ {
		if !l.receive(ctx, l.requests) {
			return
		}
		l.frameWanted.Store(true)
		if !l.receive(ctx, l.copied) {
			return
		}
		start := time.Now()
		pic := l.make(&small, margin)
		pic.view.Picture = n
		l.mu.Lock()
		if v := l.lastVerdict; v != nil {
			pic.view.Verdict = &score{v.Seq, v.Label, v.Probability, v.Threshold, v.Time}
		}
		l.latest = pic
		close(l.changed)
		l.changed = make(chan struct{})
		l.mu.Unlock()
		rest := time.Duration(float64(time.Since(start)) / (cpuShare * float64(runtime.NumCPU())))
		select {
		case <-time.After(max(rest, minPause)):
		case <-ctx.Done():
			return
		}
	}
}

func (l *live) receive(ctx context.Context, c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	case <-ctx.Done():
		return false
	}
}

// make encodes and measures what is held.
func (l *live) make(small *image.Gray, margin float64) *picture {
	f := &l.held.frame
	v := view{Frame: f.Seq, Time: f.Time, Width: f.Width, Height: f.Height, Tires: []shownTire{}}
	part := f.Bounds()
	for i, t := range l.held.tires {
		r := t.Crop(f.Bounds(), margin)
		seen := shownTire{X: t.Centre.X, Y: t.Centre.Y, Radius: t.Radius, Crop: [4]int{r.Min.X, r.Min.Y, r.Max.X, r.Max.Y}}
		if !t.Region.Empty() {
			seen.Radius = 0
		}
		v.Tires = append(v.Tires, seen)
		if i == 0 {
			part = r
		}
	}
	v.Focus, v.Light = measure(f, part)
	shrink(small, f)
	var out bytes.Buffer
	if err := jpeg.Encode(&out, small, &jpeg.Options{Quality: 75}); err != nil {
		// a buffer takes everything, and cameras are smaller than JPEG's largest picture
		panic("internal error: " + err.Error())
	}
	return &picture{jpeg: out.Bytes(), view: v, made: time.Now()}
}

// maxAge is the age from which a picture is none of now: nobody looked meanwhile.
const maxAge = 2 * time.Second

// next waits for a picture that is newer than number after, nil when ctx ends before.
func (l *live) next(ctx context.Context, after uint64) *picture {
	for {
		l.mu.Lock()
		latest, changed := l.latest, l.changed
		l.mu.Unlock()
		if latest != nil && latest.view.Picture > after && time.Since(latest.made) < maxAge {
			return latest
		}
		select {
		case l.requests <- struct{}{}:
		default:
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}
