package journal

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// KeepOptions is what Keep works with.
type KeepOptions struct {
	Limits
	Problem func(part, text string) // told what a person must know, and "" when that is over
	Lost    func()                  // called when verdicts were lost to the limits: Gaps tells more
	Log     *slog.Logger
}

// Pace of retention.
const (
	// keepEvery is the time between two looks at the limits when nothing calls for one.
	keepEvery = time.Minute
	// keepAfter is how many appends call for a look: what a fast belt writes above the limit
	// meanwhile is some hundred kilobytes.
	keepAfter = 1024
	// pauseFactor times the duration of a step is the pause after it, so that the database is free for
	// appends four fifths of the time.
	pauseFactor = 4
)

// Keep holds the journal within its limits until ctx ends.
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
	since  time.Time // of the last step; its monotonic reading does not jump
	losing int       // verdicts lost since the queue last fitted
	failed string    // the error that was logged
}

// work does a step and says whether there is more.
func (k *retention) work() (more bool) {
	now := time.Now()
	ran := now.Sub(k.since)
	k.since = now
	swept, err := k.Sweep(k.o.Limits, ran)
	if err != nil {
		if err.Error() != k.failed {
			k.failed = err.Error()
			k.o.Log.Error("old verdicts cannot be deleted, trying again", "error", err)
		}
		return false
	}
	k.failed = ""
	if swept.Lost > 0 {
		k.losing += swept.Lost
		k.o.Lost()
		k.o.Problem("journal size", fmt.Sprintf("%d verdicts were deleted that the broker never got: the journal is full of unsent ones (journal.max_size)",
			k.losing))
		k.o.Log.Error("VERDICTS LOST: the journal is full of unsent ones, the oldest were deleted", "lost", swept.Lost, "together", k.losing)
	} else if k.losing > 0 && !swept.More && k.idle() {
		k.losing = 0
		k.o.Problem("journal size", "")
		k.o.Log.Info("the journal has room for unsent verdicts again")
	}
	return swept.More
}

// idle says whether nothing is in the queue: before that the next outage may lose verdicts at once.
func (k *retention) idle() bool {
	n, _, err := k.Depth()
	return err == nil && n == 0
}
