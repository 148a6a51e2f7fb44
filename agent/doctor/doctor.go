// Package doctor looks at everything that a station needs, one thing after the other, and says in
// plain words what it found and what to do.
//
//	configuration -> secrets, files, disk, journal, clock, model, camera, broker, Sparkplug -> DOCTOR -> terminal, JSON, MQTT
//
// It may be used beside a running agent and does not disturb it: the journal is read without a
// lock, the camera is left to the agent, and the broker sees another client id, which an access
// list may not know. Newcomers need Read and Examine; Model and Missing are for those who only want
// to know whether a configuration fits the machine.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"tirewatch/agent"
	"tirewatch/agent/config"
	"tirewatch/agent/health"
	"tirewatch/agent/journal"
	"tirewatch/agent/message"
	"tirewatch/agent/models"
	"tirewatch/agent/sparkplug"
	"tirewatch/agent/uplink"
	"tirewatch/internal/hint"
	"tirewatch/vision/camera"
)

// State is how a look ended.
type State string

const (
	OK      State = "ok"
	Warning State = "warning" // the station works, and somebody should know
	Failed  State = "failed"  // the station does not work as it should
	Skipped State = "skipped" // could not be looked at now
)

// Finding is what one look found.
type Finding struct {
	// what was looked at: configuration, agent, secrets, files, disk, journal, clock, heat, model,
	// camera, broker, sparkplug
	Look  string `json:"look"`
	State State  `json:"state"`
	Found string `json:"found"`        // in plain words
	Do    string `json:"do,omitempty"` // what to do about it
}

// Options are what a look needs of the machine; the zero value asks the real one.
type Options struct {
	Patience time.Duration    // with camera and broker; 0: half a minute
	Now      func() time.Time // nil: time.Now
	// whether a time server has set the clock; nil: the kernel is asked
	Synchronised func() (yes, known bool)
	Heat         func() (celsius float64, ok bool) // nil: the hottest sensor
}

// Read loads a configuration. What is wrong with it is a finding, and then there is nothing else to
// look at.
func Read(path string) (*config.Config, Finding) {
	cfg, err := config.Load(path)
	if err == nil {
		return cfg, Finding{"configuration", OK, fmt.Sprintf("%s describes station %s", path, cfg.Station.ID()), ""}
	}
	f := Finding{"configuration", Failed, err.Error(), "correct these lines; tirewatch-agent example shows every key"}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.Do = "sudo tirewatch-agent provision writes one"
	case errors.Is(err, fs.ErrPermission):
		f.Do = "run this with sudo; if it was: sudo chgrp tirewatch " + path + " && sudo chmod 640 " + path
	}
	return nil, f
}

// doctor is one examination.
type doctor struct {
	Options
	cfg  *config.Config
	seen journal.Seen // by the look at the journal
	shut bool         // this user may not look at the journal: an agent may be running
	tell func(Finding)
}

// Examine looks at everything and tells each finding as soon as there is one. It takes as long as
// camera and broker do.
func Examine(ctx context.Context, cfg *config.Config, o Options, tell func(Finding)) {
	if o.Patience == 0 {
		o.Patience = 30 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Synchronised == nil {
		o.Synchronised = synchronised
	}
	if o.Heat == nil {
		o.Heat = health.Temperature
	}
	d := &doctor{Options: o, cfg: cfg, tell: tell}
	d.secrets()
	d.files()
	d.disk()
	d.journal() // before those that ask whether an agent runs
	d.agent(ctx)
	d.clock()
	d.heat()
	d.model()
	d.camera(ctx)
	d.broker(ctx)
}

// journal looks whether the next start could go on where the last one ended.
func (d *doctor) journal() {
	path := d.cfg.Journal.Path
	seen, err := journal.Look(path, d.cfg.Station.ID())
	d.seen, d.shut = seen, errors.Is(err, journal.ErrReadOnly)
	f := Finding{Look: "journal", State: OK}
	switch {
	case errors.As(err, new(*journal.DamagedError)):
		f = Finding{"journal", Warning, err.Error(), "replace the card soon if this happens again"}
	case err != nil:
		f = Finding{"journal", Failed, err.Error(), ""}
		if errors.As(err, new(*journal.StationError)) {
			f.Do = "name the station as before, or set journal.path to another file"
		} else if errors.Is(err, journal.ErrReadOnly) {
			f.Do = ownershipAdvice(path)
		}
	case seen.InUse:
		f.Found = path + " is in use: the agent is running"
	case !seen.Exists:
		f.Found = path + " begins with the first start"
	case seen.Unclean:
		f.Found = path + " was not closed: power cut or crash; the next start takes up what its log holds"
	default:
		f.Found = fmt.Sprintf("%s holds %d verdicts, %d of them wait for the broker", path, seen.Verdicts, seen.Waiting)
	}
	d.tell(f)
}

// clock looks whether the time can be right. Order and retention need no clock; certificates and
// readers of a verdict do.
func (d *doctor) clock() {
	now := d.Now().UTC()
	shows := "the clock shows " + now.Format(time.RFC3339)
	server := "let a time server set it: firmware-config/chrony.conf; `timedatectl` shows the state"
	state := health.JudgeClock(now, d.seen.Newest)
	synced, known := d.Synchronised()
	switch {
	case state == health.ClockUnset:
		d.tell(Finding{"clock", Failed, shows + ", it is not set", server})
	case state == health.ClockBehind:
		d.tell(Finding{"clock", Failed, shows + ", before the last verdict of " + d.seen.Newest.Format(time.RFC3339), server})
	case known && !synced:
		d.tell(Finding{"clock", Warning, shows + "; no time server has set it", server})
	case known:
		d.tell(Finding{"clock", OK, shows + ", set by a time server", ""})
	default:
		d.tell(Finding{"clock", OK, shows + "; whether a time server has set it is not known", ""})
	}
}

// hot is where boards of all kinds slow down to cool. degrees Celsius
const hot = 80

func (d *doctor) heat() {
	celsius, ok := d.Heat()
	switch {
	case !ok: // a PC without sensors
	case celsius >= hot:
		d.tell(Finding{"heat", Warning, fmt.Sprintf("%.0f °C: the machine slows down to cool", celsius), "give it a heat sink, a fan or air"})
	default:
		d.tell(Finding{"heat", OK, fmt.Sprintf("%.0f °C", celsius), ""})
	}
}

// model looks at the network that the next start would work with.
func (d *doctor) model() {
	words, notes, err := inspectModel(d.cfg)
	switch {
	case errors.Is(err, models.ErrNoModel):
		d.tell(Finding{"model", Failed, err.Error(), "push one from the PC: tirewatch push FILE.tire --station " + d.cfg.Station.ID() +
			", copy one into the inbox, or name one as model.initial"})
	case err != nil:
		d.tell(Finding{"model", Failed, err.Error(), "model.keys must name the public key of whoever signed the bundle"})
	case len(notes) > 0:
		d.tell(Finding{"model", Warning, words + "; " + strings.Join(notes, "; "), "push the bundle again, with a higher serial"})
	default:
		d.tell(Finding{"model", OK, words, ""})
	}
}

// black is the mean of a picture in which nothing can be seen, 0 to 255.
const black = 4

// camera takes one picture, unless the agent has the camera.
func (d *doctor) camera(ctx context.Context) {
	o, err := agent.CameraOptions(d.cfg.Camera, slog.New(slog.DiscardHandler))
	if err == nil {
		err = camera.Check(o.Source)
	}
	if err != nil {
		d.tell(Finding{"camera", Failed, err.Error(), hint.Of(err)})
		return
	}
	if d.seen.InUse && o.Source.Live() {
		d.tell(Finding{"camera", Skipped, o.Source.String() + " is left to the agent, which is running", ""})
		return
	}
	ctx, cancel := context.WithTimeout(ctx, d.Patience)
	defer cancel()
	src := camera.NewReopening(camera.ReopenOptions{Open: func() (camera.Source, error) { return camera.Open(o) }})
	defer src.Close()
	f, err := src.Next(ctx)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("open %s: no picture within %v", o.Source, d.Patience)
		}
		d.tell(Finding{"camera", Failed, err.Error(), hint.Of(err)})
		return
	}
	words := fmt.Sprintf("%s gave a picture of %d x %d px", o.Source, f.Width, f.Height)
	sum := 0
	for _, b := range f.Pix {
		sum += int(b)
	}
	if sum < black*len(f.Pix) {
		d.tell(Finding{"camera", Warning, words + ", and it is black", "look at the lens cap, the light and the exposure"})
		return
	}
	d.tell(Finding{"camera", OK, words, ""})
}

// broker logs in, also for Sparkplug where that is wanted.
func (d *doctor) broker(ctx context.Context) {
	c := d.cfg.MQTT
	if !c.Enabled() {
		d.tell(Finding{"broker", OK, "none: verdicts stay in the journal", ""})
		return
	}
	err := d.login(c, func(c config.MQTT) error {
		within, cancel := context.WithTimeout(ctx, d.Patience)
		defer cancel()
		return uplink.Try(within, c, message.Topics{Root: c.Root, Station: d.cfg.Station.ID()})
	})
	if err != nil {
		d.tell(d.refused("broker", err, "the broker's access list must let the station read and write below its own topic"))
		return
	}
	d.tell(Finding{"broker", OK, c.Broker + " lets this station in", ""})
	if d.cfg.Sparkplug.Enabled {
		d.sparkplug(ctx)
	}
}

// login tries a client id that nobody has: a broker throws out whoever has the one that comes, and
// the agent may run on another machine. Where that is refused it tries the station's own, unless an
// agent uses it or may be using it.
func (d *doctor) login(c config.MQTT, try func(config.MQTT) error) error {
	err := try(uplink.Aside(c))
	if !uplink.Refused(err) || d.beside() {
		return err
	}
	// All looks before this took their time. An agent has the journal before it uses its client
	// ids.
	if seen, lookErr := journal.Look(d.cfg.Journal.Path, d.cfg.Station.ID()); lookErr == nil && seen.InUse {
		d.seen.InUse = true
		return err
	}
	return try(c)
}

// beside says whether an agent runs here, or may run.
func (d *doctor) beside() bool { return d.seen.InUse || d.shut }

// refused is a broker that does not let the station in. access is what to do when it lets it in and
// forbids a topic.
func (d *doctor) refused(look string, err error, access string) Finding {
	refusal, known := errors.AsType[*uplink.ConnectError](err)
	switch {
	case errors.Is(err, config.ErrNoCredentials):
		return Finding{look, Skipped, err.Error(), "systemctl start tirewatch-selfcheck looks as the service does"}
	case known:
		f := Finding{look, Failed, fmt.Sprintf("broker %s: %s (%v)", refusal.Broker, refusal.Text, refusal.Err), refusal.Advice}
		if d.beside() && uplink.Refused(err) {
			f.State = Warning
			f.Found += ", tried under another client id than the running agent's, which it may let in"
		}
		return f
	case errors.Is(err, uplink.ErrForbidden):
		return Finding{look, Failed, err.Error(), access}
	}
	return Finding{look, Failed, err.Error(), ""}
}

// sparkplug logs in as the Sparkplug session and looks whether the host that it waits for is there.
func (d *doctor) sparkplug(ctx context.Context) {
	names, own := agent.SparkplugNames(d.cfg.Sparkplug), agent.SparkplugLogin(d.cfg)
	var state []byte
	err := d.login(own, func(c config.MQTT) (err error) {
		within, cancel := context.WithTimeout(ctx, d.Patience)
		defer cancel()
		state, err = uplink.TrySparkplug(within, c, names)
		return err
	})
	if err != nil {
		f := d.refused("sparkplug", err, fmt.Sprintf("the broker's access list must let the station read and write spBv1.0/%s/+/%s/#, and read spBv1.0/STATE/#",
			names.Group, names.Node))
		// name and password are those that were let in before
		if errors.As(err, new(*uplink.ConnectError)) {
			f.Do = "let the client id " + own.ClientID + " in, or set sparkplug.client_id to one that the broker lets in"
		}
		d.tell(f)
		return
	}
	found := fmt.Sprintf("edge node %s/%s is let in", names.Group, names.Node)
	if names.Host == "" {
		d.tell(Finding{"sparkplug", OK, found + ", which waits for no host", ""})
		return
	}
	waits := "; until it is online the station keeps its verdicts back from Sparkplug"
	online, at, err := sparkplug.ReadState(state)
	since := time.UnixMilli(at).UTC().Format(time.RFC3339)
	switch {
	case state == nil:
		d.tell(Finding{"sparkplug", Warning, fmt.Sprintf("%s; the primary host %s has left no STATE%s", found, names.Host, waits),
			"start the host, or set sparkplug.primary_host to the id that it has"})
	case err != nil:
		d.tell(Finding{"sparkplug", Warning, fmt.Sprintf("%s; of the primary host: %v%s", found, err, waits), "the host must speak Sparkplug 3.0"})
	case !online:
		d.tell(Finding{"sparkplug", Warning, fmt.Sprintf("%s; the primary host %s is offline since %s%s", found, names.Host, since, waits), "start the host"})
	default:
		d.tell(Finding{"sparkplug", OK, fmt.Sprintf("%s; the primary host %s is online since %s", found, names.Host, since), ""})
	}
}
