package camera

import (
	"context"
	"errors"
	"io"
	"time"

	"tirewatch/vision/frame"
)

// Reopening keeps a live source open. When it fails, it is closed and opened again, without limit,
// with growing pauses. The end and the errors of a finite source are final, unless it plays in a
// loop. Frame numbers continue after a reopening.
type Reopening struct {
	o ReopenOptions

	src   Source // nil while closed
	wait  time.Duration
	down  bool // an error was reported, and no frame has arrived since
	still frozen
	base  uint64      // last frame number before src was opened
	last  uint64      // latest frame number returned
	frame frame.Frame // latest frame returned; its pixels belong to src
}

// ReopenOptions says what to open, and when to open it again.
type ReopenOptions struct {
	Open  func() (Source, error)
	Live  bool    // errors are retried
	Loop  bool    // a finite source starts again at its end
	Pause Backoff // zero: DefaultBackoff
	// a live source that returns one image for so long is opened again; zero: DefaultFrozenAfter
	Frozen time.Duration
	Event  func(Event) // called by Next, in its goroutine
}

// Backoff is the first and the longest pause before an attempt. The pause doubles each time.
type Backoff struct{ First, Max time.Duration }

// DefaultBackoff finds a camera within seconds after it was plugged in again, and does not fill the
// log meanwhile.
var DefaultBackoff = Backoff{First: 500 * time.Millisecond, Max: 10 * time.Second}

func (b Backoff) next(last time.Duration) time.Duration {
	if last == 0 {
		return b.First
	}
	return min(2*last, b.Max)
}

// Event says that the source failed or works again.
type Event struct {
	Err   error         // why it failed; nil: it works again
	Retry time.Duration // pause before the next attempt
}

// NewReopening wraps the sources that o.Open opens. The first Next opens the first one.
func NewReopening(o ReopenOptions) *Reopening {
	if o.Pause == (Backoff{}) {
		o.Pause = DefaultBackoff
	}
	if o.Frozen == 0 {
		o.Frozen = DefaultFrozenAfter
	}
	return &Reopening{o: o, still: frozen{after: o.Frozen}}
}

// Next returns the next frame and opens the camera as often as needed. A live source returns an
// error only when ctx ends, or when a new attempt cannot help: ErrNoOpenCV and ErrLocation.
func (r *Reopening) Next(ctx context.Context) (*frame.Frame, error) {
	for {
		f, err := r.attempt(ctx)
		if err == nil {
			if r.down {
				r.down = false
				r.o.Event(Event{})
			}
			r.wait = 0
			r.frame = *f // a copy, because the source may count with the number in its own frame
			r.frame.Seq += r.base
			r.last = r.frame.Seq
			return &r.frame, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if r.o.Loop && err == io.EOF && r.last > r.base {
			if err := r.Close(); err != nil {
				return nil, err
			}
			continue
		}
		if !r.o.Live || errors.Is(err, ErrNoOpenCV) || errors.Is(err, ErrLocation) {
			return nil, err
		}
		if r.src != nil {
			err = errors.Join(err, r.Close())
		}
		r.wait = r.o.Pause.next(r.wait)
		r.down = true
		r.o.Event(Event{Err: err, Retry: r.wait})
		if err := sleep(ctx, r.wait); err != nil {
			return nil, err
		}
	}
}

// attempt opens the source when it is closed and reads one frame.
func (r *Reopening) attempt(ctx context.Context) (*frame.Frame, error) {
	if r.src == nil {
		src, err := openWithin(ctx, r.o.Open)
		if err != nil {
			return nil, err
		}
		r.src, r.base = src, r.last
	}
	f, err := r.src.Next(ctx)
	if err == nil && r.o.Live {
		err = r.still.look(f, time.Now())
	}
	return f, err
}

// openWithin stops waiting when ctx ends. A network camera that does not answer blocks OpenCV for
// half a minute, and a station that must stop does not wait for it. A source that opens too late is
// closed.
func openWithin(ctx context.Context, open func() (Source, error)) (Source, error) {
	type result struct {
		src Source
		err error
	}
	opened := make(chan result, 1)
	go func() {
		src, err := open()
		opened <- result{src, err}
	}()
	select {
	case r := <-opened:
		return r.src, r.err
	case <-ctx.Done():
		go func() {
			if r := <-opened; r.err == nil {
				r.src.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

// Close closes the source if it is open.
func (r *Reopening) Close() error {
	if r.src == nil {
		return nil
	}
	err := r.src.Close()
	r.src = nil
	return err
}
