package health

import "time"

// ClockState is the plausibility of the clock. A computer without a battery starts in 1970 or at
// the time of its last shutdown.
type ClockState int

const (
	ClockPlausible ClockState = iota
	ClockUnset                // before the first release of this program
	ClockBehind               // before an event that has already happened
)

// built is earlier than any release of this program.
var built = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// correction is how far a time server may set back a correct clock.
const correction = time.Minute

// JudgeClock judges the time now. newest is the time of the last verdict, zero if there is none.
func JudgeClock(now, newest time.Time) ClockState {
	switch {
	case now.Before(built):
		return ClockUnset
	case now.Before(newest.Add(-correction)):
		return ClockBehind
	}
	return ClockPlausible
}
