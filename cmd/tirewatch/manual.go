//go:build manual

package main

import "tirewatch/cmd/internal/manual"

// `go run -tags manual ./cmd/tirewatch manual DIR` only writes the manual pages and completions.
func init() { manual.OnDemand(newRootCmd(), "1") }
