package config

import (
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

var fourCC = regexp.MustCompile(`^[0-9A-Za-z]{4}$`)

// maxName bounds one level of a topic, so that whole topics stay far below MQTT's 65535 bytes.
const maxName = 64

// check reports every value that the station could not work with. It looks at the text only:
// whether files and devices exist is found out where they are opened.
func (r *reader) check(c *Config) {
	r.name("station.site", c.Station.Site)
	r.name("station.line", c.Station.Line)
	r.name("station.name", c.Station.Name)

	if c.Camera.Preset != "" {
		oneOf(r, "camera.preset", c.Camera.Preset, Presets...)
	}
	const sources = "want v4l2:/dev/video0, gstreamer:PIPELINE, rtsp://HOST/PATH, file:CLIP or folder:DIR"
	if r.required("camera.source", string(c.Camera.Source), sources) {
		kind, target := c.Camera.Source.Split()
		r.rule("camera.source", kind != "", "%q is no source, %s", c.Camera.Source, sources)
		r.rule("camera.source", target != "", "%q names nothing to open, %s", c.Camera.Source, sources)
	}
	between(r, "camera.width", c.Camera.Width, 0, 1<<14)
	between(r, "camera.height", c.Camera.Height, 0, 1<<14)
	between(r, "camera.fps", c.Camera.FPS, 0, 1000)
	r.rule("camera.fourcc", c.Camera.FourCC == "" || fourCC.MatchString(c.Camera.FourCC), "%q is no pixel format, want four letters like MJPG", c.Camera.FourCC)

	for _, s := range []struct {
		key   string
		value *int
	}{
		{"camera.exposure", c.Camera.Exposure}, {"camera.gain", c.Camera.Gain},
		{"camera.white_balance", c.Camera.WhiteBalance}, {"camera.focus", c.Camera.Focus},
	} {
		if s.value == nil {
			continue
		}
		kind, _ := c.Camera.Source.Split()
		r.rule(s.key, kind == "" || kind == SourceV4L2, "is for v4l2 cameras; a pipeline's own elements have such properties, a network camera has a page of its own")
		between(r, s.key, *s.value, 0, math.MaxInt32)
	}

	oneOf(r, "locate.mode", c.Locate.Mode, LocateRound, LocateRegion)
	r.region(c.Locate)
	between(r, "locate.min_diameter", c.Locate.MinDiameter, 0.01, 2)
	between(r, "locate.max_diameter", c.Locate.MaxDiameter, 0.01, 2)
	if !r.broken("locate.min_diameter") {
		r.rule("locate.max_diameter", c.Locate.MaxDiameter >= c.Locate.MinDiameter, "%v is below locate.min_diameter, %v",
			c.Locate.MaxDiameter, c.Locate.MinDiameter)
	}
	between(r, "locate.margin", c.Locate.Margin, 0, 0.5)
	oneOf(r, "locate.view", cut.View(c.Locate.View), cut.Views...)
	low, high := cut.Limits(cut.View(c.Locate.View))
	if c.Locate.View == string(cut.SideWall) {
		r.rule("locate.view", c.Locate.Mode != LocateRegion, "sidewall needs mode round: nobody knows where the rim is in a region")
	}
	between(r, "locate.tile", c.Locate.TileSize(), low, high)
	between(r, "locate.overlap", c.Locate.Overlap, 0, cut.MaxOverlap)

	r.trigger(c)
	r.reject(c)

	r.required("model.dir", c.Model.Dir, "want a folder")
	r.rule("model.keys", len(c.Model.Keys) > 0, "missing, want the public key files whose bundles are accepted, like [\"maker.pub\"]")
	r.rule("model.keys", !slices.Contains(c.Model.Keys, ""), "an entry is empty, want public key files")
	between(r, "model.latency_budget", c.Model.LatencyBudget, 0, Duration(time.Minute))
	between(r, "model.probation", c.Model.Probation, 0, 1_000_000)
	between(r, "model.probation_time", c.Model.ProbationTime, 0, 30*Day)
	between(r, "model.probation_crashes", c.Model.ProbationCrashes, 0, 1000)
	between(r, "model.probation_disagreement", c.Model.ProbationDisagreement, 0, 1)
	r.required("journal.path", c.Journal.Path, "want a file")
	r.size("journal.max_size", c.Journal.MaxSize, 1<<20)
	oneOf(r, "journal.crops", c.Journal.Crops, CropsCrack, CropsReview, CropsAll, CropsOff)
	between(r, "journal.crops_uncertain", c.Journal.CropsUncertain, 0, 20)
	between(r, "journal.crops_sample", c.Journal.CropsSample, 0, 1)
	r.size("journal.crops_max_size", c.Journal.CropsMaxSize, 1<<20)
	between(r, "journal.max_age", c.Journal.MaxAge, 0, 36500*Day)

	r.mqtt(c.MQTT)
	r.sparkplug(c.Sparkplug, c.MQTT)
	r.address("metrics.listen", c.Metrics.Listen, "127.0.0.1:9464")
	r.page(c.Page)
	oneOf(r, "log.level", c.Log.Level, "debug", "info", "warn", "error")
	oneOf(r, "log.format", c.Log.Format, "text", "json")
}

func (r *reader) trigger(c *Config) {
	t := c.Trigger
	if t.Mode != "" {
		oneOf(r, "trigger.mode", t.Mode, TriggerPresence, TriggerFrame, TriggerPhotoEye, TriggerCommand)
	}
	between(r, "trigger.frames", t.Frames, 1, 100)
	oneOf(r, "trigger.vote", t.Vote, verdict.Rules()...)
	between(r, "trigger.budget", t.Budget, 0, Duration(time.Minute))
	r.rule("trigger.gpio", t.GPIO != "" || t.Mode != TriggerPhotoEye, "missing, mode photo-eye wants the line of the photo-eye, like GPIO17")
	r.rule("trigger.mode", t.Mode != TriggerCommand || c.MQTT.Enabled(), "command needs mqtt.broker")
	oneOf(r, "trigger.active", t.Active, ActiveHigh, ActiveLow)
	between(r, "trigger.debounce", t.Debounce, Duration(time.Millisecond), Duration(time.Second))
	between(r, "trigger.delay", t.Delay, 0, Duration(time.Minute))
	between(r, "trigger.window", t.Window, Duration(10*time.Millisecond), Duration(time.Minute))
	between(r, "trigger.min_gap", t.MinGap, 0, Duration(time.Minute))
	r.rule("trigger.budget", !t.Asked() || t.Budget == 0 || t.Budget >= t.Delay+t.Window,
		"%v is over before the window is, want at least trigger.delay and trigger.window, %v", t.Budget, t.Delay+t.Window)
}

func (r *reader) reject(c *Config) {
	j := c.Reject
	oneOf(r, "reject.active", j.Active, ActiveHigh, ActiveLow)
	oneOf(r, "reject.on", j.On, OnReject, OnPass)
	between(r, "reject.delay", j.Delay, 0, Duration(10*time.Minute))
	between(r, "reject.width", j.Width, Duration(time.Millisecond), Duration(time.Minute))
	between(r, "reject.pulses", j.Pulses, 0, 1_000_000)
	r.rule("reject.encoder", j.Encoder == "" || j.GPIO != "", "needs reject.gpio")
	r.rule("reject.pulses", (j.Pulses > 0) == (j.Encoder != ""), "and reject.encoder belong together")
	r.rule("reject.delay", j.Delay == 0 || j.Encoder == "", "is counted in reject.pulses where there is an encoder")
	r.rule("reject.mqtt", !j.MQTT || c.MQTT.Enabled(), "needs mqtt.broker")
	lines := map[string]string{}
	for _, l := range []struct{ key, line string }{{"trigger.gpio", c.Trigger.GPIO}, {"reject.gpio", j.GPIO}, {"reject.encoder", j.Encoder}} {
		r.rule(l.key, l.line == "" || lines[l.line] == "", "%q is %s already", l.line, lines[l.line])
		lines[l.line] = l.key
	}
}

func (r *reader) mqtt(m MQTT) {
	if m.Broker != "" {
		r.rule("mqtt.broker", validBroker(m.Broker), "%q is no broker, want mqtt://HOST or mqtts://HOST, with :PORT if it is not 1883 or 8883",
			m.Broker)
	}
	for level := range strings.SplitSeq(m.Root, "/") {
		r.name("mqtt.root", level)
	}
	r.clientID("mqtt.client_id", m.ClientID)
	for _, f := range []struct{ key, path string }{
		{"mqtt.password_file", m.PasswordFile}, {"mqtt.ca_file", m.CAFile}, {"mqtt.cert_file", m.CertFile}, {"mqtt.key_file", m.KeyFile},
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

// sparkplug checks names that are given; the others are made of names that are checked.
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
	r.rule("sparkplug.client_id", s.ClientID == "" || s.ClientID != m.ClientID, "%q is that of mqtt, and the broker lets an id in once", s.ClientID)
	r.rule("sparkplug.enabled", !s.Enabled || m.Enabled(), "needs mqtt.broker")
	between(r, "sparkplug.overlap", s.Overlap, Duration(time.Minute), Duration(time.Hour))
}

func (r *reader) clientID(key, id string) {
	r.rule(key, utf8.ValidString(id) && !strings.ContainsFunc(id, unicode.IsControl), "%q holds control characters", id)
}

// page refuses a page that the network reaches without a password or in the clear.
func (r *reader) page(p Page) {
	r.address("page.listen", p.Listen, "127.0.0.1:8080")
	for _, f := range []struct{ key, path string }{
		{"page.password_file", p.PasswordFile}, {"page.viewer_password_file", p.ViewerPasswordFile},
		{"page.cert_file", p.CertFile}, {"page.key_file", p.KeyFile},
	} {
		r.credential(f.key, f.path)
	}
	r.rule("page.viewer_password_file", p.ViewerPasswordFile == "" || p.PasswordFile != "", "needs page.password_file, else nobody may change anything")
	r.rule("page.cert_file", p.CertFile == "" || p.KeyFile != "", "needs page.key_file")
	r.rule("page.key_file", p.KeyFile == "" || p.CertFile != "", "needs page.cert_file")
	if p.Listen != "" && !p.Local() {
		r.rule("page.listen", p.PasswordFile != "", "the network reaches %s, which needs page.password_file: `tirewatch-agent password` makes one; "+
			"127.0.0.1:8080 needs none", p.Listen)
		r.rule("page.listen", p.CertFile != "", "the network reaches %s, which needs page.cert_file and page.key_file, else passwords travel in the clear", p.Listen)
	}
	r.rule("page.shifts", len(p.Shifts) > 0 && len(p.Shifts) <= 24, "%d shifts, want 1 to 24 times of day", len(p.Shifts))
	for i, s := range p.Shifts {
		_, err := time.Parse(clockTime, s)
		r.rule("page.shifts", err == nil && len(s) == len(clockTime), "%q is no time of day, want something like 06:00", s)
		r.rule("page.shifts", i == 0 || s > p.Shifts[i-1], "%q is not after %q", s, p.Shifts[max(i, 1)-1])
	}
}

// address wants HOST:PORT, or nothing.
func (r *reader) address(key, address, example string) {
	if address == "" {
		return
	}
	_, port, err := net.SplitHostPort(address)
	_, portErr := strconv.ParseUint(port, 10, 16)
	r.rule(key, err == nil && portErr == nil, "%q is no address, want HOST:PORT like %s, or \"\" for none", address, example)
}

// credential wants a name where the path is one of systemd's.
func (r *reader) credential(key, path string) {
	name, ok := strings.CutPrefix(path, credential)
	r.rule(key, !ok || name != "" && name == filepath.Base(name) && name != "." && name != "..", "%q names no credential, want credential:NAME", path)
}

// size wants at least low bytes.
func (r *reader) size(key string, s Size, low int64) {
	n, err := s.parse()
	r.rule(key, err == nil, "%q is no size, want something like 512MiB", s)
	r.rule(key, n >= low, "%q is too small, want at least %s", s, humanize.IBytes(uint64(low)))
}

// validBroker leaves no room for a password in the URL, where process lists and logs would show it.
func validBroker(broker string) bool {
	u, err := url.Parse(broker)
	return err == nil && slices.Contains([]string{"mqtt", "mqtts", "tcp", "ssl"}, u.Scheme) &&
		u.Hostname() != "" && u.User == nil && strings.Trim(u.Path, "/") == "" && u.RawQuery == ""
}

func (r *reader) region(l Locate) {
	if l.Region == nil {
		r.rule("locate.region", l.Mode != LocateRegion, "missing, mode region wants [x0, y0, x1, y1] in px of the frame")
		return
	}
	g := l.Region
	r.rule("locate.region", len(g) == 4 && slices.Min(g) >= 0 && g[0] < g[2] && g[1] < g[3],
		"%v is no region, want [x0, y0, x1, y1] in px of the frame with x0 < x1 and y0 < y1", g)
}

// name checks one topic level.
func (r *reader) name(key, value string) {
	if r.required(key, value, "want a name without / + # $ and control characters") {
		r.rule(key, validName(value), "%q cannot be part of a topic, want at most %d bytes without / + # $ and control characters", value, maxName)
	}
}

func validName(name string) bool {
	return name != "" && len(name) <= maxName && utf8.ValidString(name) && !strings.ContainsFunc(name, func(c rune) bool {
		return strings.ContainsRune("/+#$", c) || unicode.IsControl(c)
	})
}

// required reports an absent or empty value; it returns whether there is one to check further.
func (r *reader) required(key, value, want string) bool {
	if _, present := r.lines[key]; present {
		r.rule(key, value != "", "is empty, %s", want)
	} else {
		r.rule(key, value != "", "missing, %s", want)
	}
	return value != ""
}

// rule reports a value that breaks a rule, unless the key is known to be wrong already.
func (r *reader) rule(key string, ok bool, format string, args ...any) {
	if !ok && !r.broken(key) {
		r.problem(key, format, args...)
	}
}

// between treats a NaN as outside.
func between[N int | float64 | Duration](r *reader, key string, value, low, high N) {
	r.rule(key, value >= low && value <= high, "%v is out of range, want %v to %v", value, low, high)
}

func oneOf[S ~string](r *reader, key string, value S, accepted ...S) {
	names := make([]string, len(accepted))
	for i, a := range accepted {
		names[i] = string(a)
	}
	r.rule(key, slices.Contains(accepted, value), "%q is not accepted, want %s", value, strings.Join(names, " or "))
}
