// Package config reads a station's configuration: one TOML file into one typed struct.
//
//	station.toml -> CONFIG -> camera, locate, trigger, models, journal, uplink, page
//
// The field comments of [Config] are the only manual of the file: example.toml and the man page
// station.toml(5) are generated from them. Every problem of a file is reported at once, each with
// its line. Start with [Load], and with [Example] for a new file.
package config

import (
	"fmt"
	"os"
	"strings"

	"tirewatch/vision/cut"
	"tirewatch/vision/verdict"
)

//go:generate go run ./internal/gendoc

// Config describes one station, in TOML. A file that names the station, the camera and the public
// keys is enough; all other keys have defaults or are optional. Relative paths start at the folder
// of the file.
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

// Station names this station. The three names are levels of its MQTT topics and part of every
// verdict. Each has at most 64 bytes, without / + # $ and control characters.
type Station struct {
	// Site is the plant. Required. Example "plant-1".
	Site string `toml:"site"`
	// Line is the belt. Required. Example "belt-2".
	Line string `toml:"line"`
	// Name is the place at the belt. Required. Example "station-3".
	Name string `toml:"name"`
}

// ID is site/line/name, the station's name in topics and verdicts.
func (s Station) ID() string { return s.Site + "/" + s.Line + "/" + s.Name }

// ParseStation reads an ID.
func ParseStation(id string) (Station, error) {
	parts := strings.Split(id, "/")
	if len(parts) != 3 || !validName(parts[0]) || !validName(parts[1]) || !validName(parts[2]) {
		return Station{}, fmt.Errorf("invalid station %q: want SITE/LINE/NAME, without + # $ and control characters",
			id)
	}
	return Station{Site: parts[0], Line: parts[1], Name: parts[2]}, nil
}

// Camera selects where frames are read from.
type Camera struct {
	// Preset fills in the usual settings of a kind of camera:
	//
	//	usb          a USB camera at /dev/tirewatch-camera, 1280 x 720 px, 30 frames a second,
	//	             Motion JPEG (the only format with the full rate over USB 2)
	//	pi-csi       a CSI camera of a Raspberry Pi, through libcamera, 1280 x 720 px,
	//	             30 frames a second
	//	jetson-csi   a CSI camera of a Jetson, through NVIDIA Argus, 1280 x 720 px,
	//	             60 frames a second
	//	rtsp         a network camera with the least delay; needs source
	//
	// Keys set below override the preset. `tirewatch-agent check` prints the result. "" means none.
	// Default "".
	Preset string `toml:"preset"`
	// Source is the camera, clip or folder:
	//
	//	v4l2:/dev/video0     a camera of this machine
	//	gstreamer:PIPELINE   a GStreamer pipeline that ends in an appsink, for CSI cameras
	//	rtsp://HOST/PATH     a network camera; rtsps:// for TLS
	//	file:clip.avi        a recorded clip
	//	folder:DIR           a folder of photographs, in the order of their names
	//
	// Required unless preset sets it. Example "v4l2:/dev/video0".
	Source Source `toml:"source"`

	// Width is the width, px, that a v4l2 camera or the pipeline of a preset is set to. 0 lets the
	// driver choose. Default 0.
	Width int `toml:"width"`
	// Height is the height, px, like width. Default 0.
	Height int `toml:"height"`
	// FPS is the number of frames a second, like width. Default 0.
	FPS int `toml:"fps"`

	// FourCC is the pixel format that a v4l2 camera is set to: four letters like "MJPG" or "YUYV".
	// USB cameras have their full rate with MJPG. "" lets the driver choose. Default "".
	FourCC string `toml:"fourcc"`
	// Exposure locks the exposure time of a v4l2 camera, in units of 100 microseconds.
	//
	// This key and the next three switch automatic controls of the camera off: the network learned
	// from images of one kind, and a camera that adapts to each tire delivers others.
	// `v4l2-ctl --list-ctrls-menus` lists what the camera supports. With a value that the camera
	// refuses, the station does not inspect. Without the key the camera decides.
	//
	// Optional. Example 50.
	Exposure *int `toml:"exposure"`
	// Gain locks the gain, in the camera's own units, like exposure. Optional. Example 20.
	Gain *int `toml:"gain"`
	// WhiteBalance locks the white balance, K, like exposure. Optional. Example 4600.
	WhiteBalance *int `toml:"white_balance"`
	// Focus locks the focus, in the camera's own units, like exposure. Optional. Example 30.
	Focus *int `toml:"focus"`
	// LowLatency stops the decoder of a network camera from buffering frames before it delivers the
	// first one. Default false; with preset "rtsp" true.
	LowLatency bool `toml:"low_latency"`

	// Realtime plays a clip or a folder at the pace of a camera. Otherwise frames are read as fast
	// as they are inspected. Default false.
	Realtime bool `toml:"realtime"`
	// Loop restarts a clip or a folder at its end. Otherwise the station stops there.
	// Default false.
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
// or a folder. The kind is empty when the source has none of these.
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

// Locate selects how the tire is found in a frame, and what the network sees of it.
type Locate struct {
	// Mode is "round" (find the round outline of the tire) or "region" (the tire is always in
	// region). Default "round".
	Mode string `toml:"mode"`
	// Region is [x0, y0, x1, y1] in px of the frame; x1 and y1 are just outside. Required with mode
	// "region". Example [160, 60, 1120, 1020].
	Region []int `toml:"region"`
	// MinDiameter is the smallest diameter of the outline, as a share of the frame's height, 0.01
	// to 2. Set it just below the smallest tire of the line: on a belt as dark as rubber, a wheel
	// could otherwise be taken for its tire. Default 0.3.
	MinDiameter float64 `toml:"min_diameter"`
	// MaxDiameter is the largest diameter of the outline, like min_diameter. Default 1.0.
	MaxDiameter float64 `toml:"max_diameter"`
	// Margin is added around the outline, as a share of its diameter, 0 to 0.5. Default 0.02.
	Margin float64 `toml:"margin"`

	// View is what the network sees of a tire:
	//
	//	tire       the whole tire in one crop
	//	tiles      the same square, or the region, in tiles that overlap
	//	sidewall   the side wall between outline and rim, unwrapped, in tiles that overlap;
	//	           needs mode "round"
	//
	// Tiles show finer cracks than the whole tire, but each is one forward pass, and the network
	// must have been trained on such tiles. The worst tile decides about the tire, so the threshold
	// must be one for tiles: to reject a share q of the sound tires, with n tiles whose errors are
	// independent, it must reject a share q/n of the sound tiles. A side wall whose rim is found in
	// no frame gets no_decision, which rejects the tire. Default "tire".
	View string `toml:"view"`
	// Tile is the size of a tile. With view "tiles" it is the side, as a share of the shorter side
	// of the square or region, 0.2 to 1. With view "sidewall" a tile has the height of the wall;
	// this is its length half way up, as a share of that height, 0.5 to 2. 0 means 0.4 for "tiles"
	// and 1 for "sidewall". Default 0.0.
	Tile float64 `toml:"tile"`
	// Overlap is the least overlap of neighbouring tiles, as a share of a tile, 0 to 0.5. A crack
	// that is not longer than the overlap is complete in one tile. Default 0.25.
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

// Trigger selects what makes a verdict. A tire gets exactly one verdict: a second trigger is
// counted as double, a trigger for a tire that has passed as late, and a tire without a trigger as
// missing. With locate.mode "round" the camera sees that a trigger is missing, and judges the tire
// all the same. A trigger whose tire cannot be judged gets no_decision, which rejects the tire.
type Trigger struct {
	// Mode is one of:
	//
	//	presence    one verdict for each tire that the camera sees pass
	//	frame       one verdict for each frame: each shows a tire of its own
	//	photo-eye   one verdict for each tire that the photo-eye at gpio sees
	//	command     one verdict for each command "trigger" that a PLC sends to the topic command
	//
	// The command may carry the name of the part and the time at which it passed, in RFC 3339
	// (without it: now):
	//
	//	{"id": "1", "command": "trigger", "part": "4711", "time": "2026-05-06T07:08:09Z"}
	//
	// Default "presence"; for a folder of photographs "frame".
	Mode string `toml:"mode"`
	// Frames is how many frames of a tire are scored, 1 to 100: those with the tire nearest to the
	// middle. Each frame, or with locate.view each tile of it, is a forward pass after the tire has
	// left, and no frame is inspected meanwhile. Five frames of a side wall are about 75 passes:
	// use 1 or 2 for tiles on a Raspberry Pi. Default 5.
	Frames int `toml:"frames"`
	// Vote combines the scores of the frames: "mean" of the logits, "majority" (the median: half of
	// the frames show a crack) or "any" (the highest: one frame shows a crack). Default "mean".
	Vote verdict.Rule `toml:"vote"`
	// Budget is the longest time to a decision, from the trigger or, in the modes presence and
	// frame, from the last frame of the tire. After it the verdict is no_decision. "0s" means no
	// limit. Default "0s".
	Budget Duration `toml:"budget"`

	// GPIO is the line of the photo-eye as the kernel names it; `gpioinfo` lists the lines.
	// Required with mode "photo-eye". Example "GPIO17".
	GPIO string `toml:"gpio"`
	// Active is the level of the line while a tire is at the photo-eye: "high" or "low". The line
	// is pulled to the other level, so a broken wire reads as no tire; then the camera reports
	// missing triggers. Default "high".
	Active string `toml:"active"`
	// Debounce is how long a level must last to count, 1ms to 1s. The gap between two tires must be
	// longer. Default "5ms".
	Debounce Duration `toml:"debounce"`

	// Delay is the time from the trigger to the tire in the middle of the frame. If the belt stops
	// or changes its speed, mount the photo-eye where the tire is in the middle of the frame, and
	// leave this at "0s". Default "0s".
	Delay Duration `toml:"delay"`
	// Window is how long a trigger waits for its tire after delay, 10ms to 1m. The verdict is made
	// when there are enough good frames, and at the end of the window at the latest. The window
	// must be shorter than the time from one tire to the next. Default "500ms".
	Window Duration `toml:"window"`
	// MinGap is the least time between two tires: an earlier trigger is a double. It is needed only
	// with locate.mode "region"; otherwise the camera tells tires apart. Default "0s".
	MinGap Duration `toml:"min_gap"`
}

// Values of Trigger.Mode.
const (
	TriggerPresence = "presence"
	TriggerFrame    = "frame"
	TriggerPhotoEye = "photo-eye"
	TriggerCommand  = "command"
)

// External reports whether triggers arrive from outside: from a photo-eye or as commands.
func (t Trigger) External() bool { return t.Mode == TriggerPhotoEye || t.Mode == TriggerCommand }

// Values of Trigger.Active and Reject.Active.
const (
	ActiveHigh = "high"
	ActiveLow  = "low"
)

// Reject selects what happens to a tire that is cracked or got no_decision. Without gpio and mqtt
// nothing happens to it; it only has its verdict.
type Reject struct {
	// OnUnsure is what happens to a tire of which the model is unsure: "reject" treats it like a
	// crack, "pass" lets it stay on the belt. Only a model with two thresholds is ever unsure. The
	// verdict is no_decision with the reason unsure either way; its field reject says which. With
	// "pass", a crack that the model is unsure of stays on the belt. Default "reject".
	OnUnsure string `toml:"on_unsure"`
	// GPIO is the line of the ejector or lamp as the kernel names it; `gpioinfo` lists the lines.
	// Optional. Example "GPIO27".
	GPIO string `toml:"gpio"`
	// Active is the level of the line during a pulse: "high" or "low". Before the first pulse,
	// between pulses and when the agent stops, the line has the other level. Default "high".
	Active string `toml:"active"`
	// On is the meaning of a pulse: "reject" pushes the tire off the belt, "pass" lets it stay.
	// With "pass" a station that is down, without power or cut off lets no tire pass. That is the
	// safe wiring: the ejector pushes unless a pulse holds it back. Default "reject".
	On string `toml:"on"`
	// Delay is the time from the middle of the frame to the ejector. "0s" is at once, for a lamp. A
	// later decision is a missed reject, which is reported: the tire has passed the ejector.
	// Default "0s".
	Delay Duration `toml:"delay"`
	// Width is how long a pulse lasts, 1ms to 1m. Default "100ms".
	Width Duration `toml:"width"`
	// Encoder is the line of a pulse generator at the belt. It replaces delay: its rising edges
	// tell when the tire is at the ejector, at any speed of the belt. Optional. Example "GPIO22".
	Encoder string `toml:"encoder"`
	// Pulses is the number of encoder pulses from the middle of the frame to the ejector. Required
	// with encoder. Example 400.
	Pulses int `toml:"pulses"`

	// MQTT publishes each reject at once to the topic reject, for a PLC that has the ejector. A
	// reject that cannot be sent at once is not sent later; it is a missed reject. Default false.
	MQTT bool `toml:"mqtt"`
}

// Values of Reject.On and Reject.OnUnsure.
const (
	OnReject = "reject"
	OnPass   = "pass"
)

// Model selects which models the station trusts and where it stores them.
type Model struct {
	// Keys are the public key files whose bundles are accepted, at least one; `tirewatch keygen`
	// makes them. To change a key, add the new one on every station, sign with the new one, and
	// remove the old one when the running model is signed with the new one. Nothing that arrives
	// over MQTT can change whom a station trusts. Required. Example ["/etc/tirewatch/maker.pub"].
	Keys []string `toml:"keys"`
	// Revoked is a text file of keys and bundles that are refused although they are signed. Its
	// lines are "key ID" or "bundle ID"; # begins a comment. It is read again when it changes, and
	// a running model that it names is replaced by the previous one. Optional.
	// Example "/etc/tirewatch/revoked".
	Revoked string `toml:"revoked"`
	// Initial is a bundle that is installed while the station has no model. A bundle can be pushed
	// instead. Optional. Example "/etc/tirewatch/initial.tire".
	Initial string `toml:"initial"`
	// Dir is the folder of the model slots. Default "/var/lib/tirewatch/models".
	Dir string `toml:"dir"`
	// AcceptPush accepts bundles that are pushed over MQTT. Default true.
	AcceptPush bool `toml:"accept_push"`
	// Inbox is a folder to copy bundles into, for example from a USB stick. NAME.tire is renamed to
	// NAME.tire.accepted, or to NAME.tire.refused with the reason in NAME.tire.refused.txt. The
	// station waits for a folder that does not exist yet. Optional.
	// Example "/var/lib/tirewatch/inbox".
	Inbox string `toml:"inbox"`
	// LatencyBudget refuses a bundle whose forward pass takes longer on this CPU (median). "0s"
	// accepts any. Default "0s".
	LatencyBudget Duration `toml:"latency_budget"`

	// Probation is the number of verdicts after which a new model is confirmed. Until then the
	// previous model judges the same tires in shadow, and takes over again if the new one fails. 0
	// confirms at once. Default 200.
	Probation int `toml:"probation"`
	// ProbationTime ends the probation after this time too, once a tenth of the verdicts are made.
	// With "0s" only verdicts count. Default "30m".
	ProbationTime Duration `toml:"probation_time"`
	// ProbationCrashes is how many crashes of the agent roll the new model back; watchdog and power
	// cut count too. 0 means no limit. Default 3.
	ProbationCrashes int `toml:"probation_crashes"`
	// ProbationDisagreement is the share of tires judged differently from the previous model, 0 to
	// 1, at which the new one is rolled back. A retrained model may be right to differ: 0 only
	// reports the share. Default 0.0.
	ProbationDisagreement float64 `toml:"probation_disagreement"`
	// ProbationUnsure is the share of tires that the new model is unsure of, 0 to 1, above which it
	// is rolled back. An unsure tire is no disagreement. 0 only reports the share. Default 0.5.
	ProbationUnsure float64 `toml:"probation_unsure"`
}

// Journal selects where verdicts and crops are stored, and for how long.
type Journal struct {
	// Path is the database file. Default "/var/lib/tirewatch/journal.db".
	Path string `toml:"path"`
	// MaxSize is the size limit of the database, like "512MiB" or "2GB", at least 1MiB. The oldest
	// verdicts are deleted first. A verdict that the broker has not received is deleted only when
	// nothing else is left to delete; that loss is reported in the log and in the station's status.
	// 512MiB hold about a million verdicts. Default "512MiB".
	MaxSize Size `toml:"max_size"`
	// MaxAge is how long a verdict is kept after the broker received it, like "90d" or "12h". Only
	// the time that the station runs counts, so a clock that jumps deletes nothing. "0" means
	// forever; then only max_size limits. Default "90d".
	MaxAge Duration `toml:"max_age"`

	// Crops selects the verdicts whose crop is stored, as a PNG beside the journal; of a tire in
	// tiles it is the tile that decided:
	//
	//	crack    of rejected and of unsure tires
	//	review   also of those that the next network learns most from: uncertain scores, tires
	//	         that a model on probation and the previous one judge differently, and a
	//	         random sample
	//	all      of all tires: gigabytes a day for the card
	//	off      of none
	//
	// Default "review".
	Crops string `toml:"crops"`
	// CropsUncertain is the distance from the threshold, in logits, up to which a score is
	// uncertain, 0 to 20. 2 around a threshold of 0.5 is 0.12 to 0.88. Default 2.0.
	CropsUncertain float64 `toml:"crops_uncertain"`
	// CropsSample is the share of all tires that is stored at random, 0 to 1. Only this sample
	// shows where the network is sure and wrong. Default 0.01.
	CropsSample float64 `toml:"crops_sample"`
	// CropsCamera also stores the tire's region as the camera sent it, beside each crop: a JPEG in
	// colour with a long side of up to 1280 px. A crop can only teach a network with the same
	// input; this picture can teach any network. The loop does not wait for it. Default true.
	CropsCamera bool `toml:"crops_camera"`
	// CropsMaxSize is the size limit of the crops and camera pictures, at least 1MiB. The oldest
	// are deleted first: exported crops before all others, crops that a person has labelled after
	// all others. 1GiB holds about two thousand tires, or ten thousand without camera pictures.
	// Default "1GiB".
	CropsMaxSize Size `toml:"crops_max_size"`
}

// Values of Journal.Crops.
const (
	CropsCrack  = "crack"
	CropsReview = "review"
	CropsAll    = "all"
	CropsOff    = "off"
)

// MQTT sets the connection to the broker. Without a broker the station inspects and fills its
// journal, and sends nothing.
//
// A file in this section or in section page may be "credential:NAME": the file that systemd passes
// to the service under that name (LoadCredential=, LoadCredentialEncrypted=).
type MQTT struct {
	// Broker is mqtt://HOST[:1883], or mqtts://HOST[:8883] for TLS; tcp:// and ssl:// mean the
	// same. Optional. Example "mqtt://localhost".
	Broker string `toml:"broker"`
	// Root is the first part of every topic. Default "tirewatch".
	Root string `toml:"root"`
	// ClientID identifies the station's session. It must be unique at the broker.
	// Default "tirewatch-SITE-LINE-NAME".
	ClientID string `toml:"client_id"`

	// Username is the station's login at the broker. Optional. Example "station-3".
	Username string `toml:"username"`
	// PasswordFile has the password in its first line. Other users must not be able to read or
	// change the file (chmod 640). It is read again for each connection. Optional.
	// Example "/etc/tirewatch/password".
	PasswordFile string `toml:"password_file"`

	// CAFile has the PEM certificates of the authority that issued the broker's certificate.
	// Without it the certificates of the system are used. Optional.
	// Example "/etc/tirewatch/ca.pem".
	CAFile string `toml:"ca_file"`
	// CertFile is the station's own certificate, for brokers that require one. Needs key_file.
	// Optional. Example "/etc/tirewatch/station.pem".
	CertFile string `toml:"cert_file"`
	// KeyFile is the private key of cert_file. Other users must not be able to read or change the
	// file. Optional. Example "/etc/tirewatch/station.key".
	KeyFile string `toml:"key_file"`

	// Encoding is the format of the verdicts: "json" or "msgpack". Default "json".
	Encoding verdict.Encoding `toml:"encoding"`
	// HealthPeriod is how often the station sends its figures (counts, queue, times, temperature,
	// drift) to the topic health: 1s to 1d, or "0s" for never. Default "1m".
	HealthPeriod Duration `toml:"health_period"`
}

// Enabled reports whether there is a broker to send to.
func (m MQTT) Enabled() bool { return m.Broker != "" }

// Sparkplug makes the station an edge node of Sparkplug B 3.0 too, for SCADA systems that use it.
// It uses the broker, login and certificates of section mqtt in a session of its own. Its data has
// QoS 0, as the specification requires: read what must not be lost from the plain topics.
type Sparkplug struct {
	// Enabled switches Sparkplug on. Default false.
	Enabled bool `toml:"enabled"`
	// Group is the station's group, without / + # $. Group and node together must be unique at the
	// broker. Default "SITE".
	Group string `toml:"group"`
	// Node is the station's edge node, like group. Default "LINE-NAME".
	Node string `toml:"node"`
	// Device is the device that judges tires, without / + # $. Default "inspection".
	Device string `toml:"device"`
	// PrimaryHost is the id of the host application that must be online. The station waits for its
	// STATE; verdicts stored meanwhile are sent as historical when the host is back. "" waits for
	// no host. Default "".
	PrimaryHost string `toml:"primary_host"`
	// Overlap is how far back from a break verdicts are sent again, as historical, 1m to 1h: a dead
	// connection or host may go unnoticed for that long. Set at least one and a half times the
	// keep-alive of the primary host. Default "2m".
	Overlap Duration `toml:"overlap"`
	// ClientID identifies the Sparkplug session: the client_id of section mqtt with -sparkplug at
	// its end. Default "tirewatch-SITE-LINE-NAME-sparkplug".
	ClientID string `toml:"client_id"`
}

// Metrics sets the endpoint /metrics that Prometheus reads.
type Metrics struct {
	// Listen is HOST:PORT; "" switches the endpoint off. The default is reachable from this machine
	// only. The endpoint shows the station's figures to everyone who reaches it, and changes
	// nothing. Default "127.0.0.1:9464".
	Listen string `toml:"listen"`
}

// Page sets the station's web page: live picture, verdicts, history, health, models.
type Page struct {
	// Listen is HOST:PORT; "" switches the page off. The default is reachable from this machine
	// only; from a PC use `ssh -L 8080:127.0.0.1:8080 STATION`. An address that is reachable from
	// the network needs password_file, cert_file and key_file. Default "127.0.0.1:8080".
	Listen string `toml:"listen"`
	// PasswordFile lets operators in, who may change region, models and labels; `tirewatch-agent
	// password` writes it. Other users must not be able to read or change the file (chmod 640).
	// Without it every user of this machine may do everything. Optional.
	// Example "/etc/tirewatch/page.password".
	PasswordFile string `toml:"password_file"`
	// ViewerPasswordFile lets viewers in, who may only look, like password_file. Optional.
	// Example "/etc/tirewatch/viewer.password".
	ViewerPasswordFile string `toml:"viewer_password_file"`
	// CertFile is the certificate of the page, read at the start. Needs key_file. Optional.
	// Example "/etc/tirewatch/page.pem".
	CertFile string `toml:"cert_file"`
	// KeyFile is the private key of cert_file, read at the start. Other users must not be able to
	// read or change the file. Optional. Example "/etc/tirewatch/page.key".
	KeyFile string `toml:"key_file"`
	// Shifts are the times of day, in the machine's time zone, at which a shift begins and the
	// counters restart: 1 to 24 of them, in order. Default ["06:00", "14:00", "22:00"].
	Shifts []string `toml:"shifts"`
}

// Log sets what the agent writes to standard error.
type Log struct {
	// Level is the lowest level that is written: "debug", "info", "warn" or "error".
	// Default "info".
	Level string `toml:"level"`
	// Format is "text" or "json". Default "text".
	Format string `toml:"format"`
}

// Load reads the file at path. Everything wrong in it is returned as [Problems].
func Load(path string) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return Parse(data, path)
}
