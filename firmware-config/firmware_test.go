package firmware_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"tirewatch/agent/config"
)

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestExampleStations(t *testing.T) {
	tests := []struct{ path, kind, target, station string }{
		{"pi/station.toml", config.SourceV4L2, "/dev/tirewatch-camera", "plant-1/belt-1/pi-1"},
		{"jetson/station.toml", config.SourceGStreamer, "nvarguscamerasrc", "plant-1/belt-1/jetson-1"},
	}
	for _, test := range tests {
		t.Run(test.path, func(t *testing.T) {
			c, err := config.Load(test.path)
			if err != nil {
				t.Fatal(err)
			}
			kind, target := c.Camera.Source.Split()
			if kind != test.kind || !strings.HasPrefix(target, test.target) || c.Station.ID() != test.station || !c.MQTT.Enabled() {
				t.Errorf("camera %s %s, station %s, broker %q", kind, target, c.Station.ID(), c.MQTT.Broker)
			}
		})
	}
}

// The presets that stand as comments must work too once someone uncomments them.
func TestCommentedPresets(t *testing.T) {
	active := regexp.MustCompile(`(?m)^preset = .*$`)
	for path, want := range map[string]string{"pi/station.toml": "gstreamer:libcamerasrc ", "jetson/station.toml": "v4l2:/dev/tirewatch-camera"} {
		text := read(t, path)
		other := regexp.MustCompile(`(?m)^# (preset = "[^"]+")$`).FindStringSubmatch(text)
		if other == nil {
			t.Errorf("%s: no other preset is shown", path)
			continue
		}
		c, err := config.Parse([]byte(active.ReplaceAllLiteralString(text, other[1])), path)
		if err != nil || !strings.HasPrefix(string(c.Camera.Source), want) {
			t.Errorf("%s: %s: %v, %v", path, other[1], c, err)
		}
	}
}

// The examples open the name that the rule gives.
func TestCameraRuleGivesTheName(t *testing.T) {
	rules := read(t, "61-tirewatch-camera.rules")
	active := regexp.MustCompile(`(?m)^SUBSYSTEM==.*SYMLINK\+="tirewatch-camera"$`).FindAllString(rules, -1)
	if len(active) != 1 {
		t.Errorf("%d rules give the name, want 1", len(active))
	}
	comparison := regexp.MustCompile(`^[A-Z]+(\{\w+\})?(==|\+=)"[^"]*"$`)
	for _, rule := range active {
		for part := range strings.SplitSeq(rule, ", ") {
			if !comparison.MatchString(part) {
				t.Errorf("%q is no udev comparison", part)
			}
		}
	}
}

func TestEveryLineIsExplained(t *testing.T) {
	for _, path := range []string{"61-tirewatch-camera.rules", "watchdog.conf", "pi/config.txt", "jetson/csi-camera.conf"} {
		above := ""
		for i, line := range strings.Split(read(t, path), "\n") {
			setting := line != "" && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "[")
			if setting && !strings.HasPrefix(above, "# ") {
				t.Errorf("%s:%d: %s has no comment above it", path, i+1, line)
			}
			above = line
		}
	}
}

// The table names every file and no other.
func TestReadmeListsTheFiles(t *testing.T) {
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(read(t, "README.md"), -1) {
		listed[m[1]] = true
	}
	var files []string
	for _, pattern := range []string{"*.rules", "*.conf", "*/*"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		if !listed[file] {
			t.Errorf("README.md does not list %s", file)
		}
		delete(listed, file)
	}
	for file := range listed {
		t.Errorf("README.md lists %s, which does not exist", file)
	}
}

// The service together with the Jetson's addition is something that systemd understands.
func TestJetsonAddition(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	unit := filepath.Join(dir, "tirewatch-agent.service")
	addition := filepath.Join(unit+".d", "csi-camera.conf")
	if err := os.Mkdir(filepath.Dir(addition), 0o755); err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(read(t, "../systemd/tirewatch-agent.service"), "/usr/bin/tirewatch-agent", self)
	for path, content := range map[string]string{unit: text, addition: read(t, "jetson/csi-camera.conf")} {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command(analyze, "verify", "--man=no", unit).CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("csi-camera.conf")) || bytes.Contains(out, []byte("tirewatch-agent.service")) {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}
