package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// Size is a checked number of bytes as a person writes it: 512MiB, 2GB, 4096.
type Size string

// Bytes of a Size that went through Parse.
func (s Size) Bytes() int64 {
	n, err := s.parse()
	if err != nil {
		panic("internal error: unchecked size: " + err.Error())
	}
	return n
}

func (s Size) parse() (int64, error) {
	n, err := humanize.ParseBytes(string(s))
	if err == nil && n > math.MaxInt64 {
		err = strconv.ErrRange
	}
	return int64(n), err
}

// Age is a checked duration as a person writes it: 90d, 12h, 1h30m; 0 for none.
type Age string

// Duration of an Age that went through Parse.
func (a Age) Duration() time.Duration {
	d, err := a.parse()
	if err != nil {
		panic("internal error: unchecked age: " + err.Error())
	}
	return d
}

func (a Age) parse() (time.Duration, error) {
	days, ok := strings.CutSuffix(string(a), "d") // a unit that time leaves out because of daylight saving
	if !ok {
		return time.ParseDuration(string(a))
	}
	n, err := strconv.ParseUint(days, 10, 16) // 65535 days fit a Duration
	if err != nil {
		return 0, fmt.Errorf("%q is no number of days", days)
	}
	return time.Duration(n) * 24 * time.Hour, nil
}
