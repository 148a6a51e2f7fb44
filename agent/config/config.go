// Package config reads the station's configuration: one TOML file, one typed struct, whose field
// comments are the manual.
//
//	station.toml -> CONFIG -> camera, locate, trigger, models, journal, uplink, page
//
// Everything that is wrong with a file is reported at once, each problem with its line. Newcomers
// need Load, and Example for a file to start from. A file that names the station, the camera, the
// keys and the broker is enough: the rest has defaults.
package config

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tirewatch/vision/cut"
	"tirewatch/vision/verdict"
)

// Config is the whole file. Relative paths in it are relative to the folder of the file.
type Config struct {
	Station   Station   `toml:"station"`
	Camera    Camera    `toml:"camera"`
	Locate    Locate    `toml:"locate"`
	Trigger   Trigger   `toml:"trigger"`
	Reject    Reject    `toml:"reject"`
	Model     Model     `toml:"model"`
	Journal   Journal   `toml:"journal"`
	MQTT      MQTT      `toml:"mqtt"`
	Sparkplug Sparkplug `toml:"sparkplug"`
	Metrics   Metrics   `toml:"metrics"`
	Page      Page      `toml:"page"`
	Log       Log       `toml:"log"`
}

// Station names this station. The three names are levels of its MQTT topics and stand in every
// verdict, so none may be empty or hold / + # $ or control characters.
type Station struct {
	Site string `toml:"site"` // the plant
	Line string `toml:"line"` // the belt
	Name string `toml:"name"` // the place at the belt
}

// ID is site/line/name, the station's name in topics and verdicts.
func (s Station) ID() string { return s.Site + "/" + s.Line + "/" + s.Name }

// ParseStation reads an ID.
func ParseStation(id string) (Station, error) {
	parts := strings.Split(id, "/")
	if len(parts) != 3 || !validName(parts[0]) || !validName(parts[1]) || !validName(parts[2]) {
		return Station{}, fmt.Errorf("station %q: want SITE/LINE/NAME without + # $ and control characters", id)
	}
	return Station{Site: parts[0], Line: parts[1], Name: parts[2]}, nil
}

// Camera says where frames come from.
type Camera struct {
	// Preset fills in what is usual for a kind of camera, as far as the keys below do not say
	// otherwise:
	//	usb          a USB camera in Motion JPEG, which alone has full rate over USB 2: /dev/tirewatch-camera, 1280 x 720 px, 30 a second
	//	pi-csi       a CSI camera of a Raspberry Pi, through libcamera: 1280 x 720 px, 30 a second
	//	jetson-csi   a CSI camera of a Jetson, through NVIDIA's Argus: 1280 x 720 px, 60 a second
	//	rtsp         a network camera, whose Source must be given, with as little delay as can be
	// `tirewatch-agent check` shows what became of it. Optional.
	Preset string `toml:"preset"`
	// Source is one of
	//	v4l2:/dev/video0       a camera of the machine
	//	gstreamer:PIPELINE     a GStreamer pipeline that ends in an appsink (CSI cameras)
	//	rtsp://HOST/PATH       a network camera; rtsps:// with TLS
	//	file:clip.avi          a recorded clip
	//	folder:DIR             a folder of photographs, in the order of their names
	Source Source `toml:"source"`

	// Width, Height (px) and FPS are asked of a v4l2 camera, or of the pipeline of a preset; 0
	// leaves the choice to the driver.
	Width  int `toml:"width"`
	Height int `toml:"height"`
	FPS    int `toml:"fps"`

	// FourCC is the pixel format that is asked of a v4l2 camera, four letters like MJPG or YUYV;
	// empty leaves the choice to the driver.
	FourCC string `toml:"fourcc"`
	// Exposure (in 100 microseconds), Gain, WhiteBalance (K) and Focus lock a setting of a v4l2
	// camera, whose automatic is switched off. The network learned from pictures of one kind, and a
	// camera that adapts to each tire gives others. `v4l2-ctl --list-ctrls-menus` shows what a
	// camera has; a value that it does not take keeps the station from starting to look. Without a
	// key the camera decides.
	Exposure     *int `toml:"exposure"`
	Gain         *int `toml:"gain"`
	WhiteBalance *int `toml:"white_balance"`
	Focus        *int `toml:"focus"`
	// LowLatency keeps the decoder of a network camera from collecting pictures before it gives the
	// first. Default false, with preset rtsp true.
	LowLatency bool `toml:"low_latency"`

	// Realtime paces a clip or a folder as a camera would; without it frames come as fast as they
	// are inspected.
	Realtime bool `toml:"realtime"`
	// Loop starts a clip or a folder again at its end; without it the station stops there.
	Loop bool `toml:"loop"`
}

// Source is a checked camera source.
type Source string

// Kinds of sources, as Split returns them.
const (
	SourceV4L2      = "v4l2"
	SourceGStreamer = "gstreamer"
	SourceRTSP      = "rtsp"
	SourceFile      = "file"
	SourceFolder    = "folder"
)

// Split returns the kind of the source and what it opens: a device, a pipeline, a whole URL, a file
// or a folder. The kind is empty when the source is none of these.
func (s Source) Split() (kind, target string) {
	kind, target, _ = strings.Cut(string(s), ":")
	switch kind {
	case "rtsp", "rtsps":
		return SourceRTSP, string(s)
	case SourceV4L2, SourceGStreamer, SourceFile, SourceFolder:
		return kind, target
	}
	return "", string(s)
}

// Locate says how the tire is found in a frame.
type Locate struct {
	// Mode is "round" (search the round outline of the tire) or "region" (the tire is always in
	// Region). Default round.
	Mode string `toml:"mode"`
	// Region is [x0, y0, x1, y1] in px of the frame, x1 and y1 excluded. Mode region needs it.
	Region []int `toml:"region"`
	// MinDiameter and MaxDiameter bound the tire's outline, as a share of the frame's height. Just
	// below the smallest tire of the line is best: on a belt as dark as rubber a wheel could else
	// be taken for its tire. Defaults 0.3 and 1.
	MinDiameter float64 `toml:"min_diameter"`
	MaxDiameter float64 `toml:"max_diameter"`
	// Margin is added around the outline, as a share of its diameter. Default 0.02.
	Margin float64 `toml:"margin"`

	// View is what the network is shown of a tire:
	//	tire       the whole tire in one picture
	//	tiles      the same square, or the region, in tiles that overlap
	//	sidewall   the side wall between outline and rim, unwrapped, in tiles that overlap; needs mode round
	// A tile shows finer cracks than the whole tire, but each is a forward pass, and the network
	// must have been trained on such tiles. A tire is as cracked as its worst tile, so the
	// threshold is one for tiles: with n of them that are wrong now and then independently, a share
	// q of sound tires is rejected when the share q/n of sound tiles is. A side wall whose rim is
	// not found in any frame gets no decision, which rejects it. Default tire.
	View string `toml:"view"`
	// Tile is the side of a tile, as a share of the shorter side of the square, 0.2 to 1; of a side
	// wall its length half way up as a share of the wall's height, which a tile always has, 0.5 to
	// 2. 0 stands for 0.4 of the one and 1 of the other. Default 0.
	Tile float64 `toml:"tile"`
	// Overlap is by how much neighbouring tiles overlap at least, as a share of a tile, 0 to 0.5.
	// Default 0.25.
	Overlap float64 `toml:"overlap"`
}

// TileSize is Tile, or its default for the view.
func (l Locate) TileSize() float64 {
	if l.Tile == 0 {
		return cut.DefaultTile(cut.View(l.View))
	}
	return l.Tile
}

// Values of Locate.Mode.
const (
	LocateRound  = "round"
	LocateRegion = "region"
)

// Trigger says what makes a verdict. A tire gets one, whatever its triggers do: one too many is
// counted as double, one for a tire that has passed as late, and a tire that none came for as
// missing, which the camera notices (locate.mode round) and which is judged all the same. What was
// asked for and cannot be judged gets the verdict no_decision, which rejects.
type Trigger struct {
	// Mode is one of
	//	presence    one verdict for each tire that the camera sees pass
	//	frame       each frame is a tire of its own
	//	photo-eye   one verdict for each tire that a photo-eye at GPIO sees
	//	command     one verdict for each command "trigger" that a PLC sends to the topic command, with the name of the part if it has one:
	//	            {"id": "1", "command": "trigger", "part": "4711"}; "time" is when the part passed, in RFC 3339, by default now
	// Default presence, for a folder of photographs frame.
	Mode string `toml:"mode"`
	// Frames is how many frames of a passing tire are scored, 1 to 100: those in which it is
	// nearest to the middle of the picture. Each is a forward pass when the tire has left, or one
	// for each tile (locate.view), and meanwhile no frame is looked at: five frames of a side wall
	// are some 75 passes, so that 1 or 2 is sensible for tiles on a Pi. Default 5.
	Frames int `toml:"frames"`
	// Vote makes one score of these: "mean" of the logits, "majority" (the median: half of the
	// frames show a crack) or "any" (the highest: one frame shows a crack). Default mean.
	Vote verdict.Rule `toml:"vote"`
	// Budget is how long a decision may take from the trigger, in the modes presence and frame from
	// the last frame of the tire. Later than that there is none: the verdict is no_decision.
	// Default "0s": any time is taken.
	Budget Duration `toml:"budget"`

	// GPIO is the line of the photo-eye as the kernel names it: GPIO17 on a Raspberry Pi;
	// `gpioinfo` lists them. For photo-eye.
	GPIO string `toml:"gpio"`
	// Active is the level of GPIO while a tire is at the eye: "high" or "low". The line is pulled
	// to the other one, so that a broken wire is no tire; the camera then reports missing triggers.
	// Default high.
	Active string `toml:"active"`
	// Debounce is how long the level must stay to count, 1ms to 1s. The gap between two tires must
	// be longer. Default "5ms".
	Debounce Duration `toml:"debounce"`

	// Delay is the time from the trigger to the tire in the middle of the picture. A belt that
	// changes its speed or stops needs an eye where the tire is in the middle when it reaches it,
	// and "0s". Default "0s".
	Delay Duration `toml:"delay"`
	// Window is how long a trigger waits for its tire after that; the verdict comes as soon as
	// Frames good frames are there, and at the end of the window in any case, 10ms to 1m. Shorter
	// than a tire takes to the place of the next one. Default "500ms".
	Window Duration `toml:"window"`
	// MinGap is the least time between two tires: a trigger that follows sooner is a double. Where
	// the camera tells tires apart it is not needed; with locate.mode region nothing else shows
	// doubles. Default "0s".
	MinGap Duration `toml:"min_gap"`
}

// Values of Trigger.Mode.
const (
	TriggerPresence = "presence"
	TriggerFrame    = "frame"
	TriggerPhotoEye = "photo-eye"
	TriggerCommand  = "command"
)

// Asked says whether verdicts are asked for from outside.
func (t Trigger) Asked() bool { return t.Mode == TriggerPhotoEye || t.Mode == TriggerCommand }

// Values of Trigger.Active and Reject.Active.
const (
	ActiveHigh = "high"
	ActiveLow  = "low"
)

// Reject is what happens to a tire that is cracked or got no decision. Without GPIO and MQTT:
// nothing but its verdict.
type Reject struct {
	// GPIO is the line of the ejector or lamp as the kernel names it, like GPIO27. Optional.
	GPIO string `toml:"gpio"`
	// Active is the level of a pulse: "high" or "low". The line has the other one before the first
	// pulse, between pulses and when the agent stops. Default high.
	Active string `toml:"active"`
	// On says what a pulse means: "reject" throws the tire off the belt, "pass" lets it stay. With
	// pass a station that is dead, without power or cut off lets nothing pass, which is the safe
	// way to wire an ejector: normally pushing, held back by the pulse. Default reject.
	On string `toml:"on"`
	// Delay is the time from the middle of the picture to the ejector. "0s": at once, for a lamp. A
	// decision that comes later than that is a missed reject, which is reported: the tire has
	// passed the ejector. Default "0s".
	Delay Duration `toml:"delay"`
	// Width is how long a pulse lasts, 1ms to 1m. Default "100ms".
	Width Duration `toml:"width"`
	// Encoder is the line of a pulse generator at the belt. Pulses, counted on its rising edges,
	// then say when the tire is at the ejector, whatever the belt's speed, instead of Delay.
	// Optional.
	Encoder string `toml:"encoder"`
	Pulses  int    `toml:"pulses"`

	// MQTT publishes each reject to the topic reject, at once, for a PLC that ejects by itself.
	// What cannot be sent now is not sent later, and is a missed reject. Default false.
	MQTT bool `toml:"mqtt"`
}

// Values of Reject.On.
const (
	OnReject = "reject"
	OnPass   = "pass"
)

// Model says which networks the station trusts and where it keeps them.
type Model struct {
	// Dir is the folder of the model slots. Default /var/lib/tirewatch/models.
	Dir string `toml:"dir"`
	// Keys are the public key files whose bundles are accepted, at least one (`tirewatch keygen`
	// makes them). To change a key, name the new one beside the old one on every station, sign with
	// the new one, and take the old one out when the running model is signed by the new one.
	// Nothing that comes through MQTT can change whom a station trusts.
	Keys []string `toml:"keys"`
	// Revoked is a text file of keys and bundles that are refused although they are signed: lines
	// of "key ID" or "bundle ID", # for remarks. It is read again when it changes; a running model
	// that it names gives way to the one before. Optional.
	Revoked string `toml:"revoked"`
	// Initial is a bundle that is installed when the station has no model yet. Optional: a bundle
	// can be pushed instead.
	Initial string `toml:"initial"`
	// AcceptPush lets bundles in through MQTT. Default true.
	AcceptPush bool `toml:"accept_push"`
	// Inbox is a folder that bundles may be copied into, as from a USB stick: NAME.tire becomes
	// NAME.tire.accepted, or NAME.tire.refused with the reason in NAME.tire.refused.txt. Optional;
	// a folder that is not there yet is waited for.
	Inbox string `toml:"inbox"`
	// LatencyBudget refuses a bundle whose forward pass takes longer on this CPU (median). Default
	// "0s": any is taken.
	LatencyBudget Duration `toml:"latency_budget"`

	// Probation is how many verdicts a new model gives before the station believes it. Until then
	// the model before judges the same tires in its shadow and takes over again when the new one
	// fails. 0 believes at once. Default 200.
	Probation int `toml:"probation"`
	// ProbationTime ends the probation too, once a tenth of the verdicts were given. "0s": only
	// verdicts count. Default "30m".
	ProbationTime Duration `toml:"probation_time"`
	// ProbationCrashes is how often the agent may end badly (crash, watchdog, power cut) until the
	// new model is given up. 0: as often as it likes. Default 3.
	ProbationCrashes int `toml:"probation_crashes"`
	// ProbationDisagreement is the share of tires judged unlike the model before at which the new
	// one is given up. A retrained model may be right to differ, so the default 0 reports the share
	// and gives nothing up.
	ProbationDisagreement float64 `toml:"probation_disagreement"`
}

// Journal says where verdicts are kept, and for how long.
type Journal struct {
	// Path is the database file. Default /var/lib/tirewatch/journal.db.
	Path string `toml:"path"`
	// MaxSize bounds the database, like "512MiB" or "2GB", at least 1MiB. The oldest verdicts go
	// first. One that the broker has not taken goes only when nothing else is left to go: that is a
	// loss, which is reported in the log and in the station's status. Default 512MiB, about a
	// million verdicts.
	MaxSize Size `toml:"max_size"`
	// MaxAge is how long a verdict stays after the broker has taken it, like "90d" or "12h"; "0"
	// lets only MaxSize decide. The time counts while the station runs, so that a clock that jumps
	// deletes nothing. Default 90d.
	MaxAge Duration `toml:"max_age"`

	// Crops says of which verdicts the picture is kept that the network saw, of a tire in tiles the
	// one that decided, as a PNG beside the journal:
	//	crack    of rejected tires, which are what people ask about
	//	review   also of those from which the next network learns most: uncertain ones, those that a model on probation and the one before
	//	         judge differently, and a random sample
	//	all      of all tires, gigabytes a day for the card
	//	off      of none
	// Default review.
	Crops string `toml:"crops"`
	// CropsUncertain is how far from the threshold a score is uncertain, in logits: 2 around a
	// threshold of 0.5 is 0.12 to 0.88. Default 2.
	CropsUncertain float64 `toml:"crops_uncertain"`
	// CropsSample is the share of all tires that is kept at random, 0 to 1. Only these show what
	// the network is sure of and wrong about. Default 0.01.
	CropsSample float64 `toml:"crops_sample"`
	// CropsMaxSize bounds the pictures. The oldest go first, but what a person has labelled stays
	// until nothing else is left to go; what an export has goes before all others. Default 256MiB,
	// two to three thousand tires.
	CropsMaxSize Size `toml:"crops_max_size"`
}

// Values of Journal.Crops.
const (
	CropsCrack  = "crack"
	CropsReview = "review"
	CropsAll    = "all"
	CropsOff    = "off"
)

// MQTT is the connection to the broker. Without a broker the station inspects and journals, and
// sends nothing.
type MQTT struct {
	// Broker is mqtt://host[:1883], or mqtts://host[:8883] for TLS; tcp:// and ssl:// mean the
	// same.
	Broker string `toml:"broker"`
	// Root is the first part of every topic. Default tirewatch.
	Root string `toml:"root"`
	// ClientID is unique at the broker. Default tirewatch-SITE-LINE-NAME.
	ClientID string `toml:"client_id"`

	// Username and PasswordFile log in at the broker. The password is the first line of the file,
	// which other users must be able neither to read nor to change (chmod 640); it is read again
	// for each connection. Here and for the three files below, "credential:NAME" is what systemd
	// hands to the service under that name (LoadCredential=, LoadCredentialEncrypted=).
	Username     string `toml:"username"`
	PasswordFile string `toml:"password_file"`

	// CAFile holds the PEM certificates that the broker's certificate must lead to; without it the
	// system's are used.
	CAFile string `toml:"ca_file"`
	// CertFile and KeyFile are the station's own certificate, for brokers that ask for one. Both or
	// none. Other users must be able neither to read nor to change KeyFile.
	CertFile string `toml:"cert_file"`
	KeyFile  string `toml:"key_file"`

	// Encoding of the verdicts: "json" or "msgpack". Default json.
	Encoding verdict.Encoding `toml:"encoding"`
	// HealthPeriod is how often the station sends its figures to the topic health. "0s": never.
	// Default "1m".
	HealthPeriod Duration `toml:"health_period"`
}

// Enabled says whether there is a broker to send to.
func (m MQTT) Enabled() bool { return m.Broker != "" }

// Sparkplug makes the station an edge node of Sparkplug B 3.0 as well, for SCADA systems that speak
// it. It uses the broker, login and certificates of the section mqtt, in a session of its own. Its
// data has QoS 0, as the specification wants: what must not be lost is read from the plain topics.
type Sparkplug struct {
	// Enabled switches it on. Default false.
	Enabled bool `toml:"enabled"`
	// Group and Node name the station at the broker, together unlike any other; Device is what
	// judges tires. No / + # $ in them. Defaults SITE, LINE-NAME and inspection.
	Group  string `toml:"group"`
	Node   string `toml:"node"`
	Device string `toml:"device"`
	// PrimaryHost is the id of the host application that must be online: the station waits for its
	// STATE, and what it stores meanwhile is sent as historical when the host is back. Empty: it
	// waits for nobody.
	PrimaryHost string `toml:"primary_host"`
	// Overlap is how far back from a break verdicts are sent again, as historical: a connection or
	// host may be dead for so long before that shows. At least one and a half of the primary host's
	// keep-alive. Default "2m".
	Overlap Duration `toml:"overlap"`
	// ClientID is that of the session. Default that of mqtt with -sparkplug behind it.
	ClientID string `toml:"client_id"`
}

// Metrics is the page that Prometheus reads.
type Metrics struct {
	// Listen is HOST:PORT; an empty text listens nowhere. Default 127.0.0.1:9464, which this
	// machine alone can reach. The page tells what the station counts and changes nothing, but
	// whoever reaches it may read it.
	Listen string `toml:"listen"`
}

// Page is the station's page for browsers: the live picture, verdicts, history, health, models.
type Page struct {
	// Listen is HOST:PORT; an empty text listens nowhere. Default 127.0.0.1:8080, which this
	// machine alone can reach, and from elsewhere whoever may log in at it (ssh -L
	// 8080:127.0.0.1:8080 STATION). An address that the network reaches needs PasswordFile,
	// CertFile and KeyFile.
	Listen string `toml:"listen"`
	// PasswordFile is what `tirewatch-agent password` made of the password of those who may change
	// something: region, models, labels of pictures. ViewerPasswordFile is the same for those who
	// only look. Other users must be able neither to read nor to change these files. Without them
	// everybody at this machine may do everything. "credential:NAME" is what systemd hands to the
	// service under that name.
	PasswordFile       string `toml:"password_file"`
	ViewerPasswordFile string `toml:"viewer_password_file"`
	// CertFile and KeyFile are the page's certificate, both or none. They are read at the start.
	CertFile string `toml:"cert_file"`
	KeyFile  string `toml:"key_file"`
	// Shifts are the times of day, in the machine's time zone, at which a shift begins and counters
	// start again. Default 06:00, 14:00 and 22:00.
	Shifts []string `toml:"shifts"`
}

// Log is what the daemon says on standard error.
type Log struct {
	Level  string `toml:"level"`  // debug, info, warn or error. Default info.
	Format string `toml:"format"` // text or json. Default text.
}

// defaults is the configuration of an empty file, as far as it does not depend on other keys.
func defaults() Config {
	return Config{
		Locate:  Locate{Mode: LocateRound, MinDiameter: 0.3, MaxDiameter: 1, Margin: 0.02, View: string(cut.Tire), Overlap: 0.25},
		Trigger: Trigger{Frames: 5, Vote: verdict.Mean, Active: ActiveHigh, Debounce: Duration(5 * time.Millisecond), Window: Duration(500 * time.Millisecond)},
		Reject:  Reject{Active: ActiveHigh, On: OnReject, Width: Duration(100 * time.Millisecond)},
		Model: Model{Dir: "/var/lib/tirewatch/models", AcceptPush: true,
			Probation: 200, ProbationTime: Duration(30 * time.Minute), ProbationCrashes: 3},
		Journal: Journal{Path: "/var/lib/tirewatch/journal.db", MaxSize: "512MiB", MaxAge: 90 * Day, Crops: CropsReview, CropsUncertain: 2, CropsSample: 0.01,
			CropsMaxSize: "256MiB"},
		MQTT:      MQTT{Root: "tirewatch", Encoding: verdict.JSON, HealthPeriod: Duration(time.Minute)},
		Sparkplug: Sparkplug{Device: "inspection", Overlap: Duration(2 * time.Minute)},
		Metrics:   Metrics{Listen: "127.0.0.1:9464"},
		Page:      Page{Listen: "127.0.0.1:8080", Shifts: []string{"06:00", "14:00", "22:00"}},
		Log:       Log{Level: "info", Format: "text"},
	}
}

// derive fills the defaults that depend on other keys and makes paths absolute or relative to the
// working folder. base is the folder of the file.
func (c *Config) derive(base string) {
	kind, target := c.Camera.Source.Split()
	if c.Trigger.Mode == "" {
		c.Trigger.Mode = TriggerPresence
		if kind == SourceFolder {
			c.Trigger.Mode = TriggerFrame
		}
	}
	if c.MQTT.ClientID == "" {
		c.MQTT.ClientID = "tirewatch-" + strings.ReplaceAll(c.Station.ID(), "/", "-")
	}
	c.Sparkplug.derive(c.Station, c.MQTT.ClientID)
	if kind == SourceFile || kind == SourceFolder {
		c.Camera.Source = Source(kind + ":" + resolve(base, target))
	}
	for i, key := range c.Model.Keys {
		c.Model.Keys[i] = resolve(base, key)
	}
	for _, path := range []*string{
		&c.Model.Dir, &c.Model.Initial, &c.Model.Revoked, &c.Model.Inbox, &c.Journal.Path,
		&c.MQTT.PasswordFile, &c.MQTT.CAFile, &c.MQTT.CertFile, &c.MQTT.KeyFile,
		&c.Page.PasswordFile, &c.Page.ViewerPasswordFile, &c.Page.CertFile, &c.Page.KeyFile,
	} {
		*path = resolve(base, *path)
	}
}

func (s *Sparkplug) derive(of Station, clientID string) {
	s.Group = cmp.Or(s.Group, of.Site)
	s.Node = cmp.Or(s.Node, of.Line+"-"+of.Name)
	s.ClientID = cmp.Or(s.ClientID, clientID+"-sparkplug")
}

func resolve(base, path string) string {
	if path == "" || filepath.IsAbs(path) || strings.HasPrefix(path, credential) {
		return path
	}
	return filepath.Join(base, path)
}

// credential begins the name of a file that systemd hands to the service.
const credential = "credential:"

// ErrNoCredentials means that a credential is asked for outside of a service that has some.
var ErrNoCredentials = errors.New("systemd handed no credentials to this process: the service's unit needs LoadCredential=, and by hand they cannot be read")

// FilePath is where to read a file of the [mqtt] or [page] section: the path itself, or the place
// of a credential.
func FilePath(path string) (string, error) {
	name, ok := strings.CutPrefix(path, credential)
	if !ok {
		return path, nil
	}
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return "", fmt.Errorf("credential %s: %w", name, ErrNoCredentials)
	}
	return filepath.Join(dir, name), nil
}

// Load reads the file at path. What is wrong in it comes as Problems.
func Load(path string) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return Parse(data, path)
}

//go:embed example.toml
var example string

// Example is a complete file with every key and its default, ready to be edited.
func Example() string { return example }
