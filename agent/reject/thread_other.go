//go:build !linux

package reject

import "log/slog"

func newThread(*slog.Logger) (sleeper, error) { return newTimer(), nil }
