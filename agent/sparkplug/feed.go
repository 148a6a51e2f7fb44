package sparkplug

import (
	"time"

	"tirewatch/vision/verdict"
)

// Verdicts is where they are stored; journal.Journal is one.
type Verdicts interface {
	// After returns verdicts with numbers above seq, at most limit, in order, acknowledged on the
	// plain topics or not.
	After(seq uint64, limit int) ([]verdict.Verdict, error)
	// Recent returns the last n, the newest first.
	Recent(n int) ([]verdict.Verdict, error)
	// Next is the number that the next verdict gets.
	Next() uint64
}

// feed decides which verdicts leave next, and which count as delivered. DDATA has QoS 0: nobody
// acknowledges it, and what was written into a connection that then broke may be lost. So a verdict
// counts as delivered when the session has held for a while, the overlap, after it was sent. What
// is above that is sent again in the next session, as historical.
//
//	 delivered        past        until        live
//	-----|---- again ---|---- to do --|---- sent --|---- to come
//	     historical                        as it happens
type feed struct {
	queue   Verdicts
	file    *SessionFile
	overlap time.Duration

	past  uint64 // up to here historical verdicts are sent
	until uint64 // the last historical one
	live  uint64 // up to here the others are sent
	sent  []mark // in the order of time, and of numbers

	settled time.Time // when settle was last called in this session
}

// mark says that all verdicts up to seq were sent by a time.
type mark struct {
	seq uint64
	at  time.Time
}

// historyBatch is how many historical verdicts go into one message: about 14 kB.
const historyBatch = 50

// begin starts a session: what is stored and does not count as delivered is history.
func (f *feed) begin() {
	f.past, f.sent, f.settled = f.file.delivered(), nil, time.Time{}
	f.until = f.queue.Next() - 1
	f.live = f.until
}

// resume goes on after the device was away: what was stored meanwhile is history too.
func (f *feed) resume() {
	if f.past == f.until {
		f.past = f.live
	}
	f.until = f.queue.Next() - 1
	f.live = f.until
}

// next returns what is to be sent now: one verdict as it happens, before any of history. An empty
// answer means that all is sent, or that history has to wait.
func (f *feed) next(history bool, now time.Time) (found []verdict.Verdict, historical bool, err error) {
	if found, err = f.queue.After(f.live, 1); err != nil {
		return nil, false, err
	}
	if len(found) > 0 {
		f.live = found[0].Seq
		f.mark(now)
		return found, false, nil
	}
	if f.past == f.until || !history {
		return nil, false, nil
	}
	if found, err = f.queue.After(f.past, historyBatch); err != nil {
		return nil, false, err
	}
	for len(found) > 0 && found[len(found)-1].Seq > f.until {
		found = found[:len(found)-1]
	}
	if len(found) > 0 {
		f.past = found[len(found)-1].Seq
	} else {
		f.past = f.until // the rest is not in the journal any more
	}
	f.mark(now)
	return found, len(found) > 0, nil
}

// mark notes what is sent without a hole.
func (f *feed) mark(now time.Time) {
	seq := f.past
	if f.past == f.until {
		seq = f.live
	}
	f.sent = append(f.sent, mark{seq, now})
}

// maxPause is the longest time between two calls of settle in which a break would have been noticed.
const maxPause = 30 * time.Second

// settle lets count as delivered what was sent long enough ago. It is to be called often: a process
// that stood still does not know whether its connection did, so nothing counts for the time before.
func (f *feed) settle(now time.Time) {
	if !f.settled.IsZero() && now.Sub(f.settled) > maxPause {
		for i := range f.sent {
			f.sent[i].at = now
		}
	}
	f.settled = now
	n := 0
	for n < len(f.sent) && now.Sub(f.sent[n].at) >= f.overlap {
		n++
	}
	if n > 0 {
		f.file.deliver(f.sent[n-1].seq)
		f.sent = f.sent[n:]
	}
}
