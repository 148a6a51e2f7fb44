package reject

import (
	"context"
	"slices"
	"sync"
	"time"

	"periph.io/x/conn/v3/gpio"

	lines "tirewatch/agent/gpio"
)

// Encoder counts the pulses of the belt's way and remembers when they came: a decision is about a
// tire that was in the middle of the picture a while ago. Its methods may be called from any
// goroutine.
type Encoder struct {
	pin   gpio.PinIn // waits for rising edges
	moved func()     // told of each pulse

	mu    sync.Mutex
	count uint64      // guarded by mu
	times []time.Time // of the newest pulses, the oldest first; guarded by mu
}

// remembered is how many pulses back a tire may have been in the middle of the picture.
const remembered = 8192

// NewEncoder counts the rising edges of a pin that was told to wait for them.
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

// Count is how many pulses have come.
func (e *Encoder) Count() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.count
}

// At is how many had come at a time. Longer ago than remembered is taken for the oldest that is:
// the tire's pulse then comes late and not early, unless it is missed.
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
