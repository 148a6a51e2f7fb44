package systemd_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const unit = "tirewatch-agent.service"

func lines(t *testing.T, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
}

// directives reads a unit as key and value.
func directives(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, line := range lines(t, unit) {
		if key, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			all[key] = value
		}
	}
	return all
}

func TestEveryLineIsExplained(t *testing.T) {
	for _, path := range []string{unit, "tirewatch.sysusers", "tirewatch.tmpfiles"} {
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

// What the program promises to systemd and what the unit expects must fit.
func TestUnitFitsTheAgent(t *testing.T) {
	d := directives(t)
	for key, want := range map[string]string{
		"Type": "notify", "WatchdogSec": "60", "Restart": "always", "User": "tirewatch", "StateDirectory": "tirewatch",
		"RestartPreventExitStatus": "2",
	} {
		if d[key] != want {
			t.Errorf("%s=%s, want %s", key, d[key], want)
		}
	}
	for _, key := range []string{"PrivateDevices", "DeviceAllow", "ProtectClock", "MemoryDenyWriteExecute"} {
		if value, ok := d[key]; ok { // the first three hide cameras, the last breaks GStreamer's code generator
			t.Errorf("%s=%s keeps the agent from its camera", key, value)
		}
	}
}

// ExecStart must be a command line that the agent understands.
func TestExecStart(t *testing.T) {
	words := strings.Fields(directives(t)["ExecStart"])
	if len(words) < 2 || words[0] != "/usr/bin/tirewatch-agent" {
		t.Fatalf("ExecStart=%s", words)
	}
	out, err := exec.Command("go", "run", "tirewatch/cmd/tirewatch-agent", words[1], "--help").CombinedOutput()
	if err != nil {
		t.Fatalf("tirewatch-agent %s --help: %v\n%s", words[1], err, out)
	}
	flags := slices.DeleteFunc(words[2:], func(w string) bool { return !strings.HasPrefix(w, "-") })
	if len(flags) == 0 {
		t.Error("ExecStart has no flags")
	}
	for _, flag := range flags {
		if !regexp.MustCompile(`(?m)^\s.*` + regexp.QuoteMeta(flag) + `\b`).Match(out) {
			t.Errorf("the agent has no flag %s:\n%s", flag, out)
		}
	}
}

// systemd itself must understand the files. The programs that they name need not be installed.
func TestSystemdAcceptsTheFiles(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	text, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), unit)
	text = bytes.ReplaceAll(text, []byte("/usr/bin/tirewatch-agent"), []byte(self))
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(analyze, "verify", "--man=no", path).CombinedOutput()
	if err != nil || bytes.Contains(out, []byte(unit)) {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
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
	for file, want := range map[string]string{"passwd": `(?m)^tirewatch:.*:/var/lib/tirewatch:.*nologin$`, "group": `(?m)^video:.*:.*:tirewatch$`} {
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
