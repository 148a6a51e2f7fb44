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

// A machine's clock cannot be set by a test without harm to everything else on it, and Go asks the
// kernel without a system call that could be tampered with. So the agent is built with a time
// package whose Now can be told to be wrong: everything else in it is what is shipped.

// clockVariable tells such an agent its clock: seconds that it is off at the start, milliseconds
// until it is set, seconds that it is off then.
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

// stepped is how far the clock is off, s, at a monotonic time, ns.
func stepped(mono int64) int64 {
	if mono < clock.until {
		return clock.before
	}
	return clock.after
}
`

// buildWithClock builds the agent with a clock that clockVariable steps.
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
		t.Fatalf("this Go's time.Now asks for the time %d times, want 1: adapt the place where the clock is stepped", n)
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

// wrongClock draws a clock that is wrong and set while the agent runs: from 1970, yesterday or next
// year to the right time, or the other way.
func wrongClock(rng *rand.Rand) string {
	const hour, day = 3600, 24 * 3600
	wrong := []int64{-time.Now().Unix(), -400 * day, -day, -hour, -3, hour, 400 * day}[rng.IntN(7)]
	if before := rng.IntN(2) == 0; before {
		return fmt.Sprintf("%s=%d %d 0", clockVariable, wrong, rng.IntN(400))
	}
	return fmt.Sprintf("%s=0 %d %d", clockVariable, rng.IntN(400), wrong)
}
