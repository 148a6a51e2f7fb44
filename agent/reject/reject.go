// Package reject throws tires off the belt:
//
//	station loop -> REJECT -> GPIO: ejector, lamp
//
// A pulse is due when the tire is at the ejector: some time after it was in the middle of the
// picture, or some pulses of an encoder at the belt after it. Several tires may be under way
// between the two. One whose decision comes too late is never pulsed for: the pulse would hit the
// tire behind it. Newcomers need New, Output.Run and Output.Order.
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
	// from the middle of the picture to the ejector; 0: at once. For a belt without an encoder
	Delay time.Duration

	Encoder *Encoder // counts the belt's way; nil: there is none
	Pulses  int      // of the encoder, from the middle of the picture to the ejector

	// how long the end waits for tires that are still on their way to the ejector
	Linger time.Duration

	// Prompt gives the goroutine of Run a thread of its own, with realtime priority where the
	// system allows it. Without it pulses are as exact as the runtime's timers.
	Prompt bool

	Sent func() // told of each pulse that began; may be nil
	// told of each that did not, in the goroutine of Run or Order; may be nil
	Missed func(o Order, reason string)
	Log    *slog.Logger
}

// Order is a tire to be thrown off the belt.
type Order struct {
	Middle time.Time // when it was in the middle of the picture
	Part   string
}

// Output is one ejector. Its methods may be called from any goroutine; the pin belongs to the
// goroutine of Run.
type Output struct {
	o      Options
	orders chan order // which Run looks into without waiting for whoever gives an order

	mu    sync.Mutex
	sleeper sleeper // of Run; nil before it and after; guarded by mu
	ended bool  // guarded by mu
}

// order is an Order and when it is due; a test of the lamp is due at once.
type order struct {
	Order
	test bool

	// owned by Run
	due   time.Time
	count uint64 // of the encoder; then due is not known
}

// maxOrders is how many orders may wait for the goroutine of Run.
const maxOrders = 64

// New makes an output, whose pin must have its inactive level already.
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

// Order lets a tire be thrown off when it is at the ejector. It does not block.
func (u *Output) Order(o Order) { u.put(order{Order: o}) }

// Test gives one pulse at once, to look at.
func (u *Output) Test() { u.put(order{test: true}) }

func (u *Output) put(o order) {
	if why := u.queue(o); why != "" {
		u.missed(o, why)
		return
	}
	u.wake()
}

// queue hands an order to Run, or says why not.
func (u *Output) queue(o order) (why string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ended {
		return "the output is off"
	}
	select {
	case u.orders <- o:
	default:
		return "too many at once"
	}
	return ""
}

// work is what the goroutine of Run has in hand.
type work struct {
	waiting []order
	off     time.Time // when the pulse that is being given ends; zero: none is
	over    time.Time // when Run gives up waiting; zero: it was not told to end
}

// Run gives the pulses until ctx ends, and then those of tires that are still on their way, as far
// as Options.Linger allows. It leaves the pin inactive, however it ends.
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

// begin sets the sleeper up that wake needs.
func (u *Output) begin() sleeper {
	a := newTimer()
	if u.o.Prompt {
		t, err := newThread(u.o.Log)
		if err == nil {
			a = t
		} else {
			u.o.Log.Warn("the ejector has no thread of its own: on a busy machine its pulses may begin late", "error", err)
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sleeper = a
	return a
}

// end leaves the pin inactive and reports the tires that are not thrown off any more.
func (u *Output) end(w *work) {
	u.set(!u.o.Active)
	u.mu.Lock()
	u.sleeper.close()
	u.sleeper, u.ended = nil, true
	close(u.orders) // queue gives none any more
	u.mu.Unlock()
	for o := range u.orders {
		w.waiting = append(w.waiting, o)
	}
	for _, o := range w.waiting {
		u.missed(o, "the station stopped before the tire was at the ejector")
	}
}

// wake lets Run look again at what is due.
func (u *Output) wake() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.sleeper != nil {
		u.sleeper.wake()
	}
}

// takeAll takes the orders that wait.
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
	if !w.over.IsZero() {
		pause = min(pause, time.Until(w.over))
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
