//go:build manual

package main

import (
	"tirewatch/agent/config"
	"tirewatch/cmd/internal/manual"
)

// `go run -tags manual ./cmd/tirewatch-agent manual DIR` only writes the manual pages and
// completions.
func init() {
	manual.PageOnDemand("station.toml", "5", config.Manual())
	manual.OnDemand(newRootCmd(), "8")
}
