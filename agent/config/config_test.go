package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tirewatch/agent/config"
	"tirewatch/vision/verdict"
)

// minimal is the least that a station needs.
const minimal = `
[station]
site = "hamburg"
line = "line1"
name = "station3"
[camera]
source = "v4l2:/dev/video0"
[model]
keys = ["maker.pub"]
[mqtt]
broker = "mqtt://broker"
`

func TestMinimalFileGetsDefaults(t *testing.T) {
	got, err := config.Parse([]byte(minimal), "/etc/tirewatch/station.toml")
	if err != nil {
		t.Fatal(err)
	}
	want := &config.Config{
		Station: config.Station{Site: "hamburg", Line: "line1", Name: "station3"},
		Camera:  config.Camera{Source: "v4l2:/dev/video0"},
		Locate:  config.Locate{Mode: "round", MinDiameter: 0.3, MaxDiameter: 1, Margin: 0.02, View: "tire", Overlap: 0.25},
		Trigger: config.Trigger{Mode: "presence", Frames: 5, Vote: "mean", Active: "high", Debounce: config.Duration(5 * time.Millisecond),
			Window: config.Duration(500 * time.Millisecond)},
		Reject: config.Reject{Active: "high", On: "reject", OnUnsure: "reject", Width: config.Duration(100 * time.Millisecond)},
		Model: config.Model{Dir: "/var/lib/tirewatch/models", Keys: []string{"/etc/tirewatch/maker.pub"}, AcceptPush: true,
			Probation: 200, ProbationTime: config.Duration(30 * time.Minute), ProbationCrashes: 3, ProbationUnsure: 0.5},
		Journal: config.Journal{Path: "/var/lib/tirewatch/journal.db", MaxSize: "512MiB", MaxAge: 90 * config.Day, Crops: "review", CropsUncertain: 2, CropsSample: 0.01, CropsCamera: true, CropsMaxSize: "1GiB"},
		MQTT: config.MQTT{Broker: "mqtt://broker", Root: "tirewatch", ClientID: "tirewatch-hamburg-line1-station3",
			Encoding: verdict.JSON, HealthPeriod: config.Duration(time.Minute)},
		Sparkplug: config.Sparkplug{Group: "hamburg", Node: "line1-station3", Device: "inspection",
			Overlap: config.Duration(2 * time.Minute), ClientID: "tirewatch-hamburg-line1-station3-sparkplug"},
		Metrics: config.Metrics{Listen: "127.0.0.1:9464"},
		Page:    config.Page{Listen: "127.0.0.1:8080", Shifts: []string{"06:00", "14:00", "22:00"}},
		Log:     config.Log{Level: "info", Format: "text"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

// The example shows the defaults in comments. Uncommenting them must change nothing, so that they
// stay the defaults of the code.
func TestExampleShowsTheDefaults(t *testing.T) {
	asShipped, err := config.Parse([]byte(config.Example()), "station.toml")
	if err != nil {
		t.Fatal(err)
	}
	optional := regexp.MustCompile(`(?m)^# (gpio|encoder|pulses|exposure|gain|white_balance|focus|region|initial|revoked|inbox|username|password_file|viewer_password_file|ca_file|cert_file|key_file) = .*\n`)
	commented := regexp.MustCompile(`(?m)^# (\w+ = )`)
	text := commented.ReplaceAllString(optional.ReplaceAllString(config.Example(), ""), "$1")
	uncommented, err := config.Parse([]byte(text), "station.toml")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(asShipped, uncommented); diff != "" {
		t.Errorf("shipped -, uncommented +:\n%s", diff)
	}
	if strings.Count(text, "\n") == strings.Count(config.Example(), "\n") {
		t.Error("the example lacks the optional keys")
	}
	everything, err := config.Parse([]byte(commented.ReplaceAllString(config.Example(), "$1")), "station.toml")
	if err != nil {
		t.Fatal(err)
	}
	if everything.MQTT.PasswordFile == "" || everything.Reject.Pulses == 0 || everything.Locate.Region == nil {
		t.Error("the optional keys were not read")
	}
}

func TestPathsAreRelativeToTheFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "station.toml")
	text := strings.NewReplacer(
		`"v4l2:/dev/video0"`, `"folder:photos"`,
		`keys = ["maker.pub"]`, `keys = ["maker.pub", "/keys/other.pub"]`+"\n"+`dir = "models"`,
	).Replace(minimal) + "username = \"u\"\npassword_file = \"password\"\n[journal]\npath = \"data/journal.db\"\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{string(c.Camera.Source), c.Model.Keys[0], c.Model.Keys[1], c.Model.Dir, c.MQTT.PasswordFile, c.Journal.Path, c.Model.Initial}
	want := []string{"folder:" + dir + "/photos", dir + "/maker.pub", "/keys/other.pub", dir + "/models", dir + "/password",
		dir + "/data/journal.db", ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	if c.Trigger.Mode != config.TriggerFrame {
		t.Errorf("a folder of photographs has trigger mode %q", c.Trigger.Mode)
	}
}

func TestLoadMissingFile(t *testing.T) {
	if _, err := config.Load(filepath.Join(t.TempDir(), "no.toml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestProblems(t *testing.T) {
	edit := func(oldnew ...string) string { return strings.NewReplacer(oldnew...).Replace(minimal) }
	tests := []struct {
		name, text string
		want       []string
	}{
		{"empty file names everything that is missing", "", []string{
			"s.toml: station.site: missing: want a name without / + # $ and control characters",
			"s.toml: station.line: missing: want a name without / + # $ and control characters",
			"s.toml: station.name: missing: want a name without / + # $ and control characters",
			"s.toml: camera.source: missing: want v4l2:/dev/video0, gstreamer:PIPELINE, rtsp://HOST/PATH, file:CLIP or folder:DIR",
			`s.toml: model.keys: missing: want the public key files whose bundles are accepted, like ["maker.pub"]`,
		}},
		{"all problems at once, in the order of lines", edit(
			`site = "hamburg"`, `site = "ham/burg"`,
			`source = "v4l2:/dev/video0"`, "sorce = 1\nsource = \"usb:0\"\nwidth = \"wide\"\nfps = -1",
			`broker = "mqtt://broker"`, "broker = \"broker:1883\"\nencoding = \"xml\"",
		), []string{
			`s.toml:3: station.site: invalid name "ham/burg": want at most 64 bytes without / + # $ and control characters`,
			`s.toml:7: camera.sorce: unknown key: did you mean "source"?`,
			`s.toml:8: camera.source: invalid source "usb:0": want v4l2:/dev/video0, gstreamer:PIPELINE, rtsp://HOST/PATH, file:CLIP or folder:DIR`,
			`s.toml:9: camera.width: "wide" has the wrong type: want a whole number`,
			`s.toml:10: camera.fps: -1 is out of range: want 0 to 1000`,
			`s.toml:14: mqtt.broker: invalid broker URL "broker:1883": want mqtt://HOST or mqtts://HOST, and :PORT if it is not 1883 or 8883`,
			`s.toml:15: mqtt.encoding: invalid value "xml": want json or msgpack`,
		}},
		{"unknown section", minimal + "[mqt]\nbroker = \"x\"\n", []string{`s.toml:12: mqt: unknown section: did you mean "mqtt"?`}},
		{"unknown section that resembles no other", minimal + "[weather]\n", []string{
			`s.toml:12: weather: unknown section: want station, camera, locate, trigger, reject, model, journal, mqtt, sparkplug, metrics, page, log`}},
		{"section written as a key", "log = \"debug\"\n" + minimal, []string{
			"s.toml:1: log: is a section: write [log] and its keys below it"}},
		{"not TOML", "[station\n", []string{"s.toml:1: invalid line at column 9: want [SECTION] or KEY = VALUE"}},
		{"key given twice", minimal + "broker = \"mqtt://other\"\n", []string{"s.toml:12: broker is in the file twice: remove one"}},
		{"inline table and dotted keys have lines too", edit("[station]\nsite = \"hamburg\"\nline = \"line1\"\nname = \"station3\"\n",
			"log.level = \"loud\"\n\nstation = {site = \"a\", line = \"b\", name = \"\"}\n"), []string{
			`s.toml:2: log.level: invalid value "loud": want debug or info or warn or error`,
			`s.toml:4: station.name: empty: want a name without / + # $ and control characters`}},
		{"wrong types", edit(`keys = ["maker.pub"]`, "keys = [1]\naccept_push = \"yes\"\n[locate]\nmargin = \"2 %\"\nregion = [0.5]\n"), []string{
			"s.toml:9: model.keys: [1] has the wrong type: want a list of values, each text in quotes",
			`s.toml:10: model.accept_push: "yes" has the wrong type: want true or false`,
			`s.toml:12: locate.margin: "2 %" has the wrong type: want a number`,
			"s.toml:13: locate.region: [0.5] has the wrong type: want a list of values, each a whole number"}},
		{"values that contradict each other", minimal + "password_file = \"p\"\nkey_file = \"k\"\n[locate]\nmode = \"region\"\nmin_diameter = 0.9\nmax_diameter = 0.5\n", []string{
			"s.toml:12: mqtt.password_file: needs mqtt.username",
			"s.toml:13: mqtt.key_file: needs mqtt.cert_file",
			"s.toml:17: locate.max_diameter: 0.5 is too small: want at least locate.min_diameter, 0.9",
			"s.toml: locate.region: missing with mode region: want [x0, y0, x1, y1] in px of the frame"}},
		{"durations", edit(`keys = ["maker.pub"]`, "keys = [\"maker.pub\"]\nlatency_budget = 50\nprobation_time = \"soon\"\nprobation_disagreement = 20\n"), []string{
			`s.toml:10: model.latency_budget: 50 has the wrong type: want a duration like "90s", "30m" or "90d"`,
			`s.toml:11: model.probation_time: "soon" has the wrong type: want a duration like "90s", "30m" or "90d"`,
			"s.toml:12: model.probation_disagreement: 20 is out of range: want 0 to 1"}},
		{"a latency budget out of range", edit(`keys = ["maker.pub"]`, "keys = [\"maker.pub\"]\nlatency_budget = \"2h\"\n"), []string{
			"s.toml:10: model.latency_budget: 2h is out of range: want 0s to 1m"}},
		{"unknown preset", edit(`source = "v4l2:/dev/video0"`, "preset = \"webcam\"\nsource = \"v4l2:/dev/video0\"\nfourcc = \"jpeg!\""), []string{
			`s.toml:7: camera.preset: invalid value "webcam": want usb or pi-csi or jetson-csi or rtsp`,
			`s.toml:9: camera.fourcc: invalid pixel format "jpeg!": want four letters like MJPG`}},
		{"a network camera without its address", edit(`source = "v4l2:/dev/video0"`, `preset = "rtsp"`), []string{
			"s.toml: camera.source: missing: want v4l2:/dev/video0, gstreamer:PIPELINE, rtsp://HOST/PATH, file:CLIP or folder:DIR"}},
		{"controls of a camera that is not v4l2", edit(`source = "v4l2:/dev/video0"`, "source = \"rtsp://cam/1\"\nexposure = 20\ngain = -1\nfocus = \"near\""), []string{
			`s.toml:8: camera.exposure: works only with v4l2 cameras: set it in the elements of the pipeline, or in the network camera itself`,
			`s.toml:9: camera.gain: works only with v4l2 cameras: set it in the elements of the pipeline, or in the network camera itself`,
			`s.toml:10: camera.focus: "near" has the wrong type: want a whole number`}},
		{"controls out of range", edit(`source = "v4l2:/dev/video0"`, "source = \"v4l2:/dev/video0\"\nexposure = -1"), []string{
			"s.toml:8: camera.exposure: -1 is out of range: want 0 to 2147483647"}},
		{"triggers without a source", minimal + "[trigger]\nmode = \"photo-eye\"\nvote = \"best\"\nactive = \"on\"\ndebounce = \"0s\"\ndelay = \"1s\"\nbudget = \"1s\"\n", []string{
			`s.toml:14: trigger.vote: invalid value "best": want mean or majority or any`,
			`s.toml:15: trigger.active: invalid value "on": want high or low`,
			"s.toml:16: trigger.debounce: 0s is out of range: want 1ms to 1s",
			"s.toml:18: trigger.budget: 1s is too short: want at least trigger.delay + trigger.window, 1.5s",
			"s.toml: trigger.gpio: missing with mode photo-eye: want the GPIO line of the photo-eye, like GPIO17"}},
		{"commands and rejects without a broker", edit(`broker = "mqtt://broker"`, "[trigger]\nmode = \"command\"\n[reject]\nmqtt = true\n"), []string{
			"s.toml:12: trigger.mode: command needs mqtt.broker",
			"s.toml:14: reject.mqtt: needs mqtt.broker"}},
		{"an ejector that contradicts itself", minimal + "[trigger]\nmode = \"photo-eye\"\ngpio = \"GPIO17\"\n[reject]\ngpio = \"GPIO17\"\non = \"crack\"\ndelay = \"1s\"\nwidth = \"0s\"\nencoder = \"GPIO22\"\n", []string{
			`s.toml:16: reject.gpio: "GPIO17" is already used by trigger.gpio`,
			`s.toml:17: reject.on: invalid value "crack": want reject or pass`,
			"s.toml:18: reject.delay: excludes reject.encoder: use reject.pulses instead",
			"s.toml:19: reject.width: 0s is out of range: want 1ms to 1m",
			"s.toml: reject.pulses: missing with reject.encoder: want the number of pulses from the camera to the ejector, like 400"}},
		{"region inside out", minimal + "[locate]\nregion = [10, 10, 5, 20]\n", []string{
			"s.toml:13: locate.region: invalid region [10, 10, 5, 20]: want [x0, y0, x1, y1] in px of the frame with x0 < x1 and y0 < y1"}},
		{"credential outside of its folder", minimal + "username = \"u\"\npassword_file = \"credential:../secret\"\n", []string{
			`s.toml:13: mqtt.password_file: invalid credential "credential:../secret": want credential:NAME`}},
		{"Sparkplug without a broker, and with names that no topic can have", edit(`broker = "mqtt://broker"`, "[sparkplug]\nenabled = true\ngroup = \"a/b\"\ndevice = \"\"\nprimary_host = \"#\"\noverlap = \"5s\""), []string{
			"s.toml:12: sparkplug.enabled: needs mqtt.broker",
			`s.toml:13: sparkplug.group: invalid name "a/b": want at most 64 bytes without / + # $ and control characters`,
			"s.toml:14: sparkplug.device: empty: want a name without / + # $ and control characters",
			`s.toml:15: sparkplug.primary_host: invalid name "#": want at most 64 bytes without / + # $ and control characters`,
			"s.toml:16: sparkplug.overlap: 5s is out of range: want 1m to 1h"}},
		{"one client id for two sessions", minimal + "client_id = \"a\"\n[sparkplug]\nclient_id = \"a\"\n", []string{
			`s.toml:14: sparkplug.client_id: "a" is already mqtt.client_id: want another, each session needs its own`}},
		{"sizes and ages", minimal + "[journal]\nmax_size = \"big\"\nmax_age = \"90 days\"\n", []string{
			`s.toml:13: journal.max_size: invalid size "big": want a size like 512MiB`,
			`s.toml:14: journal.max_age: "90 days" has the wrong type: want a duration like "90s", "30m" or "90d"`}},
		{"pictures", minimal + "[journal]\ncrops = \"some\"\ncrops_uncertain = -1.0\ncrops_sample = 2.0\n", []string{
			`s.toml:13: journal.crops: invalid value "some": want crack or review or all or off`,
			`s.toml:14: journal.crops_uncertain: -1 is out of range: want 0 to 20`,
			`s.toml:15: journal.crops_sample: 2 is out of range: want 0 to 1`}},
		{"a page for the network without password and certificate", minimal + "[page]\nlisten = \"0.0.0.0:8443\"\n", []string{
			"s.toml:13: page.listen: the network reaches 0.0.0.0:8443, which needs page.password_file: write one with `tirewatch-agent password`, or listen on 127.0.0.1:8080"}},
		{"a page for the network in the clear", minimal + "[page]\nlisten = \":8443\"\npassword_file = \"p\"\n", []string{
			"s.toml:13: page.listen: the network reaches :8443, which needs page.cert_file and page.key_file: without TLS everyone in the network could read the passwords"}},
		{"a page without an operator, half a certificate, odd shifts", minimal + "[page]\nlisten = \"8080\"\nviewer_password_file = \"v\"\ncert_file = \"c\"\nshifts = [\"14:00\", \"6:00\"]\n", []string{
			`s.toml:13: page.listen: invalid address "8080": want HOST:PORT like 127.0.0.1:8080, or "" for none`,
			"s.toml:14: page.viewer_password_file: needs page.password_file: without an operator nobody could change anything",
			"s.toml:15: page.cert_file: needs page.key_file",
			`s.toml:16: page.shifts: invalid time of day "6:00": want HH:MM, like 06:00`}},
		{"shifts in disorder", minimal + "[page]\nshifts = [\"14:00\", \"06:00\"]\n", []string{`s.toml:13: page.shifts: "06:00" is not after "14:00": want the times in order`}},
		{"sizes and ages out of range", minimal + "[journal]\nmax_size = \"1kB\"\nmax_age = \"-1h\"\n", []string{
			`s.toml:13: journal.max_size: "1kB" is too small: want at least 1.0 MiB`,
			`s.toml:14: journal.max_age: -1h is out of range: want 0s to 36500d`}},
		{"not a number", minimal + "[locate]\nmargin = nan\n", []string{"s.toml:13: locate.margin: NaN is out of range: want 0 to 0.5"}},
		{"a side wall in a region", minimal + "[locate]\nmode = \"region\"\nregion = [0, 0, 9, 9]\nview = \"sidewall\"\noverlap = 0.6\n", []string{
			"s.toml:15: locate.view: sidewall needs locate.mode round: a region has no rim to find",
			"s.toml:16: locate.overlap: 0.6 is out of range: want 0 to 0.5"}},
		{"unknown view", minimal + "[locate]\nview = \"tread\"\ntile = 0.1\n", []string{
			`s.toml:13: locate.view: invalid value "tread": want tire or tiles or sidewall`,
			"s.toml:14: locate.tile: 0.1 is out of range: want 0.2 to 1"}},
		{"a password in the URL of a broker that cannot be read", edit("mqtt://broker", "mqtt//me:secret@broker"), []string{
			`s.toml:11: mqtt.broker: "mqtt//xxxxx@broker" has a login: want it in mqtt.username and mqtt.password_file`}},
		{"a password in the URL of an unknown source", edit("v4l2:/dev/video0", "rtps://me:secret@cam/1"), []string{
			`s.toml:7: camera.source: invalid source "rtps://xxxxx@cam/1": want v4l2:/dev/video0, gstreamer:PIPELINE, rtsp://HOST/PATH, file:CLIP or folder:DIR`}},
		{"text without quotes", edit(`"mqtt://broker"`, "mqtt://me:secret@broker"), []string{
			`s.toml:11: invalid value at column 10: want "TEXT" in quotes, a number, true, false or [LIST]`}},
		{"text without its end", edit(`"mqtt://broker"`, `"mqtt://broker`), []string{
			`s.toml:11: invalid text at column 24: want "TEXT" on one line, with \\ for a backslash`}},
		{"a list without its end", edit(`["maker.pub"]`, `["maker.pub"`), []string{
			`s.toml:10: invalid value at column 1: want "TEXT" in quotes, a number, true, false or [LIST]`}},
		{"a section that is there twice", minimal + "[mqtt]\n", []string{"s.toml:12: mqtt is in the file twice: remove one"}},
		{"Latin-1", edit("hamburg", "m\xfcnchen"), []string{"s.toml:3: invalid character: save the file as UTF-8"}},
		{"password in the URL", edit("mqtt://broker", "mqtt://me:secret@broker"), []string{
			`s.toml:11: mqtt.broker: "mqtt://xxxxx@broker" has a login: want it in mqtt.username and mqtt.password_file`}},
		{"source that names nothing", edit("v4l2:/dev/video0", "file:"), []string{
			`s.toml:7: camera.source: incomplete source "file:": want v4l2:/dev/video0, gstreamer:PIPELINE, rtsp://HOST/PATH, file:CLIP or folder:DIR`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := config.Parse([]byte(test.text), "s.toml")
			problems, ok := errors.AsType[config.Problems](err)
			if !ok {
				t.Fatalf("got %v, want problems", err)
			}
			if diff := cmp.Diff(test.want, strings.Split(problems.Error(), "\n")); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
}

func TestCredentials(t *testing.T) {
	c, err := config.Parse([]byte(minimal+"username = \"u\"\npassword_file = \"credential:mqtt-password\"\n"), "/etc/tirewatch/station.toml")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	if path, err := config.FilePath(c.MQTT.PasswordFile); !errors.Is(err, config.ErrNoCredentials) {
		t.Errorf("outside of a service: %q, %v", path, err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "/run/credentials/tirewatch-agent.service")
	if path, err := config.FilePath(c.MQTT.PasswordFile); path != "/run/credentials/tirewatch-agent.service/mqtt-password" || err != nil {
		t.Errorf("in a service: %q, %v", path, err)
	}
	if path, err := config.FilePath("/etc/tirewatch/password"); path != "/etc/tirewatch/password" || err != nil {
		t.Errorf("a file: %q, %v", path, err)
	}
}

func TestSize(t *testing.T) {
	for s, want := range map[config.Size]int64{"512MiB": 512 << 20, "2GB": 2e9, "4096": 4096, "1.5 MiB": 3 << 19} {
		if got := s.Bytes(); got != want {
			t.Errorf("%s is %d bytes, want %d", s, got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	for _, test := range []struct {
		text  string
		want  time.Duration
		again string
	}{
		{"90d", 90 * 24 * time.Hour, "90d"}, {"48h", 48 * time.Hour, "2d"}, {"12h", 12 * time.Hour, "12h"}, {"1h30m", 90 * time.Minute, "1h30m"},
		{"90s", 90 * time.Second, "1m30s"}, {"10m", 10 * time.Minute, "10m"}, {"10s", 10 * time.Second, "10s"}, {"1.5h", 90 * time.Minute, "1h30m"},
		{"0", 0, "0s"}, {"0d", 0, "0s"}, {"-1d", -24 * time.Hour, "-1d"}, {"65535d", 65535 * 24 * time.Hour, "65535d"},
	} {
		var d config.Duration
		if err := d.UnmarshalText([]byte(test.text)); err != nil || d.Std() != test.want || d.String() != test.again {
			t.Errorf("%s is %v, written %s, %v; want %v, %s", test.text, d.Std(), d, err, test.want, test.again)
		}
	}
	for _, bad := range []string{"", "90", "90 days", "d", "1.5d", "1d12h", "65536d"} {
		if err := new(config.Duration).UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestParseStation(t *testing.T) {
	s, err := config.ParseStation("hamburg/line 1/station3")
	if err != nil || s.ID() != "hamburg/line 1/station3" {
		t.Errorf("got %v, %v", s, err)
	}
	for _, bad := range []string{"", "a/b", "a/b/c/d", "a//c", "a/+/c", "a/b/#", "a/b/$c", "a/b/c\n"} {
		if _, err := config.ParseStation(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestSourceSplit(t *testing.T) {
	tests := []struct{ source, kind, target string }{
		{"v4l2:/dev/video0", "v4l2", "/dev/video0"},
		{"gstreamer:videotestsrc ! appsink", "gstreamer", "videotestsrc ! appsink"},
		{"rtsp://camera/stream", "rtsp", "rtsp://camera/stream"},
		{"rtsps://camera/stream", "rtsp", "rtsps://camera/stream"},
		{"file:a:b.avi", "file", "a:b.avi"},
		{"clip.avi", "", "clip.avi"},
	}
	for _, test := range tests {
		if kind, target := config.Source(test.source).Split(); kind != test.kind || target != test.target {
			t.Errorf("%s: got %q, %q", test.source, kind, target)
		}
	}
}

// Parse returns a configuration or problems, whatever is in the file.
func FuzzParse(f *testing.F) {
	f.Add(config.Example())
	f.Add(minimal)
	f.Add("station = 1\n[[camera]]\nsource = 2")
	f.Add("[station.site]\nx = {y = [1979-05-27, 07:32:00]}")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := config.Parse([]byte(text), "station.toml")
		if (c == nil) == (err == nil) {
			t.Fatalf("configuration %v with error %v", c, err)
		}
		if err == nil {
			return
		}
		problems, ok := errors.AsType[config.Problems](err)
		if !ok || len(problems) == 0 {
			t.Fatalf("error without problems: %v", err)
		}
		for _, p := range problems {
			if p.Line < 0 || p.Line > strings.Count(text, "\n")+1 {
				t.Errorf("line %d of %d: %v", p.Line, strings.Count(text, "\n")+1, p)
			}
		}
	})
}

// A preset sets the keys that the file does not set, and no others.
func TestPresets(t *testing.T) {
	const bgr = " ! videoconvert ! video/x-raw,format=BGR ! appsink drop=true max-buffers=1 sync=false"
	for _, test := range []struct {
		name, keys string
		want       config.Camera
	}{
		{"usb", `preset = "usb"`, config.Camera{Preset: "usb", Source: "v4l2:/dev/tirewatch-camera", Width: 1280, Height: 720, FPS: 30, FourCC: "MJPG"}},
		{"usb, all of it said otherwise", "preset = \"usb\"\nsource = \"v4l2:/dev/video2\"\nwidth = 640\nheight = 480\nfps = 0\nfourcc = \"\"",
			config.Camera{Preset: "usb", Source: "v4l2:/dev/video2", Width: 640, Height: 480}},
		{"pi-csi", `preset = "pi-csi"`, config.Camera{Preset: "pi-csi", Width: 1280, Height: 720, FPS: 30,
			Source: "gstreamer:libcamerasrc ! video/x-raw,width=1280,height=720,framerate=30/1" + bgr}},
		{"pi-csi of another size", "preset = \"pi-csi\"\nwidth = 1920\nheight = 1080\nfps = 15", config.Camera{Preset: "pi-csi", Width: 1920, Height: 1080, FPS: 15,
			Source: "gstreamer:libcamerasrc ! video/x-raw,width=1920,height=1080,framerate=15/1" + bgr}},
		{"jetson-csi", `preset = "jetson-csi"`, config.Camera{Preset: "jetson-csi", Width: 1280, Height: 720, FPS: 60,
			Source: "gstreamer:nvarguscamerasrc ! video/x-raw(memory:NVMM),width=1280,height=720,framerate=60/1 ! nvvidconv ! video/x-raw,format=BGRx" + bgr}},
		{"rtsp", "preset = \"rtsp\"\nsource = \"rtsp://cam/1\"", config.Camera{Preset: "rtsp", Source: "rtsp://cam/1", LowLatency: true}},
	} {
		c, err := config.Parse([]byte(strings.Replace(minimal, `source = "v4l2:/dev/video0"`, test.keys, 1)), "s.toml")
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		} else if diff := cmp.Diff(test.want, c.Camera); diff != "" {
			t.Errorf("%s: want -, got +:\n%s", test.name, diff)
		}
	}
}
