package journal

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// KeepOptions are the options of [Journal.Keep].
type KeepOptions struct {
	Limits
	Problem func(part, text string) // called with a problem, and with "" when it is over
	Lost    func()                  // called when verdicts were lost to the limits; see Gaps
	Log     *slog.Logger
}

// Pace of retention.
const (
	// keepEvery is the time between two checks of the limits.
	keepEvery = time.Minute
	// keepAfter is how many appends cause an extra check. They write some hundred kilobytes, so a
	// fast belt exceeds the limit by no more than that.
	keepAfter = 1024
	// pauseFactor times the duration of a step is the pause after it, so the database is free for
	// appends four fifths of the time.
	pauseFactor = 4
)

// Keep enforces the limits of the journal until ctx ends.
func (j *Journal) Keep(ctx context.Context, o KeepOptions) {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	k := retention{Journal: j, o: o, since: time.Now()}
	for {
		start := time.Now()
		if k.work() {
			select {
			case <-time.After(pauseFactor * time.Since(start)):
				continue
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-tick.C:
		case <-j.sweepDue:
		case <-ctx.Done():
			return
		}
	}
}

// retention is the state of Keep.
type retention struct {
	*Journal
	o      KeepOptions
	since  time.Time // when the last step began; its monotonic reading does not jump
	losing int       // verdicts lost since the queue was last empty
	failed string    // the last error logged, so that it is logged once
}

// work does one step and reports whether there is more to do.
func (k *retention) work() (more bool) {
	now := time.Now()
	ran := now.Sub(k.since)
	k.since = now
	swept, err := k.Sweep(k.o.Limits, ran)
	if err != nil {
		if err.Error() != k.failed {
			k.failed = err.Error()
			k.o.Log.Error("journal: retention failed, will retry", "error", err)
		}
		return false
	}
	k.failed = ""
	if swept.Lost > 0 {
		k.losing += swept.Lost
		k.o.Lost()
		k.o.Problem("journal size", fmt.Sprintf(
			"deleted %d unsent verdicts: the journal reached its limit (journal.max_size)", k.losing))
		k.o.Log.Error("journal: verdicts lost", "lost", swept.Lost, "total", k.losing,
			"reason", "the journal reached its limit (journal.max_size), the oldest unsent verdicts were deleted")
	} else if k.losing > 0 && !swept.More && k.idle() {
		k.losing = 0
		k.o.Problem("journal size", "")
		k.o.Log.Info("journal: queue empty after losses")
	}
	return swept.More
}

// idle reports whether the queue is empty. Until then the next outage may lose verdicts at once.
func (k *retention) idle() bool {
	n, _, err := k.Depth()
	return err == nil && n == 0
}
