package inspection

import (
	"context"

	"tirewatch/vision/camera"
	"tirewatch/vision/frame"
)

// reader waits for the camera in a goroutine of its own, because Next blocks as long as a camera is
// silent. A frame and its pixels belong to the station's loop from the moment that it comes until
// the loop asks for the next: nothing is read ahead.
type reader struct {
	grabbed chan grabbed
	next    chan struct{} // the loop is done with the frame
	cancel  context.CancelFunc
	ended   chan struct{}
}

type grabbed struct {
	frame *frame.Frame
	err   error
}

func newReader(ctx context.Context, src camera.Source) *reader {
	ctx, cancel := context.WithCancel(ctx)
	p := &reader{grabbed: make(chan grabbed, 1), next: make(chan struct{}, 1), cancel: cancel, ended: make(chan struct{})}
	p.next <- struct{}{}
	go func() {
		defer close(p.ended)
		for range p.next {
			f, err := src.Next(ctx)
			p.grabbed <- grabbed{f, err} // there is room: the loop has taken the one before
		}
	}()
	return p
}

// stop ends the goroutine, so that the source may be closed.
func (p *reader) stop() {
	p.cancel()
	close(p.next)
	<-p.ended
}
