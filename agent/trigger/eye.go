package trigger

import (
	"context"
	"time"

	"periph.io/x/conn/v3/gpio"

	lines "tirewatch/agent/gpio"
)

// Eye makes a trigger for each tire at a photo-eye.
type Eye struct {
	Pin      gpio.PinIn // waits for both edges
	Active   gpio.Level // the level while a tire is there
	Debounce time.Duration
	Bounced  func() // called for each edge that debouncing removed; may be nil
}

// Watch calls emit for each stable change to the active level, until ctx ends. The time of the
// trigger is that of the first edge, when the tire arrived: later edges are contact bounce. A short
// spike on the line changes nothing.
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
