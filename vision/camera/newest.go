package camera

import (
	"context"
	"fmt"
	"sync"
	"time"

	"tirewatch/vision/frame"
)

// newest reads a camera without pause and keeps only the latest frame. Drivers queue frames: a loop
// that reads a frame, computes for 50 ms and reads again would see the belt as it was seconds ago.
//
// Three frames rotate, and nothing is copied: the reader fills one, the latest complete one waits,
// and the caller holds the third.
type newest struct {
	loc        Location
	stallAfter time.Duration

	fresh chan struct{} // holds a token when ready or err is set
	ended chan struct{} // closed when the reader has closed the device

	mu     sync.Mutex
	ready  *frame.Frame   // latest complete frame that Next has not returned yet; guarded by mu
	spare  []*frame.Frame // guarded by mu
	err    error          // why the reader ended; guarded by mu
	closed bool           // guarded by mu

	current *frame.Frame // with the caller; owned by Next
}

// closeGrace is how long Close waits for a running read. A working camera needs the time of one
// frame.
const closeGrace = 2 * time.Second

func newNewest(g grabber, loc Location, stallAfter time.Duration) *newest {
	if stallAfter <= 0 {
		stallAfter = DefaultStallAfter
	}
	n := &newest{
		loc:        loc,
		stallAfter: stallAfter,
		fresh:      make(chan struct{}, 1),
		ended:      make(chan struct{}),
		spare:      []*frame.Frame{new(frame.Frame), new(frame.Frame)},
	}
	go n.read(g, new(frame.Frame))
	return n
}

// read is the reader goroutine. Only it uses the device, so that the device is never closed during
// a read that hangs.
func (n *newest) read(g grabber, f *frame.Frame) {
	defer close(n.ended)
	defer g.close()
	for seq := uint64(1); ; seq++ {
		err := g.grab(f)
		f.Seq, f.Time = seq, time.Now().UTC()
		n.mu.Lock()
		if n.closed {
			n.mu.Unlock()
			return
		}
		if err != nil {
			n.err = err
		} else {
			f, n.ready = n.ready, f
			if f == nil {
				last := len(n.spare) - 1
				f, n.spare = n.spare[last], n.spare[:last]
			}
		}
		n.mu.Unlock()
		select {
		case n.fresh <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// Next returns the latest frame. If it has returned that one already, it waits for a new one.
func (n *newest) Next(ctx context.Context) (*frame.Frame, error) {
	silence := time.NewTimer(n.stallAfter)
	defer silence.Stop()
	for {
		if f, err := n.take(); f != nil || err != nil {
			return f, err
		}
		select {
		case <-n.fresh:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-silence.C:
			return nil, fmt.Errorf("%w: no frame from %s for %v", ErrStalled, n.loc, n.stallAfter)
		}
	}
}

// take exchanges the caller's old frame for the waiting one. The last frame is returned before the
// error that followed it.
func (n *newest) take() (*frame.Frame, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ready == nil {
		return nil, n.err
	}
	if n.current != nil {
		n.spare = append(n.spare, n.current)
	}
	n.current, n.ready = n.ready, nil
	return n.current, nil
}

// Close ends the reader. A read that hangs cannot be interrupted: then Close returns ErrStalled,
// and the device is closed when the driver returns from the read.
func (n *newest) Close() error {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	grace := time.NewTimer(closeGrace)
	defer grace.Stop()
	select {
	case <-n.ended:
		return nil
	case <-grace.C:
		return fmt.Errorf("close %s: %w during a read; it is closed when the driver returns", n.loc, ErrStalled)
	}
}
