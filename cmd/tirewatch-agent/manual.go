//go:build manual

package main

import (
	"tirewatch/agent/config"
	"tirewatch/cmd/internal/manual"
)

// `go run -tags manual ./cmd/tirewatch-agent manual DIR` writes the manual pages and completions
// and does nothing else.
func init() {
	manual.PageOnDemand("station.toml", "5", config.Manual())
	manual.OnDemand(newRootCmd(), "8")
}
