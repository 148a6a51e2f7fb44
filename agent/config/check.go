package config

import (
	"fmt"
	"math"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dustin/go-humanize"

	"tirewatch/vision/cut"
	"tirewatch/vision/verdict"
)

// check reports every value that the station could not work with. It checks the text only: files
// and devices are checked where they are opened.
func (r *reader) check(c *Config) {
	r.name("station.site", c.Station.Site)
	r.name("station.line", c.Station.Line)
	r.name("station.name", c.Station.Name)
	r.camera(c.Camera)
	r.locate(c.Locate)
	r.trigger(c)
	r.reject(c)
	r.model(c.Model)
	r.journal(c.Journal)
	r.mqtt(c.MQTT)
	r.sparkplug(c.Sparkplug, c.MQTT)
	r.address("metrics.listen", c.Metrics.Listen, "127.0.0.1:9464")
	r.page(c.Page)
	oneOf(r, "log.level", c.Log.Level, "debug", "info", "warn", "error")
	oneOf(r, "log.format", c.Log.Format, "text", "json")
}

const sources = "want v4l2:/dev/video0, gstreamer:PIPELINE, rtsp://HOST/PATH, file:CLIP or folder:DIR"

var fourCC = regexp.MustCompile(`^[0-9A-Za-z]{4}$`)

func (r *reader) camera(c Camera) {
	if c.Preset != "" {
		oneOf(r, "camera.preset", c.Preset, Presets...)
	}
	kind, target := c.Source.Split()
	if r.required("camera.source", string(c.Source), sources) {
		shown := withoutLogin(string(c.Source))
		r.rule("camera.source", kind != "", "invalid source %q: %s", shown, sources)
		r.rule("camera.source", target != "", "incomplete source %q: %s", shown, sources)
	}
	between(r, "camera.width", c.Width, 0, 1<<14)
	between(r, "camera.height", c.Height, 0, 1<<14)
	between(r, "camera.fps", c.FPS, 0, 1000)
	r.rule("camera.fourcc", c.FourCC == "" || fourCC.MatchString(c.FourCC),
		"invalid pixel format %q: want four letters like MJPG", c.FourCC)
	for _, s := range []struct {
		key   string
		value *int
	}{
		{"camera.exposure", c.Exposure}, {"camera.gain", c.Gain},
		{"camera.white_balance", c.WhiteBalance}, {"camera.focus", c.Focus},
	} {
		if s.value == nil {
			continue
		}
		r.rule(s.key, kind == "" || kind == SourceV4L2, "works only with v4l2 cameras: "+
			"set it in the elements of the pipeline, or in the network camera itself")
		between(r, s.key, *s.value, 0, math.MaxInt32)
	}
}

func (r *reader) locate(l Locate) {
	oneOf(r, "locate.mode", l.Mode, LocateRound, LocateRegion)
	r.region(l)
	between(r, "locate.min_diameter", l.MinDiameter, 0.01, 2)
	between(r, "locate.max_diameter", l.MaxDiameter, 0.01, 2)
	if !r.broken("locate.min_diameter") {
		r.rule("locate.max_diameter", l.MaxDiameter >= l.MinDiameter,
			"%v is too small: want at least locate.min_diameter, %v", l.MaxDiameter, l.MinDiameter)
	}
	between(r, "locate.margin", l.Margin, 0, 0.5)
	oneOf(r, "locate.view", cut.View(l.View), cut.Views...)
	if l.View == string(cut.SideWall) {
		r.rule("locate.view", l.Mode != LocateRegion, "sidewall needs locate.mode round: a region has no rim to find")
	}
	low, high := cut.Limits(cut.View(l.View))
	between(r, "locate.tile", l.TileSize(), low, high)
	between(r, "locate.overlap", l.Overlap, 0, cut.MaxOverlap)
}

func (r *reader) region(l Locate) {
	const want = "want [x0, y0, x1, y1] in px of the frame"
	if l.Region == nil {
		r.rule("locate.region", l.Mode != LocateRegion, "missing with mode region: %s", want)
		return
	}
	g := l.Region
	r.rule("locate.region", len(g) == 4 && slices.Min(g) >= 0 && g[0] < g[2] && g[1] < g[3],
		"invalid region %s: %s with x0 < x1 and y0 < y1", list(g), want)
}

func (r *reader) trigger(c *Config) {
	t := c.Trigger
	if t.Mode != "" {
		oneOf(r, "trigger.mode", t.Mode, TriggerPresence, TriggerFrame, TriggerPhotoEye, TriggerCommand)
	}
	between(r, "trigger.frames", t.Frames, 1, 100)
	oneOf(r, "trigger.vote", t.Vote, verdict.Rules()...)
	between(r, "trigger.budget", t.Budget, 0, Duration(time.Minute))
	r.rule("trigger.gpio", t.GPIO != "" || t.Mode != TriggerPhotoEye,
		"missing with mode photo-eye: want the GPIO line of the photo-eye, like GPIO17")
	r.rule("trigger.mode", t.Mode != TriggerCommand || c.MQTT.Enabled(), "command needs mqtt.broker")
	oneOf(r, "trigger.active", t.Active, ActiveHigh, ActiveLow)
	between(r, "trigger.debounce", t.Debounce, Duration(time.Millisecond), Duration(time.Second))
	between(r, "trigger.delay", t.Delay, 0, Duration(time.Minute))
	between(r, "trigger.window", t.Window, Duration(10*time.Millisecond), Duration(time.Minute))
	between(r, "trigger.min_gap", t.MinGap, 0, Duration(time.Minute))
	r.rule("trigger.budget", !t.External() || t.Budget == 0 || t.Budget >= t.Delay+t.Window,
		"%v is too short: want at least trigger.delay + trigger.window, %v", t.Budget, t.Delay+t.Window)
}

func (r *reader) reject(c *Config) {
	j := c.Reject
	oneOf(r, "reject.active", j.Active, ActiveHigh, ActiveLow)
	oneOf(r, "reject.on", j.On, OnReject, OnPass)
	oneOf(r, "reject.on_unsure", j.OnUnsure, OnReject, OnPass)
	between(r, "reject.delay", j.Delay, 0, Duration(10*time.Minute))
	between(r, "reject.width", j.Width, Duration(time.Millisecond), Duration(time.Minute))
	between(r, "reject.pulses", j.Pulses, 0, 1_000_000)
	r.rule("reject.encoder", j.Encoder == "" || j.GPIO != "", "needs reject.gpio")
	r.rule("reject.pulses", j.Pulses == 0 || j.Encoder != "", "needs reject.encoder")
	r.rule("reject.pulses", j.Pulses > 0 || j.Encoder == "",
		"missing with reject.encoder: want the number of pulses from the camera to the ejector, like 400")
	r.rule("reject.delay", j.Delay == 0 || j.Encoder == "", "excludes reject.encoder: use reject.pulses instead")
	r.rule("reject.mqtt", !j.MQTT || c.MQTT.Enabled(), "needs mqtt.broker")
	lines := map[string]string{}
	for _, l := range []struct{ key, line string }{
		{"trigger.gpio", c.Trigger.GPIO}, {"reject.gpio", j.GPIO}, {"reject.encoder", j.Encoder},
	} {
		r.rule(l.key, l.line == "" || lines[l.line] == "", "%q is already used by %s", l.line, lines[l.line])
		lines[l.line] = l.key
	}
}

func (r *reader) model(m Model) {
	r.required("model.dir", m.Dir, "want a folder")
	const want = `want the public key files whose bundles are accepted, like ["maker.pub"]`
	r.rule("model.keys", len(m.Keys) > 0, "missing: "+want)
	r.rule("model.keys", !slices.Contains(m.Keys, ""), "an entry is empty: "+want)
	between(r, "model.latency_budget", m.LatencyBudget, 0, Duration(time.Minute))
	between(r, "model.probation", m.Probation, 0, 1_000_000)
	between(r, "model.probation_time", m.ProbationTime, 0, 30*Day)
	between(r, "model.probation_crashes", m.ProbationCrashes, 0, 1000)
	between(r, "model.probation_disagreement", m.ProbationDisagreement, 0, 1)
	between(r, "model.probation_unsure", m.ProbationUnsure, 0, 1)
}

func (r *reader) journal(j Journal) {
	r.required("journal.path", j.Path, "want a file")
	r.size("journal.max_size", j.MaxSize, 1<<20)
	oneOf(r, "journal.crops", j.Crops, CropsCrack, CropsReview, CropsAll, CropsOff)
	between(r, "journal.crops_uncertain", j.CropsUncertain, 0, 20)
	between(r, "journal.crops_sample", j.CropsSample, 0, 1)
	r.size("journal.crops_max_size", j.CropsMaxSize, 1<<20)
	between(r, "journal.max_age", j.MaxAge, 0, 36500*Day)
}

func (r *reader) mqtt(m MQTT) {
	if m.Broker != "" {
		r.broker("mqtt.broker", m.Broker)
	}
	for level := range strings.SplitSeq(m.Root, "/") {
		r.name("mqtt.root", level)
	}
	r.clientID("mqtt.client_id", m.ClientID)
	for _, f := range []struct{ key, path string }{
		{"mqtt.password_file", m.PasswordFile}, {"mqtt.ca_file", m.CAFile},
		{"mqtt.cert_file", m.CertFile}, {"mqtt.key_file", m.KeyFile},
	} {
		r.credential(f.key, f.path)
	}
	r.rule("mqtt.password_file", m.PasswordFile == "" || m.Username != "", "needs mqtt.username")
	r.rule("mqtt.cert_file", m.CertFile == "" || m.KeyFile != "", "needs mqtt.key_file")
	r.rule("mqtt.key_file", m.KeyFile == "" || m.CertFile != "", "needs mqtt.cert_file")
	oneOf(r, "mqtt.encoding", m.Encoding, verdict.JSON, verdict.MessagePack)
	if m.HealthPeriod != 0 {
		between(r, "mqtt.health_period", m.HealthPeriod, Duration(time.Second), Duration(24*time.Hour))
	}
}

// broker refuses a login in the URL, where process lists and logs would show the password.
func (r *reader) broker(key, broker string) {
	shown := withoutLogin(broker)
	r.rule(key, shown == broker, "%q has a login: want it in mqtt.username and mqtt.password_file", shown)
	u, err := url.Parse(broker)
	r.rule(key, err == nil && slices.Contains([]string{"mqtt", "mqtts", "tcp", "ssl"}, u.Scheme) &&
		u.Hostname() != "" && u.User == nil && strings.Trim(u.Path, "/") == "" && u.RawQuery == "",
		"invalid broker URL %q: want mqtt://HOST or mqtts://HOST, and :PORT if it is not 1883 or 8883", shown)
}

var login = regexp.MustCompile(`//.*@`)

// withoutLogin hides name and password in what may be a URL.
func withoutLogin(url string) string { return login.ReplaceAllString(url, "//xxxxx@") }

// sparkplug checks the names that the file sets. The defaults are made of names that are checked.
func (r *reader) sparkplug(s Sparkplug, m MQTT) {
	for _, n := range []struct{ key, value string }{
		{"sparkplug.group", s.Group}, {"sparkplug.node", s.Node}, {"sparkplug.primary_host", s.PrimaryHost},
	} {
		if n.value != "" {
			r.name(n.key, n.value)
		}
	}
	r.name("sparkplug.device", s.Device)
	r.clientID("sparkplug.client_id", s.ClientID)
	r.rule("sparkplug.client_id", s.ClientID == "" || s.ClientID != m.ClientID,
		"%q is already mqtt.client_id: want another, each session needs its own", s.ClientID)
	r.rule("sparkplug.enabled", !s.Enabled || m.Enabled(), "needs mqtt.broker")
	between(r, "sparkplug.overlap", s.Overlap, Duration(time.Minute), Duration(time.Hour))
}

func (r *reader) clientID(key, id string) {
	r.rule(key, utf8.ValidString(id) && !strings.ContainsFunc(id, unicode.IsControl),
		"invalid client id %q: want no control characters", id)
}

// page refuses a page that the network reaches without a password or without TLS.
func (r *reader) page(p Page) {
	r.address("page.listen", p.Listen, "127.0.0.1:8080")
	for _, f := range []struct{ key, path string }{
		{"page.password_file", p.PasswordFile}, {"page.viewer_password_file", p.ViewerPasswordFile},
		{"page.cert_file", p.CertFile}, {"page.key_file", p.KeyFile},
	} {
		r.credential(f.key, f.path)
	}
	r.rule("page.viewer_password_file", p.ViewerPasswordFile == "" || p.PasswordFile != "",
		"needs page.password_file: without an operator nobody could change anything")
	r.rule("page.cert_file", p.CertFile == "" || p.KeyFile != "", "needs page.key_file")
	r.rule("page.key_file", p.KeyFile == "" || p.CertFile != "", "needs page.cert_file")
	if p.Listen != "" && !p.Local() {
		r.rule("page.listen", p.PasswordFile != "", "the network reaches %s, which needs page.password_file: "+
			"write one with `tirewatch-agent password`, or listen on 127.0.0.1:8080", p.Listen)
		r.rule("page.listen", p.CertFile != "", "the network reaches %s, which needs page.cert_file and "+
			"page.key_file: without TLS everyone in the network could read the passwords", p.Listen)
	}
	n := len(p.Shifts)
	r.rule("page.shifts", n > 0 && n <= 24, "%d shifts: want 1 to 24 times of day", n)
	for i, s := range p.Shifts {
		_, err := time.Parse(clockTime, s)
		r.rule("page.shifts", err == nil && len(s) == len(clockTime),
			"invalid time of day %q: want HH:MM, like 06:00", s)
		r.rule("page.shifts", i == 0 || s > p.Shifts[i-1], "%q is not after %q: want the times in order",
			s, p.Shifts[max(i, 1)-1])
	}
}

// address checks for HOST:PORT or nothing.
func (r *reader) address(key, address, example string) {
	if address == "" {
		return
	}
	_, port, err := net.SplitHostPort(address)
	_, portErr := strconv.ParseUint(port, 10, 16)
	r.rule(key, err == nil && portErr == nil,
		"invalid address %q: want HOST:PORT like %s, or \"\" for none", address, example)
}

// credential checks the name of a file that systemd passes to the service.
func (r *reader) credential(key, path string) {
	name, ok := strings.CutPrefix(path, credential)
	r.rule(key, !ok || name != "" && name == filepath.Base(name) && name != "." && name != "..",
		"invalid credential %q: want credential:NAME", path)
}

// size checks for at least low bytes.
func (r *reader) size(key string, s Size, low int64) {
	n, err := s.parse()
	r.rule(key, err == nil, "invalid size %q: want a size like 512MiB", s)
	r.rule(key, n >= low, "%q is too small: want at least %s", s, humanize.IBytes(uint64(low)))
}

// maxName limits one level of a topic, so that whole topics stay far below MQTT's 65535 bytes.
const maxName = 64

const names = "without / + # $ and control characters"

// name checks one level of a topic.
func (r *reader) name(key, value string) {
	if r.required(key, value, "want a name "+names) {
		r.rule(key, validName(value), "invalid name %q: want at most %d bytes %s", value, maxName, names)
	}
}

func validName(name string) bool {
	banned := func(c rune) bool { return strings.ContainsRune("/+#$", c) || unicode.IsControl(c) }
	return name != "" && len(name) <= maxName && utf8.ValidString(name) && !strings.ContainsFunc(name, banned)
}

// required reports a missing or empty value. It returns whether there is a value to check further.
func (r *reader) required(key, value, want string) bool {
	if _, present := r.lines[key]; present {
		r.rule(key, value != "", "empty: %s", want)
	} else {
		r.rule(key, value != "", "missing: %s", want)
	}
	return value != ""
}

// rule reports a value that breaks a rule, unless the key already has a problem.
func (r *reader) rule(key string, ok bool, format string, args ...any) {
	if !ok && !r.broken(key) {
		r.problem(key, format, args...)
	}
}

// between reports a NaN too.
func between[N int | float64 | Duration](r *reader, key string, value, low, high N) {
	r.rule(key, value >= low && value <= high, "%v is out of range: want %v to %v", value, low, high)
}

func oneOf[S ~string](r *reader, key string, value S, accepted ...S) {
	names := make([]string, len(accepted))
	for i, a := range accepted {
		names[i] = string(a)
	}
	r.rule(key, slices.Contains(accepted, value), "invalid value %q: want %s", value, strings.Join(names, " or "))
}

// list writes numbers as TOML does.
func list(numbers []int) string { return strings.ReplaceAll(fmt.Sprint(numbers), " ", ", ") }
