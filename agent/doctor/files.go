package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/dustin/go-humanize"

	"tirewatch/agent"
	"tirewatch/agent/config"
	"tirewatch/agent/gpio"
	"tirewatch/agent/health"
	"tirewatch/agent/journal"
	"tirewatch/agent/models"
	"tirewatch/agent/review"
	"tirewatch/agent/web"
	"tirewatch/vision/bundle"
	"tirewatch/vision/camera"
)

// Missing is everything that the configuration names and that is not there or cannot be used, but
// for the model.
func Missing(cfg *config.Config) error {
	var errs []error
	note := func(key string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", key, err))
		}
	}
	if loc, err := camera.ParseLocation(string(cfg.Camera.Source)); err != nil {
		note("camera.source", err)
	} else {
		note("camera.source", camera.Check(loc))
	}
	for _, l := range []struct {
		key, line string
		used      bool
	}{
		{"trigger.gpio", cfg.Trigger.GPIO, cfg.Trigger.Mode == config.TriggerPhotoEye},
		{"reject.gpio", cfg.Reject.GPIO, cfg.Reject.GPIO != ""}, {"reject.encoder", cfg.Reject.Encoder, cfg.Reject.Encoder != ""},
	} {
		if l.used {
			_, err := gpio.Open(l.line)
			note(l.key, err)
		}
	}
	if cfg.Model.Inbox != "" {
		note("model.inbox", isFolder(cfg.Model.Inbox))
	}
	note("journal.path", isFolder(filepath.Dir(cfg.Journal.Path)))
	for _, s := range secretFiles(cfg) {
		// only the service can look at what systemd hands to it
		if s.err != nil && !errors.Is(s.err, config.ErrNoCredentials) {
			note(s.key, s.err)
		}
	}
	return errors.Join(errs...)
}

// secretFile is a file of the [mqtt] or [page] section.
type secretFile struct {
	key, path string
	err       error
}

// secretFiles tries the files that are named.
func secretFiles(cfg *config.Config) (named []secretFile) {
	c, page := cfg.MQTT, cfg.Page
	for _, f := range []struct {
		key, path string
		check     func(path string) error
	}{
		{"mqtt.password_file", c.PasswordFile, isSecret}, {"mqtt.ca_file", c.CAFile, isReadable},
		{"mqtt.cert_file", c.CertFile, isReadable}, {"mqtt.key_file", c.KeyFile, isSecret},
		{"page.password_file", page.PasswordFile, web.CheckPasswordFile}, {"page.viewer_password_file", page.ViewerPasswordFile, web.CheckPasswordFile},
		{"page.cert_file", page.CertFile, func(path string) error { _, err := config.ReadKeyPair(path, page.KeyFile); return err }},
	} {
		if f.path != "" {
			named = append(named, secretFile{f.key, f.path, f.check(f.path)})
		}
	}
	return named
}

const nothingYet = "none yet: the station waits until one is pushed"

// Model says with which network a station of this configuration starts. The golden inputs are run
// on the way. That there is none yet is no error.
func Model(cfg *config.Config) (words string, err error) {
	words, _, err = inspectModel(cfg)
	if words == nothingYet {
		err = nil
	}
	return words, err
}

// inspectModel gives words, what the store found wrong on the way to its network, and why there is
// none.
func inspectModel(cfg *config.Config) (words string, notes []string, err error) {
	var heard notebook
	o, err := agent.ModelOptions(cfg, slog.New(&heard))
	if err != nil {
		return "unknown", nil, err
	}
	shot, err := models.Inspect(o)
	if err == nil {
		b := shot.Active.Bundle
		words := fmt.Sprintf("serial %d (%s), installed in %s", b.Serial, b.ID(), cfg.Model.Dir)
		if t := shot.Trial; t != nil {
			words += fmt.Sprintf(", on probation: %d of %d verdicts, %d of %d unlike the model before", t.Verdicts, t.Of, t.Disagreements, t.Compared)
		}
		return words, heard.lines, nil
	}
	// more than this sentinel says that there is one, and what is wrong with it
	if cfg.Model.Initial == "" && err == models.ErrNoModel {
		return nothingYet, nil, err
	}
	if cfg.Model.Initial == "" || !errors.Is(err, models.ErrNoModel) {
		return "unknown", nil, err
	}
	data, err := bundle.ReadFile(cfg.Model.Initial)
	if err != nil {
		return "unknown", nil, err
	}
	m, err := o.Verify(data)
	if err != nil {
		return "unknown", nil, fmt.Errorf("initial model %s: %w", cfg.Model.Initial, err)
	}
	return fmt.Sprintf("none yet: serial %d (%s) is installed from %s", m.Bundle.Serial, m.Bundle.ID(), cfg.Model.Initial), heard.lines, nil
}

// notebook keeps the warnings of a log.
type notebook struct{ lines []string }

func (n *notebook) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }
func (n *notebook) WithAttrs([]slog.Attr) slog.Handler           { return n }
func (n *notebook) WithGroup(string) slog.Handler                { return n }

func (n *notebook) Handle(_ context.Context, r slog.Record) error {
	line := r.Message
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "error" {
			line += ": " + a.Value.String()
		}
		return true
	})
	n.lines = append(n.lines, line)
	return nil
}

func isFolder(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "open", Path: path, Err: errors.New("not a folder")}
	}
	return err
}

func isReadable(path string) error {
	path, err := config.FilePath(path)
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return f.Close()
}

func isSecret(path string) error {
	_, err := config.ReadSecret(path)
	return err
}

// secrets looks at passwords, keys and certificates.
func (d *doctor) secrets() {
	named := secretFiles(d.cfg)
	var bad, hidden []string
	for _, s := range named {
		switch {
		case s.err == nil:
		case errors.Is(s.err, config.ErrNoCredentials):
			hidden = append(hidden, s.path)
		default:
			bad = append(bad, fmt.Sprintf("%s: %v", s.key, s.err))
		}
	}
	switch {
	case len(bad) > 0:
		d.tell(Finding{"secrets", Failed, strings.Join(bad, "; "),
			"for each file: sudo chgrp tirewatch FILE && sudo chmod 640 FILE: the agent reads it, other users do not"})
	case len(hidden) > 0:
		d.tell(Finding{"secrets", Skipped, strings.Join(hidden, ", ") + ": only the service sees what systemd hands to it",
			"systemctl start tirewatch-selfcheck looks as the service does"})
	case len(named) > 0:
		d.tell(Finding{"secrets", OK, fmt.Sprintf("%d files, readable by the agent and by no other user", len(named)), ""})
	default:
		d.tell(Finding{"secrets", OK, "none are needed", ""})
	}
}

// ownershipAdvice is for files that root left behind in the agent's folders.
func ownershipAdvice(path string) string {
	return "sudo chown -R tirewatch:tirewatch " + filepath.Dir(path) + "; start the agent with systemctl, not as root"
}

// files looks whether the agent can change what it keeps: an agent that was once started as root
// leaves files that it cannot.
func (d *doctor) files() {
	var bad []string
	paths := []string{
		d.cfg.Journal.Path, d.cfg.Journal.Path + "-wal", d.cfg.Journal.Path + "-shm", d.cfg.Journal.Path + "-numbers", d.cfg.Journal.Path + "-lock",
		d.cfg.Journal.Path + "-shifts", d.cfg.Journal.Path + "-sparkplug",
	}
	inModels, err := filepath.Glob(filepath.Join(globSafe(d.cfg.Model.Dir), "*"))
	if err != nil {
		inModels = nil // the agent names what is wrong with the folder
	}
	for _, path := range append(paths, inModels...) {
		f, err := os.OpenFile(path, os.O_WRONLY, 0) // neither makes nor changes anything
		switch {
		case err == nil:
			f.Close()
		case errors.Is(err, fs.ErrPermission):
			bad = append(bad, path)
		}
	}
	if len(bad) > 0 {
		d.tell(Finding{"files", Failed, "the agent cannot write " + strings.Join(bad, ", "), ownershipAdvice(d.cfg.Journal.Path)})
		return
	}
	d.tell(Finding{"files", OK, "journal and models can be written", ""})
}

// globSafe takes the meaning from characters that filepath.Glob knows.
func globSafe(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// reserve is the room below which a station is about to stop: some minutes of verdicts, the log of
// a database, a new bundle. bytes
const reserve = 64 << 20

// disk looks for room, and whether a file can be made at all: a worn card turns read-only.
func (d *doctor) disk() {
	folder := filepath.Dir(d.cfg.Journal.Path)
	probe, err := os.CreateTemp(folder, ".tirewatch-doctor-*")
	if err == nil {
		err = errors.Join(probe.Close(), os.Remove(probe.Name()))
	}
	if err != nil {
		f := Finding{"disk", Failed, fmt.Sprintf("no file can be made in %s: %v", folder, err), ownershipAdvice(d.cfg.Journal.Path)}
		if errors.Is(err, fs.ErrNotExist) {
			f.Do = "make the folder: sudo systemd-tmpfiles --create, or mount the disk that it lies on"
		}
		d.tell(f)
		return
	}
	room, err := health.DiskFree(folder)
	if err != nil {
		d.tell(Finding{"disk", Skipped, fmt.Sprintf("the room in %s is not known: %v", folder, err), ""})
		return
	}
	growth := d.cfg.Journal.MaxSize.Bytes() - size(d.cfg.Journal.Path)
	if d.cfg.Journal.Crops != config.CropsOff {
		growth += d.cfg.Journal.CropsMaxSize.Bytes()
		for _, folder := range review.Folders {
			growth -= size(filepath.Join(globSafe(journal.CropFolder(d.cfg.Journal.Path)), folder, "*.png"))
		}
	}
	growth = max(0, growth)
	has := fmt.Sprintf("%s are free in %s", humanize.IBytes(room), folder)
	switch {
	case room < reserve:
		d.tell(Finding{"disk", Failed, has + ": the disk is nearly full, and verdicts stop when it is", "remove what is not the agent's, or use a larger disk"})
	case room < uint64(growth):
		d.tell(Finding{"disk", Warning, fmt.Sprintf("%s, and journal and pictures may take %s more", has, humanize.IBytes(uint64(growth))),
			"set journal.max_size and journal.crops_max_size lower, or use a larger disk"})
	default:
		d.tell(Finding{"disk", OK, fmt.Sprintf("%s, enough for the %s that journal and pictures may take", has, humanize.IBytes(uint64(growth))), ""})
	}
}

// size sums the files that a pattern names. bytes
func size(pattern string) (n int64) {
	files, err := filepath.Glob(pattern)
	if err != nil {
		return 0 // more room is asked for than is needed
	}
	for _, file := range files {
		if info, err := os.Stat(file); err == nil {
			n += info.Size()
		}
	}
	return n
}
