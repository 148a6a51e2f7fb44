package agent

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"tirewatch/agent/config"
	"tirewatch/agent/health"
	"tirewatch/agent/journal"
	"tirewatch/agent/message"
)

// publishedGaps is how many of the newest gaps stand in the status: it is retained, and must stay
// small.
const publishedGaps = 8

// tellJournal says what the journal found at its start and what is known to be missing at the
// broker. publish may be nil.
func tellJournal(j *journal.Journal, tell *problems, publish func(lost uint64, gaps []message.Gap), log *slog.Logger) {
	if j.Created() {
		log.Warn("a new journal begins", "path", j.Path(), "next", j.Next())
	}
	for _, note := range j.Notes() {
		log.Error("THE JOURNAL WAS NOT AS IT WAS LEFT", "found", note)
	}
	tell.set("journal at the start", strings.Join(j.Notes(), ", "))
	if text := clockProblem(j, time.Now()); text != "" {
		log.Warn("THE CLOCK IS WRONG: verdicts carry its time until it is set", "reason", text)
		tell.set("clock at the start", text)
	}
	publishGaps(j, publish, log)
}

// clockProblem says what is wrong with the time at the start. Order and retention need no clock;
// certificates and the readers of a verdict do.
func clockProblem(j *journal.Journal, now time.Time) string {
	var last time.Time
	if newest, err := j.Recent(1); err == nil && len(newest) > 0 {
		last = newest[0].Time
	}
	shows := "the clock shows " + now.UTC().Format(time.RFC3339)
	switch health.JudgeClock(now, last) {
	case health.ClockUnset:
		return shows + ", it is not set"
	case health.ClockBehind:
		return fmt.Sprintf("%s, before the last verdict of %s: it was set back, or is not set", shows, last.Format(time.RFC3339))
	}
	return ""
}

// keepJournal holds the journal within its limits until ctx ends.
func keepJournal(ctx context.Context, c config.Journal, j *journal.Journal, tell *problems, publish func(uint64, []message.Gap), log *slog.Logger) {
	j.Keep(ctx, journal.KeepOptions{
		Limits:  journal.Limits{Bytes: c.MaxSize.Bytes(), Age: c.MaxAge.Std(), Crops: c.CropsMaxSize.Bytes()},
		Problem: tell.set,
		Lost:    func() { publishGaps(j, publish, log) },
		Log:     log,
	})
}

// publishGaps tells the broker what it never got; publish is nil when there is none.
func publishGaps(j *journal.Journal, publish func(lost uint64, gaps []message.Gap), log *slog.Logger) {
	if publish == nil {
		return
	}
	lost, gaps, err := j.Gaps(publishedGaps)
	if err != nil {
		log.Error("what was lost cannot be told", "error", err)
		return
	}
	told := make([]message.Gap, len(gaps))
	for i, g := range gaps {
		told[i] = message.Gap(g)
	}
	publish(lost, told)
}

// whileWhole gives a context that also ends when the journal is found damaged at work: whoever
// finds it, the station must stop, because the next start repairs it.
func whileWhole(ctx context.Context, j *journal.Journal, log *slog.Logger) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-j.Damaged():
			log.Error("INSPECTION STOPPED: the journal is damaged", "error", j.Damage())
			cancel()
		case <-out.Done():
		}
	}()
	return out, cancel
}
