package camera

import (
	"context"
	"errors"
	"io"
	"time"

	"tirewatch/vision/frame"
)

// Reopening keeps a live source alive: when it fails it is closed and opened again, for ever, with
// growing pauses. A finite source passes through, its end and its errors are final, unless it is to
// play in a loop. Frame numbers go on over a reopening.
type Reopening struct {
	o ReopenOptions

	src   Source // nil between two lives
	wait  time.Duration
	down  bool // an error was reported and no frame has come since
	still frozen
	base  uint64      // frame numbers that earlier lives used
	last  uint64      // latest frame number given
	frame frame.Frame // the latest given; its pixels belong to src
}

// ReopenOptions says what to keep alive.
type ReopenOptions struct {
	Open  func() (Source, error)
	Live  bool    // errors are retried
	Loop  bool    // the end of a finite source is its beginning
	Pause Backoff // zero: DefaultBackoff
	// a live source that shows one picture for so long is opened again; zero: DefaultFrozenAfter
	Frozen time.Duration
	Event  func(Event) // called by Next, in its goroutine
}

// Backoff is the pause before the first attempt and the longest; it doubles in between.
type Backoff struct{ First, Max time.Duration }

// DefaultBackoff finds a camera that was plugged back within seconds and does not fill the log
// meanwhile.
var DefaultBackoff = Backoff{First: 500 * time.Millisecond, Max: 10 * time.Second}

func (b Backoff) next(last time.Duration) time.Duration {
	if last == 0 {
		return b.First
	}
	return min(2*last, b.Max)
}

// Event is what happened to the source.
type Event struct {
	Err   error         // why it is down; nil: it is back
	Retry time.Duration // pause before the next attempt
}

// NewReopening wraps the sources that o.Open makes. The first one is opened by the first Next.
func NewReopening(o ReopenOptions) *Reopening {
	if o.Pause == (Backoff{}) {
		o.Pause = DefaultBackoff
	}
	if o.Frozen == 0 {
		o.Frozen = DefaultFrozenAfter
	}
	return &Reopening{o: o, still: frozen{after: o.Frozen}}
}

// Next gives the next frame, however many times the camera must be opened for it. A live source
// returns an error only for the end of ctx and for what opening again cannot cure: ErrNoOpenCV and
// ErrLocation.
func (r *Reopening) Next(ctx context.Context) (*frame.Frame, error) {
	for {
		f, err := r.attempt(ctx)
		if err == nil {
			if r.down {
				r.down = false
				r.o.Event(Event{})
			}
			r.wait = 0
			r.frame = *f // the source's own frame keeps its number: it may count with it
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

// openWithin gives up on an opening when ctx ends: a network camera that does not answer blocks
// OpenCV for half a minute, and a station that is told to stop does not wait for it. A source that
// opens too late is closed.
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
