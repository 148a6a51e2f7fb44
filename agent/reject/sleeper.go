package reject

import "time"

// Priority is the realtime priority of a prompt output. It is low: the kernel's interrupt threads,
// at 50, must run before it.
const Priority = 10

// sleeper lets the goroutine of Run sleep until there is work. Other goroutines may call wake.
type sleeper interface {
	sleep(d time.Duration) // at most d, or until wake
	wake()
	close()
}

// timer is a sleeper that uses Go's timers. On Linux their resolution is one millisecond.
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
