package sparkplug

import (
	"time"

	"tirewatch/vision/verdict"
)

// Verdicts is the store of verdicts; journal.Journal implements it.
type Verdicts interface {
	// After returns at most limit verdicts with numbers above seq, sorted by number, acknowledged
	// on the plain topics or not.
	After(seq uint64, limit int) ([]verdict.Verdict, error)
	// Recent returns the last n, the newest first.
	Recent(n int) ([]verdict.Verdict, error)
	// Next returns the number of the next verdict.
	Next() uint64
}

// feed decides which verdicts are sent next and which count as delivered. DDATA has QoS 0: it is
// not acknowledged, and data sent just before a connection breaks may be lost. So a verdict counts
// as delivered when the session has lasted for the overlap after it was sent. The next session
// sends later verdicts again as historical.
//
//	    delivered            past               until        live
//	-----|-- sent as history --|-- history to do --|-- sent live --|-- next verdicts
type feed struct {
	queue   Verdicts
	file    *SessionFile
	overlap time.Duration

	past  uint64 // historical verdicts are sent up to this number
	until uint64 // the last historical verdict
	live  uint64 // live verdicts are sent up to this number
	sent  []mark // sorted by time and number

	settled time.Time // last call of settle in this session
}

// mark says that all verdicts up to seq were sent at this time.
type mark struct {
	seq uint64
	at  time.Time
}

// historyBatch is how many historical verdicts one message contains: about 14 kB.
const historyBatch = 50

// begin starts a session: all stored verdicts that do not count as delivered become history.
func (f *feed) begin() {
	f.past, f.sent, f.settled = f.file.delivered(), nil, time.Time{}
	f.until = f.queue.Next() - 1
	f.live = f.until
}

// resume continues after the device was away: verdicts stored in that time become history too.
func (f *feed) resume() {
	if f.past == f.until {
		f.past = f.live
	}
	f.until = f.queue.Next() - 1
	f.live = f.until
}

// next returns the verdicts to send now: one live verdict, or a batch of history if there is none.
// An empty result means that everything is sent, or that history has to wait.
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
		f.past = f.until // the rest is no longer in the journal
	}
	f.mark(now)
	return found, len(found) > 0, nil
}

// mark records up to which number everything is sent.
func (f *feed) mark(now time.Time) {
	seq := f.past
	if f.past == f.until {
		seq = f.live
	}
	f.sent = append(f.sent, mark{seq, now})
}

// maxPause is the longest time between two calls of settle after which a broken connection would
// certainly have been noticed.
const maxPause = 30 * time.Second

// settle marks verdicts that were sent long enough ago as delivered. It must be called often: a
// process that was stopped does not know whether its connection still worked, so the time before
// the stop does not count.
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
