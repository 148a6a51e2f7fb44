package main

import (
	"testing"

	"tirewatch/cmd/internal/cli"
	"tirewatch/cmd/internal/cli/clitest"
	"tirewatch/cmd/internal/manual/manualtest"
)

func TestMistakes(t *testing.T) { clitest.Mistakes(t, newRootCmd) }

func TestManual(t *testing.T) {
	manualtest.Pages(t, newRootCmd(), "1")
	manualtest.Environment(t, newRootCmd(), "cmd/tirewatch", "cmd/internal", "internal", "trainer", "quantize",
		"vision/kernel", "vision/isa", "agent/config", "agent/uplink")
	files := map[string]bool{}
	for _, n := range cli.FilesOf(newRootCmd()) {
		files[n.Name] = true
	}
	for _, name := range []string{"RUN/best.ckpt", "RUN/last.ckpt", "RUN/metrics.csv", "RUN/report.html", "FILE.pub",
		"DIR/manifest.csv", "OUT/scores.csv", "/usr/share/tirewatch/base-mobile.ckpt"} {
		if !files[name] {
			t.Errorf("%s is not on the page of tirewatch", name)
		}
	}
}
