package infer

import (
	"sync/atomic"
	"time"
)

// helper is a goroutine that computes a range of rows while the goroutine in Run computes another.
// A whole network takes a fraction of a millisecond, so a handover must take microseconds. Both
// sides poll a word for a short time before they sleep. If the helper does not wake up in time, Run
// takes the job back and does it. The result is the same in both cases.
type helper struct {
	job  turn // idle, posted by Run, taken by the helper, or closed
	done turn // 1 when a job that the helper has taken is finished

	// Owned by the goroutine that took the job.
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
			continue // Run has taken the job back
		}
		h.chain.run(h.x, h.y0, h.y1)
		h.job.word.Store(idle)
		h.done.set(1)
	}
}

// post posts the job for image x.
func (h *helper) post(x []uint8) {
	h.x = x
	h.job.set(posted)
}

// finish waits until the posted job is done.
func (h *helper) finish() {
	if h.job.word.CompareAndSwap(posted, idle) {
		h.chain.run(h.x, h.y0, h.y1)
	} else {
		h.done.wait()
		h.done.word.Store(0)
	}
	h.x = nil
}

// turn is a word. One goroutine waits until another changes it from 0.
type turn struct {
	word   atomic.Uint32
	asleep atomic.Bool
	wake   chan struct{} // has room for one; set sends only if asleep was true
	_      [40]byte      // puts two turns on different cache lines
}

// set changes the word and wakes the waiting goroutine.
func (t *turn) set(v uint32) {
	t.word.Store(v)
	if t.asleep.CompareAndSwap(true, false) {
		t.wake <- struct{}{}
	}
}

// awake is how long wait polls the word before it sleeps. It is longer than the layers that are not
// shared, and short compared with the time between two tires.
const awake = 100 * time.Microsecond

// wait waits until the word is not 0, then returns it.
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
		// Only one side resets asleep: this goroutine, if the word has changed meanwhile, or set,
		// which then sends.
		if v := t.word.Load(); v == 0 || !t.asleep.CompareAndSwap(true, false) {
			<-t.wake
		}
		if v := t.word.Load(); v != 0 {
			return v
		}
	}
}
