package inspection

import (
	"context"

	"tirewatch/vision/camera"
	"tirewatch/vision/frame"
)

// reader waits for the camera in a goroutine of its own, because Next blocks while a camera is
// silent. Nothing is read ahead: a frame and its pixels belong to the loop until it asks for the
// next one.
type reader struct {
	grabbed chan grabbed
	next    chan struct{} // the loop has finished with the frame
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
			p.grabbed <- grabbed{f, err} // never blocks: the loop has taken the last one
		}
	}()
	return p
}

// stop ends the goroutine. The source can be closed afterwards.
func (p *reader) stop() {
	p.cancel()
	close(p.next)
	<-p.ended
}
