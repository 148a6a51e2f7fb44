package agent

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"tirewatch/agent/health"
	"tirewatch/agent/journal"
	"tirewatch/agent/message"
)

// publishedGaps is how many of the newest gaps the status holds: it is retained and must stay
// small.
const publishedGaps = 8

// reportJournal reports what the journal found when it was opened, and what never reached the
// broker.
func (d *daemon) reportJournal() {
	j := d.journal
	if j.Created() {
		d.log.Warn("journal: created", "path", j.Path(), "next", j.Next())
	}
	for _, note := range j.Notes() {
		d.log.Error("journal: recovered after damage", "found", note)
	}
	d.problems.set("journal at the start", strings.Join(j.Notes(), ", "))
	if text := clockProblem(j, time.Now()); text != "" {
		d.log.Warn("clock: wrong at the start, verdicts carry its time until it is set", "reason", text)
		d.problems.set("clock at the start", text)
	}
	d.publishGaps()
}

// clockProblem returns what is wrong with the time at the start. Order and retention need no clock;
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
func (d *daemon) keepJournal(ctx context.Context) {
	d.journal.Keep(ctx, journal.KeepOptions{
		Limits: retention(d.cfg.Journal), Problem: d.problems.set, Lost: d.publishGaps, Log: d.log,
	})
}

// publishGaps reports to the broker which verdicts never reached it.
func (d *daemon) publishGaps() {
	if d.publishLosses == nil {
		return
	}
	lost, gaps, err := d.journal.Gaps(publishedGaps)
	if err != nil {
		d.log.Error("journal: read of gaps failed", "error", err)
		return
	}
	published := make([]message.Gap, len(gaps))
	for i, g := range gaps {
		published[i] = message.Gap(g)
	}
	d.publishLosses(lost, published)
}

// whileIntact returns a context that also ends when the journal is found damaged at work. The
// station must stop then, because the next start repairs the journal.
func whileIntact(ctx context.Context, j *journal.Journal, log *slog.Logger) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-j.Damaged():
			log.Error("inspection: stopped", "reason", "the journal is damaged", "error", j.Damage())
			cancel()
		case <-out.Done():
		}
	}()
	return out, cancel
}
