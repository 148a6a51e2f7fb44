package reject

import "time"

// Priority is the realtime priority of a prompt output, the lowest but a few: interrupts of the
// kernel, at 50, go before.
const Priority = 10

// sleeper lets the goroutine of Run sleep until something is to be done. Another one may call wake.
type sleeper interface {
	sleep(d time.Duration) // or until it is woken
	wake()
	close()
}

// timer is a sleeper as exact as the runtime's timers, whose waits on Linux are in whole
// milliseconds.
type timer struct {
	*time.Timer
	woken chan struct{}
}

func newTimer() sleeper { return &timer{time.NewTimer(time.Hour), make(chan struct{}, 1)} }

func (t *timer) sleep(d time.Duration) {
	t.Reset(d)
	select {
	case <-t.C:
	case <-t.woken:
	}
}

func (t *timer) wake() {
	select {
	case t.woken <- struct{}{}:
	default:
	}
}

func (t *timer) close() { t.Stop() }
