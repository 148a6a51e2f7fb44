package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration is written like "90s", "30m", "1h30m" or "90d".
type Duration time.Duration

// Day is a unit that package time does not have, because of daylight saving. A station's day has 24
// hours.
const Day = Duration(24 * time.Hour)

// Std converts to package time.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String writes 90d and 30m, not 2160h0m0s and 30m0s.
func (d Duration) String() string {
	if d != 0 && d%Day == 0 {
		return strconv.FormatInt(int64(d/Day), 10) + "d"
	}
	text := d.Std().String()
	for _, empty := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, empty) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// MarshalText writes what UnmarshalText reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the durations of package time, or a whole number of days.
func (d *Duration) UnmarshalText(text []byte) error {
	days, ok := strings.CutSuffix(string(text), "d")
	if !ok {
		v, err := time.ParseDuration(string(text))
		*d = Duration(v)
		return err
	}
	n, err := strconv.ParseInt(days, 10, 17) // 65535 days fit a Duration
	if err != nil {
		return fmt.Errorf("invalid number of days %q", days)
	}
	*d = Duration(n) * Day
	return nil
}
