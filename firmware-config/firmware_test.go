package firmware_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"tirewatch/agent/config"
	"tirewatch/agent/journal"
	"tirewatch/agent/message"
	"tirewatch/agent/uplink"
	"tirewatch/agent/uplink/brokertest"
	"tirewatch/vision/verdict"
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
			if kind != test.kind || !strings.HasPrefix(target, test.target) ||
				c.Station.ID() != test.station || !c.MQTT.Enabled() {
				t.Errorf("camera %s %s, station %s, broker %q", kind, target, c.Station.ID(), c.MQTT.Broker)
			}
		})
	}
}

// The presets in comments must work too, for people who remove the comment mark.
func TestCommentedPresets(t *testing.T) {
	active := regexp.MustCompile(`(?m)^preset = .*$`)
	for path, want := range map[string]string{
		"pi/station.toml":     "gstreamer:libcamerasrc ",
		"jetson/station.toml": "v4l2:/dev/tirewatch-camera",
	} {
		text := read(t, path)
		other := regexp.MustCompile(`(?m)^# (preset = "[^"]+")$`).FindStringSubmatch(text)
		if other == nil {
			t.Errorf("%s: no preset in a comment", path)
			continue
		}
		c, err := config.Parse([]byte(active.ReplaceAllLiteralString(text, other[1])), path)
		if err != nil || !strings.HasPrefix(string(c.Camera.Source), want) {
			t.Errorf("%s: %s: %v, %v", path, other[1], c, err)
		}
	}
}

// One active rule sets the name that the examples open.
func TestCameraRule(t *testing.T) {
	rules := read(t, "61-tirewatch-camera.rules")
	active := regexp.MustCompile(`(?m)^SUBSYSTEM==.*SYMLINK\+="tirewatch-camera"$`).FindAllString(rules, -1)
	if len(active) != 1 {
		t.Errorf("%d rules set the name, want 1", len(active))
	}
	comparison := regexp.MustCompile(`^[A-Z]+(\{\w+\})?(==|\+=)"[^"]*"$`)
	for _, rule := range active {
		for part := range strings.SplitSeq(rule, ", ") {
			if !comparison.MatchString(part) {
				t.Errorf("%q is not a valid udev comparison or assignment", part)
			}
		}
	}
}

func TestEveryLineIsExplained(t *testing.T) {
	for _, path := range []string{
		"61-tirewatch-camera.rules", "watchdog.conf", "chrony.conf", "mosquitto-bridge.conf",
		"pi/config.txt", "pi/cmdline.txt", "pi/fstab.txt", "pi/data-partition.conf",
		"jetson/csi-camera.conf", "jetson/tirewatch-power.service",
	} {
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

// The table in README.md lists exactly the files in this folder.
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

// systemd accepts the agent's unit together with the drop-in files of the boards.
func TestDropIns(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed: apt install systemd")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"jetson/csi-camera.conf", "pi/data-partition.conf"} {
		dir := t.TempDir()
		unit := filepath.Join(dir, "tirewatch-agent.service")
		files := map[string]string{filepath.Join(unit+".d", filepath.Base(name)): read(t, name)}
		for _, u := range []string{"tirewatch-agent.service", "tirewatch-alarm.service", "tirewatch-retry.timer"} {
			files[filepath.Join(dir, u)] = strings.ReplaceAll(read(t, "../systemd/"+u), "/usr/bin/tirewatch-agent", self)
		}
		if err := os.Mkdir(unit+".d", 0o755); err != nil {
			t.Fatal(err)
		}
		for path, content := range files {
			if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		out, err := exec.Command(analyze, "verify", "--man=no", unit).CombinedOutput()
		if err != nil || bytes.Contains(out, []byte(filepath.Base(name))) ||
			bytes.Contains(out, []byte("tirewatch-agent.service")) {
			t.Errorf("%s: systemd-analyze verify: %v\n%s", name, err, out)
		}
	}
}

func TestPowerService(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed: apt install systemd")
	}
	unit := filepath.Join(t.TempDir(), "tirewatch-power.service")
	programs := strings.NewReplacer("/usr/sbin/nvpmodel", "/bin/true", "/usr/bin/jetson_clocks", "/bin/true")
	text := programs.Replace(read(t, "jetson/tirewatch-power.service"))
	if err := os.WriteFile(unit, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(analyze, "verify", "--man=no", unit).CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("tirewatch")) {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

// The command at the top of cmdline.txt appends the words to the kernel's command line.
func TestKernelWords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cmdline.txt")
	if err := os.WriteFile(path, []byte("console=tty1 rootwait\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	head := regexp.MustCompile(`(?m)^#\tsudo (sed .*) /boot/firmware/cmdline.txt$`).FindStringSubmatch(read(t, "pi/cmdline.txt"))
	if head == nil {
		t.Fatal("pi/cmdline.txt contains no command")
	}
	cmd := exec.Command("sh", "-c", head[1]+" "+path)
	cmd.Dir = "pi"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := read(t, path); got != "console=tty1 rootwait consoleblank=0 panic=10 fsck.repair=yes\n" {
		t.Errorf("the kernel's command line is %q", got)
	}
}

func TestFstab(t *testing.T) {
	findmnt, err := exec.LookPath("findmnt")
	if err != nil {
		t.Skip("findmnt is not installed: apt install util-linux")
	}
	out, err := exec.Command(findmnt, "--tab-file", "pi/fstab.txt", "--noheadings", "--raw", "--output", "TARGET").Output()
	got := strings.Fields(string(out))
	if err != nil || strings.Join(got, " ") != "/data /var/lib/tirewatch /var/log/journal" {
		t.Errorf("%v, %v", got, err)
	}
}

// chrony itself must accept its file.
func TestChrony(t *testing.T) {
	chronyd := ""
	for _, name := range []string{"chronyd", "/usr/sbin/chronyd"} {
		if path, err := exec.LookPath(name); err == nil {
			chronyd = path
		}
	}
	if chronyd == "" {
		t.Skip("chronyd is not installed: apt install chrony")
	}
	out, err := exec.Command(chronyd, "-p", "-f", "chrony.conf").CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("server ntp.plant.local iburst")) {
		t.Errorf("chronyd -p: %v\n%s", err, out)
	}
}

// Verdicts cross the bridge to the plant's broker, also those from a time when the plant was not
// reachable. Commands cross it in the other direction.
func TestBridge(t *testing.T) {
	plant := brokertest.Start(t, brokertest.Anonymous)
	lines := []string{}
	for line := range strings.Lines(read(t, "mosquitto-bridge.conf")) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"), strings.HasPrefix(line, "listener "): // brokertest adds its own
		case strings.HasPrefix(line, "address "):
			address := strings.TrimPrefix(plant.URL(), "mqtt://")
			lines = append(lines, strings.Replace(line, "broker.local:1883", address, 1))
		case strings.HasPrefix(line, "restart_timeout "):
			lines = append(lines, "restart_timeout 1")
		default:
			lines = append(lines, line)
		}
	}
	local := brokertest.Start(t, lines...)

	const station = "plant-1/belt-1/station-3"
	topics := message.Topics{Root: "tirewatch", Station: station}
	j, err := journal.Open(filepath.Join(t.TempDir(), "journal.db"), station)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	broker := config.MQTT{Broker: local.URL(), ClientID: "agent", Root: "tirewatch", Encoding: verdict.JSON}
	u := uplink.New(broker, topics, j, slog.New(slog.DiscardHandler), uplink.Options{Commands: []string{"confirm"}})
	ctx, cancel := context.WithCancel(t.Context())
	var background sync.WaitGroup
	defer background.Wait()
	defer cancel()
	background.Go(func() { u.Run(ctx) })

	arrived := make(chan uint64, 100)
	watch := func() {
		listening := make(chan struct{})
		var once sync.Once
		background.Go(func() {
			opts := uplink.WatchOptions{MQTT: config.MQTT{Broker: plant.URL(), Root: "tirewatch"}, Station: station,
				Notice: func(text string) {
					if strings.HasPrefix(text, "listening") {
						once.Do(func() { close(listening) })
					}
				}}
			if err := uplink.Watch(ctx, opts, func(_ string, v *verdict.Verdict) { arrived <- v.Seq }); err != nil {
				t.Errorf("watch: %v", err)
			}
		})
		<-listening
	}
	judge := func() {
		v := &verdict.Verdict{Schema: verdict.SchemaVersion, Time: time.Now().UTC(),
			Label: verdict.Crack, Probability: 0.9, Threshold: 0.5}
		if err := j.Append(v); err != nil {
			t.Fatal(err)
		}
	}
	watch()
	judge()
	if seq := <-arrived; seq != 1 {
		t.Errorf("verdict %d arrived, want 1", seq)
	}
	background.Go(func() { (<-u.Commands()).Reply(nil) })
	asking := uplink.Target{MQTT: config.MQTT{Broker: plant.URL(), Root: "tirewatch"}, Station: station}
	if err := uplink.Ask(t.Context(), asking, "confirm"); err != nil {
		t.Errorf("a command from the plant: %v", err)
	}
	state, err := plant.Retained("tirewatch/" + station + "/bridge")
	if err != nil || state != "1" {
		t.Errorf("the bridge is connected, but its state at the plant is %q, %v", state, err)
	}

	// The plant does not answer. Verdicts wait in the local broker.
	plant.Freeze()
	judge()
	limit, done := context.WithTimeout(t.Context(), 15*time.Minute)
	defer done()
	if err := u.Drain(limit); err != nil {
		t.Errorf("the local broker did not accept verdicts: %v", err)
	}
	plant.Thaw()
	if seq := <-arrived; seq != 2 {
		t.Errorf("verdict %d arrived, want 2", seq)
	}
}
