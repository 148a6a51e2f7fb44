//go:build manual

package main

import (
	"fmt"
	"os"

	"tirewatch/cmd/internal/manual"
)

// `go run -tags manual ./cmd/tirewatch manual DIR` writes the manual pages and completions and does nothing else.
func init() {
	if len(os.Args) != 3 || os.Args[1] != "manual" {
		return
	}
	if err := manual.Write(newRootCmd(), "1", os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "tirewatch: error:", err)
		os.Exit(exitFailed)
	}
	os.Exit(exitDone)
}
