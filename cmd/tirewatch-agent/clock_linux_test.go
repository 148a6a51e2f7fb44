package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A test must not set the clock of the machine, and Go reads it without a system call that could be
// intercepted. So the agent is built with a time package whose Now can be wrong. Everything else in
// it is the shipped program.

// clockVariable sets the clock of such an agent: its error at the start in seconds, the
// milliseconds until it changes, its error from then on in seconds.
const clockVariable = "TIREWATCH_TEST_CLOCK"

const steppedSource = `package time

import "syscall"

var clock struct{ before, after, until int64 }

func init() {
	text, _ := syscall.Getenv("` + clockVariable + `")
	if text == "" {
		return
	}
	var fields [3]int64
	i, sign := 0, int64(1)
	for _, c := range []byte(text) {
		switch {
		case c == ' ':
			i, sign = i+1, 1
		case c == '-':
			sign = -1
		default:
			fields[i] = 10*fields[i] + sign*int64(c-'0')
		}
	}
	clock.before, clock.until, clock.after = fields[0], runtimeNano()+fields[1]*1e6, fields[2]
}

// stepped is the error of the clock, s, at a monotonic time, ns.
func stepped(mono int64) int64 {
	if mono < clock.until {
		return clock.before
	}
	return clock.after
}
`

// buildWithClock builds the agent with a clock that clockVariable sets.
func buildWithClock(t *testing.T, path string) {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(strings.TrimSpace(string(root)), "src", "time")
	source, err := os.ReadFile(filepath.Join(folder, "time.go"))
	if err != nil {
		t.Fatal(err)
	}
	const asks = "sec, nsec, mono := runtimeNow()\n"
	if n := bytes.Count(source, []byte(asks)); n != 1 {
		t.Fatalf("time.Now of this Go reads the clock in %d places, want 1: adapt the replacement", n)
	}
	source = bytes.Replace(source, []byte(asks), []byte(asks+"\tsec += stepped(mono)\n"), 1)
	dir := t.TempDir()
	replace := map[string]string{}
	for name, text := range map[string][]byte{"time.go": source, "stepped.go": []byte(steppedSource)} {
		replace[filepath.Join(folder, name)] = filepath.Join(dir, name)
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
}

// wrongClock chooses a clock that changes while the agent runs: from 1970, yesterday or next year
// to the right time, or the other way.
func wrongClock(rng *rand.Rand) string {
	const hour, day = 3600, 24 * 3600
	wrong := []int64{-time.Now().Unix(), -400 * day, -day, -hour, -3, hour, 400 * day}[rng.IntN(7)]
	if before := rng.IntN(2) == 0; before {
		return fmt.Sprintf("%s=%d %d 0", clockVariable, wrong, rng.IntN(400))
	}
	return fmt.Sprintf("%s=0 %d %d", clockVariable, rng.IntN(400), wrong)
}
