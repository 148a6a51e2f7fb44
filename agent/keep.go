package agent

import (
	"context"
	"log/slog"
	"strings"

	"tirewatch/agent/journal"
	"tirewatch/agent/uplink"
)

// publishedGaps is how many of the newest gaps stand in the status: it is retained, and must stay small.
const publishedGaps = 8

// tellJournal says what the journal found at its start and what is known to be missing at the broker. publish may be nil.
func tellJournal(j *journal.Journal, tell *problems, publish func(lost uint64, gaps []uplink.Gap), log *slog.Logger) {
	if j.Created() {
		log.Warn("a new journal begins", "path", j.Path(), "next", j.Next())
	}
	for _, note := range j.Notes() {
		log.Error("THE JOURNAL WAS NOT AS IT WAS LEFT", "found", note)
	}
	tell.set("journal at the start", strings.Join(j.Notes(), ", "))
	if publish != nil {
		publishGaps(j, publish, log)
	}
}

func publishGaps(j *journal.Journal, publish func(lost uint64, gaps []uplink.Gap), log *slog.Logger) {
	lost, gaps, err := j.Gaps(publishedGaps)
	if err != nil {
		log.Error("what was lost cannot be told", "error", err)
		return
	}
	told := make([]uplink.Gap, len(gaps))
	for i, g := range gaps {
		told[i] = uplink.Gap(g)
	}
	publish(lost, told)
}

// whileWhole gives a context that also ends when the journal is found damaged at work: whoever finds it, the station must stop, because the
// next start repairs it.
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
