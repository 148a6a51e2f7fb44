package trigger

import (
	"context"
	"time"

	"periph.io/x/conn/v3/gpio"

	lines "tirewatch/agent/gpio"
)

// Eye makes a trigger of each tire that a photo-eye sees.
type Eye struct {
	Pin      gpio.PinIn // waits for both edges
	Active   gpio.Level // while a tire is there
	Debounce time.Duration
	Bounced  func() // told of each edge that was none of a tire's; may be nil
}

// Watch gives a trigger for each change to the active level that lasts, until ctx ends. Its time is
// that of the first edge, which the eye saw the tire with: contacts bounce after it, and a spark on
// the line goes as it came.
func (e *Eye) Watch(ctx context.Context, emit func(Trigger)) {
	steady := e.Pin.Read()
	for ctx.Err() == nil {
		if !lines.Wait(e.Pin) {
			continue
		}
		first, edges := time.Now(), 1
		for e.Pin.WaitForEdge(e.Debounce) {
			edges++
			if ctx.Err() != nil {
				return
			}
		}
		level := e.Pin.Read()
		if level != steady {
			edges--
		}
		for range edges {
			if e.Bounced != nil {
				e.Bounced()
			}
		}
		if level != steady && level == e.Active {
			emit(Trigger{Kind: PhotoEye, Time: first})
		}
		steady = level
	}
}
