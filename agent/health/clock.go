package health

import "time"

// ClockState is what a time says of the clock that it comes from. A computer without a battery
// begins in 1970 or where it was switched off.
type ClockState int

const (
	ClockPlausible ClockState = iota
	ClockUnset                // before any start of this program
	ClockBehind               // before something that has happened already
)

// built is before any start of this program.
var built = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// correction is how far a time server may set a clock back that is right.
const correction = time.Minute

// JudgeClock looks at the time now. newest is when the last verdict was given; zero: there is none.
func JudgeClock(now, newest time.Time) ClockState {
	switch {
	case now.Before(built):
		return ClockUnset
	case now.Before(newest.Add(-correction)):
		return ClockBehind
	}
	return ClockPlausible
}
