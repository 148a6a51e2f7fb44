package systemd_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tirewatch/agent/config"
	"tirewatch/agent/reject"
)

const unit = "tirewatch-agent.service"

// units returns the services, then the timers, each in the order of their names.
func units(t *testing.T) []string {
	t.Helper()
	services, err1 := filepath.Glob("*.service")
	timers, err2 := filepath.Glob("*.timer")
	if err := errors.Join(err1, err2); err != nil || len(services) < 3 || len(timers) < 2 {
		t.Fatalf("%v, %v, %v", services, timers, err)
	}
	return append(services, timers...)
}

func lines(t *testing.T, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
}

// directives reads the keys and values of a unit.
func directives(t *testing.T, unit string) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, line := range lines(t, unit) {
		if key, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			all[key] = append(all[key], value)
		}
	}
	return all
}

func TestEveryLineIsExplained(t *testing.T) {
	others := []string{"tirewatch.sysusers", "tirewatch.tmpfiles", "journald.conf", "credentials.conf", "gpio.conf", "page.conf"}
	for _, path := range append(units(t), others...) {
		above := ""
		for i, line := range lines(t, path) {
			directive := line != "" && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "[")
			if directive && !strings.HasPrefix(above, "# ") {
				t.Errorf("%s:%d: %s has no comment above it", path, i+1, line)
			}
			above = line
		}
	}
}

// The unit must match what the program does: notify, the watchdog and the exit codes.
func TestUnitFitsTheAgent(t *testing.T) {
	d := directives(t, unit)
	for key, want := range map[string]string{
		"Type": "notify", "WatchdogSec": "60", "Restart": "always", "User": "tirewatch", "StateDirectory": "tirewatch",
		"RestartPreventExitStatus": "2", "Conflicts": "tirewatch-alarm.service",
		"OnFailure": "tirewatch-alarm.service tirewatch-retry.timer",
	} {
		if got := strings.Join(d[key], " "); got != want {
			t.Errorf("%s=%s, want %s", key, got, want)
		}
	}
	// the comments in the unit say what each would break
	for _, key := range []string{"PrivateDevices", "MemoryDenyWriteExecute", "PrivateUsers", "ProcSubset"} {
		if value, ok := d[key]; ok {
			t.Errorf("%s=%s breaks the camera of the agent", key, value)
		}
	}
	for _, unit := range []string{unit, "tirewatch-selfcheck.service"} {
		d := directives(t, unit)
		allowed := d["DeviceAllow"]
		if !slices.Contains(allowed, "char-video4linux rw") || !slices.Contains(allowed, "char-media rw") {
			t.Errorf("%s: DeviceAllow=%v does not allow cameras", unit, allowed)
		}
		// At the start of the unit, systemd reads the device numbers from /proc/devices. They are
		// there only after the module was loaded.
		const module = "modprobe@videodev.service"
		if !slices.Contains(d["Wants"], module) || !slices.Contains(d["After"], module) {
			t.Errorf("%s: a camera that is plugged in later cannot be opened", unit)
		}
	}
}

// seconds reads a time span as systemd does.
func seconds(t *testing.T, span string) float64 {
	t.Helper()
	var d config.Duration
	if err := d.UnmarshalText([]byte(strings.TrimSuffix(span, "in"))); err == nil { // 30min
		return d.Std().Seconds()
	}
	n, err := strconv.ParseFloat(span, 64)
	if err != nil {
		t.Fatalf("time span %q", span)
	}
	return n
}

// The start limit must let the model store roll back: a new model after ProbationCrashes crashes,
// and then the previous model needs some starts too. Hangs that only the watchdog ends must reach
// the limit. The retry must be later than the interval of the limit, so that systemd counts from
// zero again.
func TestStartLimit(t *testing.T) {
	station, err := config.Parse([]byte(config.Example()), "station.toml")
	if err != nil {
		t.Fatal(err)
	}
	d := directives(t, unit)
	burst, err := strconv.Atoi(d["StartLimitBurst"][0])
	if err != nil {
		t.Fatal(err)
	}
	interval := seconds(t, d["StartLimitIntervalSec"][0])
	if least := station.Model.ProbationCrashes + 3; burst < least {
		t.Errorf("%d starts are too few: the previous model needs three, after %d of the new one",
			burst, station.Model.ProbationCrashes)
	}
	hangs := float64(burst) * (2*seconds(t, d["WatchdogSec"][0]) + seconds(t, d["RestartSec"][0]))
	if interval < hangs {
		t.Errorf("%d hangs take %v s, but starts are counted for %v s: no alarm", burst, hangs, interval)
	}
	retry := directives(t, "tirewatch-retry.timer")
	if again := seconds(t, retry["OnActiveSec"][0]); again <= interval || retry["Unit"][0] != unit {
		t.Errorf("%v starts after %v s, but the limit counts for %v s", retry["Unit"], again, interval)
	}
}

// The limit in gpio.conf must allow the priority that the ejector's thread sets.
func TestEjectorPriority(t *testing.T) {
	if limit := directives(t, "gpio.conf")["LimitRTPRIO"]; !slices.Equal(limit, []string{fmt.Sprint(reject.Priority)}) {
		t.Errorf("gpio.conf allows %v, the ejector sets %d", limit, reject.Priority)
	}
}

// The agent must accept each command line in the units.
func TestExecStart(t *testing.T) {
	program := filepath.Join(t.TempDir(), "tirewatch-agent")
	build := exec.Command("go", "build", "-o", program, "tirewatch/cmd/tirewatch-agent")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	commands := map[string]string{"gpio.conf": directives(t, "gpio.conf")["ExecStopPost"][0]}
	for _, unit := range units(t) {
		if strings.HasSuffix(unit, ".service") {
			commands[unit] = directives(t, unit)["ExecStart"][0]
		}
	}
	for unit, line := range commands {
		words := strings.Fields(strings.TrimPrefix(line, "-"))
		if len(words) < 2 || words[0] != "/usr/bin/tirewatch-agent" {
			t.Fatalf("%s: %s", unit, words)
		}
		out, err := exec.Command(program, words[1], "--help").CombinedOutput()
		if err != nil {
			t.Fatalf("tirewatch-agent %s --help: %v\n%s", words[1], err, out)
		}
		flags := slices.DeleteFunc(words[2:], func(w string) bool { return !strings.HasPrefix(w, "-") })
		if len(flags) == 0 {
			t.Errorf("%s: the command has no flags", unit)
		}
		for _, flag := range flags {
			if !regexp.MustCompile(`(?m)^\s.*` + regexp.QuoteMeta(flag) + `\b`).Match(out) {
				t.Errorf("%s: the agent has no flag %s:\n%s", unit, flag, out)
			}
		}
	}
}

// installed copies the units into a folder, and replaces the agent by a program that exists here.
func installed(t *testing.T) (folder string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder = t.TempDir()
	for _, unit := range units(t) {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.ReplaceAll(text, []byte("/usr/bin/tirewatch-agent"), []byte(self))
		if err := os.WriteFile(filepath.Join(folder, unit), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func analyzer(t *testing.T) string {
	t.Helper()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed: apt install systemd")
	}
	return analyze
}

// systemd itself must accept the units, also with credentials.conf and gpio.conf.
func TestSystemdAcceptsTheFiles(t *testing.T) {
	analyze, folder := analyzer(t), installed(t)
	for dropIn, targets := range map[string][]string{
		"credentials.conf": {unit, "tirewatch-selfcheck.service", "tirewatch-alarm.service"},
		"gpio.conf":        {unit},
	} {
		text, err := os.ReadFile(dropIn)
		if err != nil {
			t.Fatal(err)
		}
		for _, unit := range targets {
			if !bytes.Contains(text, []byte("/etc/systemd/system/"+unit+".d/"+dropIn)) {
				t.Errorf("%s does not say that it is for %s", dropIn, unit)
			}
			if err := os.MkdirAll(filepath.Join(folder, unit+".d"), 0o755); err != nil {
				t.Fatal(err)
			}
			text := bytes.ReplaceAll(text, []byte("/usr/bin/tirewatch-agent"), []byte("/bin/true"))
			if err := os.WriteFile(filepath.Join(folder, unit+".d", dropIn), text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, unit := range units(t) {
		out, err := exec.Command(analyze, "verify", "--man=no", filepath.Join(folder, unit)).CombinedOutput()
		if err != nil || bytes.Contains(out, []byte("tirewatch")) {
			t.Errorf("systemd-analyze verify %s: %v\n%s", unit, err, out)
		}
	}
}

// systemd rates the exposure of a unit from 0 (safe) to 10. The limit here is 2.
func TestExposure(t *testing.T) {
	analyze, folder := analyzer(t), installed(t)
	for _, unit := range units(t) {
		if !strings.HasSuffix(unit, ".service") {
			continue
		}
		// --threshold is in tenths
		out, err := exec.Command(analyze, "security", "--offline=true", "--no-pager", "--threshold=20",
			filepath.Join(folder, unit)).CombinedOutput()
		m := regexp.MustCompile(`Overall exposure level for .*: ([0-9.]+)`).FindSubmatch(out)
		if err != nil || m == nil {
			t.Errorf("%s: %v\n%s", unit, err, out)
			continue
		}
		t.Logf("%s: %s", unit, m[1])
	}
}

func TestUserAndFolders(t *testing.T) {
	sysusers, err1 := exec.LookPath("systemd-sysusers")
	tmpfiles, err2 := exec.LookPath("systemd-tmpfiles")
	if err1 != nil || err2 != nil || os.Geteuid() != 0 {
		t.Skip("needs systemd-sysusers, systemd-tmpfiles and root")
	}
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, step := range []*exec.Cmd{
		exec.Command(sysusers, "--root="+root, "-"),
		exec.Command(tmpfiles, "--create", "--root="+root, "-"),
	} {
		text, err := os.ReadFile(map[string]string{sysusers: "tirewatch.sysusers", tmpfiles: "tirewatch.tmpfiles"}[step.Path])
		if err != nil {
			t.Fatal(err)
		}
		step.Stdin = bytes.NewReader(text)
		if out, err := step.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", step.Path, err, out)
		}
	}
	for file, want := range map[string]string{
		"passwd": `(?m)^tirewatch:.*:/var/lib/tirewatch:.*nologin$`,
		"group":  `(?m)^video:.*:.*:tirewatch$`,
	} {
		data, err := os.ReadFile(filepath.Join(root, "etc", file))
		if err != nil || !regexp.MustCompile(want).Match(data) {
			t.Errorf("%s: %v, want %s in\n%s", file, err, want, data)
		}
	}
	for _, dir := range []string{"etc/tirewatch", "var/lib/tirewatch"} {
		info, err := os.Stat(filepath.Join(root, dir))
		if err != nil || info.Mode().Perm() != 0o750 {
			t.Errorf("%s: %v, %v", dir, info, err)
		}
	}
}
