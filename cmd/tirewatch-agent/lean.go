//go:build !opencv

package main

import (
	"os"
	"runtime/debug"
)

// Photographs are decoded by Go, some megabytes of garbage each beside 6 MB that live. Collecting
// them at once keeps the agent of small boxes 9 MB smaller, for a seventh more processor time
// (`make bench-start`, and with GOGC=100). Frames of OpenCV leave hardly any.
func init() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(10)
	}
}
