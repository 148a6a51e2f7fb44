// Package reject drives the ejector that removes tires from the belt:
//
//	station loop -> REJECT -> GPIO: ejector, lamp
//
// A pulse is due when the tire is at the ejector: a fixed time, or a fixed number of encoder
// pulses, after the tire was in the middle of the frame. Several tires may be on their way at the
// same time. A decision that arrives too late is reported as missed and never causes a pulse: the
// pulse would hit the next tire. Start with [New], [Output.Run] and [Output.Order].
package reject

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"periph.io/x/conn/v3/gpio"
)

// Options describe an output.
type Options struct {
	Pin    gpio.PinOut
	Active gpio.Level    // of a pulse
	Width  time.Duration // of a pulse
	// without an encoder: from the middle of the frame to the ejector; 0: at once
	Delay time.Duration

	Encoder *Encoder // measures the movement of the belt; nil: there is none
	Pulses  int      // of the encoder, from the middle of the frame to the ejector

	// how long Run waits at the end for tires that are still on their way to the ejector
	Linger time.Duration

	// Prompt runs Run in its own thread, with realtime priority where the system allows it.
	// Without it, pulses are as exact as Go's timers.
	Prompt bool

	Sent func() // called for each pulse that began; may be nil
	// called for each missed reject, in the goroutine of Run or Order; may be nil
	Missed func(o Order, reason string)
	Log    *slog.Logger
}

// Order is a tire to reject.
type Order struct {
	Middle time.Time // when the tire was in the middle of the frame
	Part   string
}

// Output is one ejector. Its methods may be called from any goroutine; the pin is owned by the
// goroutine of Run.
type Output struct {
	o      Options
	orders chan order // Run reads it without blocking

	mu      sync.Mutex
	sleeper sleeper // of Run; nil before and after Run; guarded by mu
	ended   bool    // guarded by mu
}

// order is an Order and its due time; a test is due at once.
type order struct {
	Order
	test bool

	// owned by Run
	due   time.Time
	count uint64 // of the encoder, instead of due; 0: due counts
}

// maxOrders is how many orders may wait for Run.
const maxOrders = 64

// New returns an output. Its pin must already have the inactive level.
func New(o Options) *Output {
	if o.Sent == nil {
		o.Sent = func() {}
	}
	if o.Missed == nil {
		o.Missed = func(Order, string) {}
	}
	u := &Output{o: o, orders: make(chan order, maxOrders)}
	if o.Encoder != nil {
		o.Encoder.moved = u.wake
	}
	return u
}

// Order rejects a tire when it is at the ejector. It does not block.
func (u *Output) Order(o Order) { u.put(order{Order: o}) }

// Test makes one pulse at once, for a person to watch.
func (u *Output) Test() { u.put(order{test: true}) }

func (u *Output) put(o order) {
	if why := u.queue(o); why != "" {
		u.missed(o, why)
		return
	}
	u.wake()
}

// queue passes an order to Run, or returns why it cannot.
func (u *Output) queue(o order) (why string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ended {
		return "the reject output has stopped"
	}
	select {
	case u.orders <- o:
	default:
		return "too many rejects at the same time"
	}
	return ""
}

// work is the state of the goroutine of Run.
type work struct {
	waiting []order
	off     time.Time // end of the current pulse; zero: no pulse
	over    time.Time // when Run stops waiting for tires; zero: ctx has not ended
}

// Run makes the pulses until ctx ends, and then the pulses of tires that are still on their way for
// at most Options.Linger. It always leaves the pin inactive.
func (u *Output) Run(ctx context.Context) {
	var w work
	defer u.end(&w)
	sleeper := u.begin()
	defer context.AfterFunc(ctx, u.wake)()
	for {
		u.takeAll(&w)
		u.act(&w)
		if ctx.Err() != nil {
			now := time.Now()
			if w.over.IsZero() {
				w.over = now.Add(u.o.Linger)
			}
			if len(w.waiting) == 0 && w.off.IsZero() || !now.Before(w.over) {
				return
			}
		}
		sleeper.sleep(w.pause())
	}
}

// begin sets the sleeper that wake needs.
func (u *Output) begin() sleeper {
	a := newTimer()
	if u.o.Prompt {
		t, err := newThread(u.o.Log)
		if err == nil {
			a = t
		} else {
			u.o.Log.Warn("reject: no thread for the ejector, pulses may be late", "error", err)
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sleeper = a
	return a
}

// end leaves the pin inactive and reports the remaining orders as missed.
func (u *Output) end(w *work) {
	u.set(!u.o.Active)
	u.mu.Lock()
	u.sleeper.close()
	u.sleeper, u.ended = nil, true
	close(u.orders) // queue sends no more orders
	u.mu.Unlock()
	for o := range u.orders {
		w.waiting = append(w.waiting, o)
	}
	for _, o := range w.waiting {
		u.missed(o, "the station stopped before the tire reached the ejector")
	}
}

// wake lets Run check again what is due.
func (u *Output) wake() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.sleeper != nil {
		u.sleeper.wake()
	}
}

// takeAll takes the waiting orders.
func (u *Output) takeAll(w *work) {
	for {
		select {
		case o := <-u.orders:
			u.take(w, o)
		default:
			return
		}
	}
}

// take works out when an order is due.
func (u *Output) take(w *work, o order) {
	now := time.Now()
	switch {
	case o.test:
		o.due = now
	case u.o.Encoder != nil:
		o.count = u.o.Encoder.At(o.Middle) + uint64(u.o.Pulses)
		if over := int64(u.o.Encoder.Count() - o.count); over > 0 {
			u.missed(o, fmt.Sprintf("the decision came when the tire was %d pulses past the ejector", over))
			return
		}
	case u.o.Delay == 0:
		o.due = now
	default:
		o.due = o.Middle.Add(u.o.Delay)
		if late := now.Sub(o.due); late > 0 {
			u.missed(o, fmt.Sprintf("the decision came %v after the tire had passed the ejector",
				late.Round(time.Millisecond)))
			return
		}
	}
	w.waiting = append(w.waiting, o)
}

// act begins and ends the pulses that are due.
func (u *Output) act(w *work) {
	now := time.Now()
	w.waiting = slices.DeleteFunc(w.waiting, func(o order) bool {
		if o.count > 0 && u.o.Encoder.Count() < o.count || o.count == 0 && now.Before(o.due) {
			return false
		}
		if late := now.Sub(o.due); o.count == 0 && late > u.o.Width {
			u.missed(o, fmt.Sprintf("the machine was busy until %v after the tire had passed the ejector",
				late.Round(time.Millisecond)))
			return true
		}
		if !u.set(u.o.Active) {
			u.missed(o, "the reject output failed")
			return true
		}
		w.off = now.Add(u.o.Width) // two overlapping pulses end with the later one
		u.o.Sent()
		return true
	})
	if !w.off.IsZero() && !now.Before(w.off) {
		u.set(!u.o.Active)
		w.off = time.Time{}
	}
}

// pause returns how long nothing is due.
func (w *work) pause() time.Duration {
	pause := time.Hour
	if !w.off.IsZero() {
		pause = time.Until(w.off)
	}
	for _, o := range w.waiting {
		if o.count == 0 {
			pause = min(pause, time.Until(o.due))
		}
	}
	if !w.over.IsZero() {
		pause = min(pause, time.Until(w.over))
	}
	return max(pause, 0)
}

func (u *Output) missed(o order, reason string) {
	u.o.Log.Error("reject: missed", "part", o.Part, "reason", reason)
	u.o.Missed(o.Order, reason)
}

func (u *Output) set(l gpio.Level) bool {
	err := u.o.Pin.Out(l)
	if err != nil {
		u.o.Log.Error("reject: output failed", "level", l, "error", err)
	}
	return err == nil
}
