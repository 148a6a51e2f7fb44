package config

import (
	"math"
	"strconv"

	"github.com/dustin/go-humanize"
)

// Size is a checked number of bytes, written like 512MiB, 2GB or 4096.
type Size string

// Bytes is the number. It panics for a Size that did not come from Parse.
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
