package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"tirewatch/cmd/internal/cli"
	"tirewatch/cmd/internal/cli/clitest"
	"tirewatch/cmd/internal/manual/manualtest"
)

func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	if err := furnish(dir); err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, c := range []struct {
		args string
		want int
	}{
		{"", cli.OK},
		{"--version", cli.OK},
		{"run --help", cli.OK},
		{"selftest --bundle " + in("model.tire") + " --key " + in("plant.key.pub"), cli.OK},
		{"check --config " + in("station.toml"), cli.OK},
		{"check --config " + in("model.tire"), cli.Failed},
		{"selftest --bundle " + in("sick.tire") + " --key " + in("plant.key.pub"), cli.Failed},
		{"run --config " + in("none.toml"), cli.Failed},
		{"run --config " + in("model.tire"), cli.Misused}, // RestartPreventExitStatus=2
		{"run", cli.Misused},
		{"run --frob", cli.Misused},
		{"run now", cli.Misused},
		{"frob", cli.Misused},
		{"--frob", cli.Misused},
		{"selftest --key x", cli.Misused},
	} {
		var out, messages bytes.Buffer
		if got := cli.Run(t.Context(), newRootCmd(), strings.Fields(c.args), &out, &messages); got != c.want {
			t.Errorf("tirewatch-agent %s: exit %d; want %d\n%s", c.args, got, c.want, &messages)
		}
		if c.want != cli.OK && (out.Len() > 0 || !strings.HasPrefix(messages.String(), "tirewatch-agent: error: ")) {
			t.Errorf("tirewatch-agent %s: stdout %q, stderr %q", c.args, &out, &messages)
		}
	}
}

func TestMistakes(t *testing.T) { clitest.Mistakes(t, newRootCmd) }

func TestManual(t *testing.T) {
	manualtest.Pages(t, newRootCmd(), "8")
	manualtest.Environment(t, newRootCmd(), "cmd/tirewatch-agent", "cmd/internal", "internal", "agent", "vision")
	files := map[string]bool{}
	for _, n := range cli.FilesOf(newRootCmd()) {
		files[n.Name] = true
	}
	for _, name := range []string{stationPath, "/var/lib/tirewatch/journal.db", "/var/lib/tirewatch/models/"} {
		if !files[name] {
			t.Errorf("%s is not on the page of tirewatch-agent", name)
		}
	}
}
