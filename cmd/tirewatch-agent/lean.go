//go:build !opencv

package main

import (
	"os"
	"runtime/debug"
)

// Go decodes the images of this build: some megabytes of garbage each beside 6 MB that live.
// Collecting them early saves 9 MB of resident memory for one seventh more processor time (`make
// bench-start`, and with GOGC=100). Frames of OpenCV leave hardly any garbage.
func init() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(10)
	}
}
