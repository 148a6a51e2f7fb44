package infer

import (
	"sync/atomic"
	"time"
)

// helper is a goroutine that computes a range of rows while the goroutine in Run computes another.
// A whole network takes a fraction of a millisecond, so handing work over must take microseconds:
// both sides look at a word for a while before they sleep, and where the helper has not woken up in
// time, Run takes the work back and does it itself. Results do not depend on who did what.
type helper struct {
	job  turn // idle, posted by Run, taken by the helper, or closed
	done turn // 1 when a job that was taken is finished

	// Owned by whoever took the job.
	chain  *chain
	y0, y1 int
	x      []uint8
}

// The states of a job.
const (
	idle = iota
	posted
	taken
	closed
)

func startHelper(c *chain, y0, y1 int) *helper {
	h := &helper{chain: c, y0: y0, y1: y1}
	h.job.wake, h.done.wake = make(chan struct{}, 1), make(chan struct{}, 1)
	go h.loop()
	return h
}

func (h *helper) loop() {
	for h.job.wait() != closed {
		if !h.job.word.CompareAndSwap(posted, taken) {
			continue // Run has taken it back
		}
		h.chain.run(h.x, h.y0, h.y1)
		h.job.word.Store(idle)
		h.done.set(1)
	}
}

// post offers the helper's range of image x.
func (h *helper) post(x []uint8) {
	h.x = x
	h.job.set(posted)
}

// finish returns when the range that was posted is computed.
func (h *helper) finish() {
	if h.job.word.CompareAndSwap(posted, idle) {
		h.chain.run(h.x, h.y0, h.y1)
	} else {
		h.done.wait()
		h.done.word.Store(0)
	}
	h.x = nil
}

// turn is a word that one goroutine waits for another to change from 0.
type turn struct {
	word   atomic.Uint32
	asleep atomic.Bool
	wake   chan struct{} // holds one; never sent to unless asleep was true
	_      [40]byte      // keeps two turns on different cache lines
}

// set changes the word and wakes who waits for it.
func (t *turn) set(v uint32) {
	t.word.Store(v)
	if t.asleep.CompareAndSwap(true, false) {
		t.wake <- struct{}{}
	}
}

// awake is the time that wait looks at the word before it sleeps: longer than the layers that are
// not shared take, short against the time between two tires.
const awake = 100 * time.Microsecond

// wait returns the word when it is not 0.
func (t *turn) wait() uint32 {
	for began := time.Now(); time.Since(began) < awake; {
		for range 100 {
			if v := t.word.Load(); v != 0 {
				return v
			}
		}
	}
	for {
		t.asleep.Store(true)
		// Whoever turns asleep back decides: the waiter, when the word changed meanwhile, or set,
		// which then sends.
		if v := t.word.Load(); v == 0 || !t.asleep.CompareAndSwap(true, false) {
			<-t.wake
		}
		if v := t.word.Load(); v != 0 {
			return v
		}
	}
}
