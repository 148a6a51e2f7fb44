// Package doctor checks everything that a station needs, one thing after the other, and reports in
// plain words what it found and what to do.
//
//	configuration -> secrets, files, disk, journal, clock, model, camera, broker, Sparkplug
//	              -> DOCTOR -> terminal, JSON, MQTT
//
// It does not disturb a running agent: it reads the journal without a lock, leaves the camera to
// the agent, and uses another client id at the broker, which an access list may not know. Start
// with [Read] and [Examine]. [Model] and [Missing] only tell whether a configuration fits the
// machine.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"tirewatch/agent"
	"tirewatch/agent/config"
	"tirewatch/agent/health"
	"tirewatch/agent/journal"
	"tirewatch/internal/hint"
	"tirewatch/vision/camera"
)

// State is the result of a check.
type State string

const (
	OK      State = "ok"
	Warning State = "warning" // the station works, but somebody should know
	Failed  State = "failed"  // the station does not work as it should
	Skipped State = "skipped" // this cannot be checked now
)

// Finding is what one check found.
type Finding struct {
	// what was checked: configuration, agent, secrets, files, disk, journal, clock, heat, model,
	// camera, broker, sparkplug
	Look  string `json:"look"`
	State State  `json:"state"`
	Found string `json:"found"`        // in plain words
	Do    string `json:"do,omitempty"` // what to do about it
}

// Options are what the checks need of the machine. The zero value uses the real one.
type Options struct {
	Patience time.Duration    // with camera and broker; 0: 30 s
	Now      func() time.Time // nil: time.Now
	// whether a time server has set the clock; nil: ask the kernel
	Synchronised func() (yes, known bool)
	Heat         func() (celsius float64, ok bool) // nil: the hottest sensor
}

// Read loads a configuration. If that fails, the finding says why, and there is nothing more to
// check.
func Read(path string) (*config.Config, Finding) {
	cfg, err := config.Load(path)
	if err == nil {
		return cfg, Finding{"configuration", OK, fmt.Sprintf("%s describes station %s", path, cfg.Station.ID()), ""}
	}
	f := Finding{"configuration", Failed, err.Error(), "correct the file; " + hint.Of(err)}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.Do = "write one: sudo tirewatch-agent provision"
	case errors.Is(err, fs.ErrPermission):
		f.Do = "run this command with sudo, or let the agent read the file: " +
			"sudo chgrp tirewatch " + path + " && sudo chmod 640 " + path
	}
	return nil, f
}

// doctor is one examination.
type doctor struct {
	Options
	cfg    *config.Config
	seen   journal.Seen // set by the check of the journal
	denied bool         // this user may not read the journal, so an agent may be running
	report func(Finding)
}

// Examine makes all checks and calls report with each finding at once. It takes as long as camera
// and broker do.
func Examine(ctx context.Context, cfg *config.Config, o Options, report func(Finding)) {
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
	d := &doctor{Options: o, cfg: cfg, report: report}
	d.secrets()
	d.files()
	d.disk()
	d.journal() // sets whether an agent runs, for the checks below
	d.agent(ctx)
	d.clock()
	d.heat()
	d.model()
	d.camera(ctx)
	d.broker(ctx)
}

// mayRun reports whether an agent runs on this machine, or might.
func (d *doctor) mayRun() bool { return d.seen.InUse || d.denied }

// diskErrors is the advice when a card or disk may be worn out.
const diskErrors = "look for disk errors: journalctl -k -p err; a worn card needs replacing"

// journal checks whether the next start can continue where the last one ended.
func (d *doctor) journal() {
	path := d.cfg.Journal.Path
	seen, err := journal.Look(path, d.cfg.Station.ID())
	d.seen, d.denied = seen, errors.Is(err, journal.ErrReadOnly)
	f := Finding{Look: "journal", State: OK}
	switch {
	case errors.As(err, new(*journal.DamagedError)):
		f = Finding{"journal", Warning, err.Error(), diskErrors}
	case errors.As(err, new(*journal.StationError)):
		f = Finding{"journal", Failed, err.Error(),
			"use the old names in section [station], or set journal.path to a new file"}
	case errors.Is(err, journal.ErrReadOnly):
		f = Finding{"journal", Failed, err.Error(), ownershipAdvice(path)}
	case err != nil:
		f = Finding{"journal", Failed, err.Error(), diskErrors}
	case seen.InUse:
		f.Found = path + " is in use: the agent is running"
	case !seen.Exists:
		f.Found = path + " is created at the first start"
	case seen.Unclean:
		f.Found = path + " was not closed (power cut or crash): the next start recovers it"
	default:
		f.Found = fmt.Sprintf("%s has %d verdicts; %d of them wait for the broker", path, seen.Verdicts, seen.Waiting)
	}
	d.report(f)
}

// clock checks whether the time can be right. Order and retention need no clock; certificates and
// readers of a verdict do.
func (d *doctor) clock() {
	now := d.Now().UTC()
	shows := "the clock shows " + now.Format(time.RFC3339)
	const server = "set up a time server (example: /usr/share/doc/tirewatch-agent/firmware-config/chrony.conf), " +
		"then check with: timedatectl"
	state := health.JudgeClock(now, d.seen.Newest)
	synced, known := d.Synchronised()
	switch {
	case state == health.ClockUnset:
		d.report(Finding{"clock", Failed, shows + ": it is not set", server})
	case state == health.ClockBehind:
		last := d.seen.Newest.Format(time.RFC3339)
		d.report(Finding{"clock", Failed, shows + ", before the last verdict, " + last, server})
	case known && !synced:
		d.report(Finding{"clock", Warning, shows + "; no time server has set it", server})
	case known:
		d.report(Finding{"clock", OK, shows + ", set by a time server", ""})
	default:
		d.report(Finding{"clock", OK, shows + "; unknown whether a time server has set it", ""})
	}
}

// hot is the temperature at which boards of all kinds slow down to cool. degrees Celsius
const hot = 80

func (d *doctor) heat() {
	celsius, ok := d.Heat()
	switch {
	case !ok: // a PC without sensors
	case celsius >= hot:
		d.report(Finding{"heat", Warning, fmt.Sprintf("%.0f °C: the machine slows down to cool", celsius),
			"add a heat sink or a fan, then check with: cat /sys/class/thermal/thermal_zone*/temp (1/1000 °C)"})
	default:
		d.report(Finding{"heat", OK, fmt.Sprintf("%.0f °C", celsius), ""})
	}
}

// black is the mean of a frame that shows nothing, 0 to 255.
const black = 4

// camera reads one frame, unless a running agent has the camera.
func (d *doctor) camera(ctx context.Context) {
	o, err := agent.CameraOptions(d.cfg.Camera, slog.New(slog.DiscardHandler))
	if err == nil {
		err = camera.Check(o.Source)
	}
	if err != nil {
		d.report(Finding{"camera", Failed, err.Error(), hint.Of(err)})
		return
	}
	if d.seen.InUse && o.Source.Live() {
		d.report(Finding{"camera", Skipped, o.Source.String() + " is in use by the running agent", ""})
		return
	}
	ctx, cancel := context.WithTimeout(ctx, d.Patience)
	defer cancel()
	src := camera.NewReopening(camera.ReopenOptions{Open: func() (camera.Source, error) { return camera.Open(o) }})
	defer src.Close()
	f, err := src.Next(ctx)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("open %s: no frame within %v", o.Source, d.Patience)
		}
		d.report(Finding{"camera", Failed, err.Error(), hint.Of(err)})
		return
	}
	found := fmt.Sprintf("%s delivers frames of %d x %d px", o.Source, f.Width, f.Height)
	sum := 0
	for _, b := range f.Pix {
		sum += int(b)
	}
	if sum < black*len(f.Pix) {
		d.report(Finding{"camera", Warning, found + ", but they are black",
			"check lens cap and light, then the exposure: v4l2-ctl --list-ctrls-menus"})
		return
	}
	d.report(Finding{"camera", OK, found, ""})
}
