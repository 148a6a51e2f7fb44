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

// live makes images of the newest frame for the browsers that show the page.
//
// A browser requests each image and receives it when it is made. So the browser sets the pace, and
// nothing waits in memory for a browser that hangs. All viewers share one image. Only while a
// browser waits does the inspection loop copy a frame. It copies it in grey, which is what the
// network sees and a third of the work. Another goroutine shrinks, measures and encodes the copy,
// and then pauses long enough to leave the processors to the inspection.
type live struct {
	requests chan struct{} // capacity 1: a browser waits for an image
	// true: the inspection loop is to copy the next frame into held. The loop owns held from then
	// on until it sends to copied, then run does.
	frameWanted atomic.Bool
	copied      chan struct{} // capacity 1: held contains a new frame

	held struct {
		frame frame.Frame // grey; owns its pixels
		tires []locate.Tire
	}

	mu          sync.Mutex
	latest      *picture         // guarded by mu; nil: none yet
	changed     chan struct{}    // guarded by mu; closed and replaced with each image
	lastVerdict *verdict.Verdict // guarded by mu
}

// picture is one image and what the page draws over it.
type picture struct {
	jpeg []byte
	view view
	made time.Time
}

// view is what the page draws over an image and shows beside it. Coordinates are px of the frame.
type view struct {
	Picture uint64      `json:"picture"` // counts images from 1
	Frame   uint64      `json:"frame"`   // Seq of the frame
	Time    time.Time   `json:"time"`
	Width   int         `json:"width"`
	Height  int         `json:"height"`
	Tires   []shownTire `json:"tires"`
	Focus   float64     `json:"focus"`
	Light   light       `json:"light"`
	Verdict *score      `json:"verdict,omitempty"` // the latest; the tire in the image may be the next one
}

// shownTire is a tire in the frame, and the crop that the network would receive.
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
	Unsure      bool          `json:"unsure,omitempty"` // judged, but between the two thresholds
	Time        time.Time     `json:"time"`
}

func newLive() *live {
	return &live{
		requests: make(chan struct{}, 1), copied: make(chan struct{}, 1), changed: make(chan struct{}),
	}
}

// Show receives each frame and the tires in it, in the goroutine of the inspection loop. It copies
// the frame if a browser waits for one. It never blocks.
func (p *Page) Show(f *frame.Frame, tires []locate.Tire) {
	if p != nil {
		p.live.show(f, tires)
	}
}

func (l *live) show(f *frame.Frame, tires []locate.Tire) {
	if !l.frameWanted.Load() || !l.frameWanted.CompareAndSwap(true, false) {
		return
	}
	l.held.frame = frame.Frame{
		Pix: f.Gray(l.held.frame.Pix, f.Bounds()), Width: f.Width, Height: f.Height, Stride: f.Width,
		Format: frame.Gray, Seq: f.Seq, Time: f.Time,
	}
	l.held.tires = append(l.held.tires[:0], tires...)
	l.copied <- struct{}{} // never blocks: run emptied it before it set frameWanted
}

func (l *live) judged(v *verdict.Verdict) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lastVerdict = v
}

// Limits on the rate of images.
const (
	// minPause is the least time between two images: eight a second are enough to focus a lens.
	minPause = 120 * time.Millisecond
	// cpuShare is the share of the time of all processors that images may use.
	cpuShare = 0.015
)

// run makes images until ctx ends.
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
			pic.view.Verdict = &score{v.Seq, v.Label, v.Probability, v.Threshold, v.IsUnsure(), v.Time}
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

// make measures and encodes the frame in held. The first tire in it is what is measured, or the
// whole frame if there is none.
func (l *live) make(small *image.Gray, margin float64) *picture {
	f := &l.held.frame
	v := view{Frame: f.Seq, Time: f.Time, Width: f.Width, Height: f.Height, Tires: []shownTire{}}
	part := f.Bounds()
	for i, t := range l.held.tires {
		r := t.Crop(f.Bounds(), margin)
		seen := shownTire{X: t.Centre.X, Y: t.Centre.Y, Radius: t.Radius,
			Crop: [4]int{r.Min.X, r.Min.Y, r.Max.X, r.Max.Y}}
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
		// a buffer accepts every write, and no camera exceeds the size limit of JPEG
		panic("internal error: " + err.Error())
	}
	return &picture{jpeg: out.Bytes(), view: v, made: time.Now()}
}

// maxAge is the age from which an image is too old to show. An image becomes old when no browser
// requests another one.
const maxAge = 2 * time.Second

// next waits for an image with a number above after. It returns nil if ctx ends first.
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
