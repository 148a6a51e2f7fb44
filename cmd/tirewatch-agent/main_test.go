package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
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
		{"", exitDone},
		{"--version", exitDone},
		{"run --help", exitDone},
		{"selftest --bundle " + in("model.tire") + " --key " + in("plant.key.pub"), exitDone},
		{"check --config " + in("station.toml"), exitDone},
		{"check --config " + in("model.tire"), exitFailed},
		{"selftest --bundle " + in("sick.tire") + " --key " + in("plant.key.pub"), exitFailed},
		{"run --config " + in("none.toml"), exitFailed},
		{"run --config " + in("model.tire"), exitMisused}, // RestartPreventExitStatus=2
		{"run", exitMisused},
		{"run --frob", exitMisused},
		{"run now", exitMisused},
		{"frob", exitMisused},
		{"--frob", exitMisused},
		{"selftest --key x", exitMisused},
	} {
		var out, speech bytes.Buffer
		if got := run(t.Context(), strings.Fields(c.args), &out, &speech); got != c.want {
			t.Errorf("tirewatch-agent %s: exit %d; want %d\n%s", c.args, got, c.want, &speech)
		}
		if c.want != exitDone && (out.Len() > 0 || !strings.HasPrefix(speech.String(), "tirewatch-agent: error: ")) {
			t.Errorf("tirewatch-agent %s: stdout %q, stderr %q", c.args, &out, &speech)
		}
	}
}
