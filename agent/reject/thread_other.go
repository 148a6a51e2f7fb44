//go:build !linux

package reject

import "log/slog"

func newThread(*slog.Logger) (alarm, error) { return newTimer(), nil }
