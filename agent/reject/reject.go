// Package reject throws tires off the belt:
//
//	station loop -> REJECT -> GPIO: ejector, lamp
//
// A pulse is due when the tire is at the ejector: some time after it was in the middle of the picture, or some pulses of an encoder at
// the belt after it. Several tires may be under way between the two. One whose decision comes too late is never pulsed for: the pulse would hit
// the tire behind it. Newcomers need New, Output.Run and Output.Order.
package reject

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"periph.io/x/conn/v3/gpio"
)

// Options describe an output.
type Options struct {
	Pin    gpio.PinOut
	Active gpio.Level    // of a pulse
	Width  time.Duration // of a pulse
	Delay  time.Duration // from the middle of the picture to the ejector; 0: at once. For a belt without an encoder

	Encoder *Encoder // counts the belt's way; nil: there is none
	Pulses  int      // of the encoder, from the middle of the picture to the ejector

	Linger time.Duration // how long the end waits for tires that are still on their way to the ejector

	Sent   func()                       // told of each pulse that began; may be nil
	Missed func(o Order, reason string) // told of each that did not, in the goroutine of Run or Order; may be nil
	Log    *slog.Logger
}

// Order is a tire to be thrown off the belt.
type Order struct {
	Middle time.Time // when it was in the middle of the picture
	Part   string
}

// Output is one ejector. Its methods may be called from any goroutine; the pin belongs to the goroutine of Run.
type Output struct {
	o      Options
	orders chan order
	ended  chan struct{}
}

// order is an Order and when it is due; a test of the lamp is due at once.
type order struct {
	Order
	test bool

	// owned by Run
	due   time.Time
	count uint64 // of the encoder; then due is not known
}

// queue is how many orders may wait for the goroutine of Run, which takes them at once.
const queue = 64

// New makes an output, whose pin must have its inactive level already.
func New(o Options) *Output {
	if o.Sent == nil {
		o.Sent = func() {}
	}
	if o.Missed == nil {
		o.Missed = func(Order, string) {}
	}
	return &Output{o: o, orders: make(chan order, queue), ended: make(chan struct{})}
}

// Order lets a tire be thrown off when it is at the ejector. It does not block.
func (u *Output) Order(o Order) { u.put(order{Order: o}) }

// Test gives one pulse at once, to look at.
func (u *Output) Test() { u.put(order{test: true}) }

func (u *Output) put(o order) {
	select {
	case <-u.ended:
		u.missed(o, "the output is off")
		return
	default:
	}
	select {
	case u.orders <- o:
	default:
		u.missed(o, "too many at once")
	}
}

// work is what the goroutine of Run has in hand.
type work struct {
	waiting []order
	off     time.Time // when the pulse that is being given ends; zero: none is
}

// Run gives the pulses until ctx ends, and then those of tires that are still on their way, as far as Options.Linger allows. It leaves
// the pin inactive, however it ends.
func (u *Output) Run(ctx context.Context) {
	var w work
	defer func() {
		u.set(!u.o.Active)
		close(u.ended)
		for {
			select {
			case o := <-u.orders:
				w.waiting = append(w.waiting, o)
			default:
				for _, o := range w.waiting {
					u.missed(o, "the station stopped before the tire was at the ejector")
				}
				return
			}
		}
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var moved <-chan struct{} // the belt
	if u.o.Encoder != nil {
		moved = u.o.Encoder.moved
	}
	done := ctx.Done()
	var over <-chan time.Time
	for {
		u.act(&w)
		if done == nil && len(w.waiting) == 0 && w.off.IsZero() && len(u.orders) == 0 {
			return
		}
		timer.Reset(w.pause())
		select {
		case o := <-u.orders:
			u.take(&w, o)
		case <-timer.C:
		case <-moved:
		case <-done:
			done, over = nil, time.After(u.o.Linger)
		case <-over:
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
			u.missed(o, fmt.Sprintf("it was decided on when the belt had carried it %d pulses past the ejector", over))
			return
		}
	case u.o.Delay == 0:
		o.due = now
	default:
		o.due = o.Middle.Add(u.o.Delay)
		if late := now.Sub(o.due); late > 0 {
			u.missed(o, fmt.Sprintf("it was decided on %v after it had passed the ejector", late.Round(time.Millisecond)))
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
			u.missed(o, fmt.Sprintf("the machine was busy until %v after it had passed the ejector", late.Round(time.Millisecond)))
			return true
		}
		if !u.set(u.o.Active) {
			u.missed(o, "the output does not work")
			return true
		}
		w.off = now.Add(u.o.Width) // of two that overlap, the later end counts
		u.o.Sent()
		return true
	})
	if !w.off.IsZero() && !now.Before(w.off) {
		u.set(!u.o.Active)
		w.off = time.Time{}
	}
}

// pause is how long nothing is due.
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
	return max(pause, 0)
}

func (u *Output) missed(o order, reason string) {
	u.o.Log.Error("MISSED REJECT", "part", o.Part, "reason", reason)
	u.o.Missed(o.Order, reason)
}

func (u *Output) set(l gpio.Level) bool {
	err := u.o.Pin.Out(l)
	if err != nil {
		u.o.Log.Error("the reject output does not take its level", "level", l, "error", err)
	}
	return err == nil
}
