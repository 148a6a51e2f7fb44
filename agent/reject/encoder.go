package reject

import (
	"context"
	"slices"
	"sync"
	"time"

	"periph.io/x/conn/v3/gpio"

	lines "tirewatch/agent/gpio"
)

// Encoder counts the pulses of a belt encoder and stores their times: a decision is about a tire
// that was in the middle of the frame a while ago. Its methods may be called from any goroutine.
type Encoder struct {
	pin   gpio.PinIn // waits for rising edges
	moved func()     // called for each pulse

	mu    sync.Mutex
	count uint64      // guarded by mu
	times []time.Time // of the newest pulses, the oldest first; guarded by mu
}

// remembered is how many pulses ago a tire may have been in the middle of the frame.
const remembered = 8192

// NewEncoder returns an encoder on a pin that waits for rising edges.
func NewEncoder(pin gpio.PinIn) *Encoder { return &Encoder{pin: pin, moved: func() {}} }

// Run counts until ctx ends.
func (e *Encoder) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if lines.Wait(e.pin) {
			e.pulse(time.Now())
		}
	}
}

func (e *Encoder) pulse(at time.Time) {
	e.mu.Lock()
	e.count++
	if e.times = append(e.times, at); len(e.times) == 2*remembered {
		e.times = append(e.times[:0], e.times[remembered:]...)
	}
	e.mu.Unlock()
	e.moved()
}

// Count returns the number of pulses so far.
func (e *Encoder) Count() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.count
}

// At returns the number of pulses up to t. A time before the oldest stored pulse counts as that
// pulse: the tire's pulse is then late or missed, never early.
func (e *Encoder) At(t time.Time) uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	after, _ := slices.BinarySearchFunc(e.times, t, func(pulse, t time.Time) int {
		if pulse.After(t) {
			return 1
		}
		return -1
	})
	return e.count - uint64(len(e.times)-after)
}
