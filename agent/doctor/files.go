package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/dustin/go-humanize"

	"tirewatch/agent/config"
	"tirewatch/agent/gpio"
	"tirewatch/agent/health"
	"tirewatch/agent/journal"
	"tirewatch/agent/review"
	"tirewatch/agent/web"
	"tirewatch/vision/camera"
)

// Missing reports everything that the configuration names and that does not exist or cannot be
// used, except the model.
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
		{"reject.gpio", cfg.Reject.GPIO, cfg.Reject.GPIO != ""},
		{"reject.encoder", cfg.Reject.Encoder, cfg.Reject.Encoder != ""},
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
		// only the service can read what systemd passes to it
		if s.err != nil && !errors.Is(s.err, config.ErrNoCredentials) {
			note(s.key, s.err)
		}
	}
	return errors.Join(errs...)
}

// secretFile is a file of section mqtt or page.
type secretFile struct {
	key, path string
	err       error // why it cannot be used
}

// secretFiles tries the files that the configuration names.
func secretFiles(cfg *config.Config) (named []secretFile) {
	c, page := cfg.MQTT, cfg.Page
	for _, f := range []struct {
		key, path string
		check     func(path string) error
	}{
		{"mqtt.password_file", c.PasswordFile, isSecret}, {"mqtt.ca_file", c.CAFile, isReadable},
		{"mqtt.cert_file", c.CertFile, isReadable}, {"mqtt.key_file", c.KeyFile, isSecret},
		{"page.password_file", page.PasswordFile, web.CheckPasswordFile},
		{"page.viewer_password_file", page.ViewerPasswordFile, web.CheckPasswordFile},
		{"page.cert_file", page.CertFile, func(path string) error {
			_, err := config.ReadKeyPair(path, page.KeyFile)
			return err
		}},
	} {
		if f.path != "" {
			named = append(named, secretFile{f.key, f.path, f.check(f.path)})
		}
	}
	return named
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

// secrets checks passwords, keys and certificates.
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
		d.report(Finding{"secrets", Failed, strings.Join(bad, "; "),
			"for each file: sudo chgrp tirewatch FILE && sudo chmod 640 FILE"})
	case len(hidden) > 0:
		d.report(Finding{"secrets", Skipped,
			strings.Join(hidden, ", ") + ": only the service can read what systemd passes to it", asService})
	case len(named) > 0:
		d.report(Finding{"secrets", OK, fmt.Sprintf("files that only the agent can read: %d", len(named)), ""})
	default:
		d.report(Finding{"secrets", OK, "none needed", ""})
	}
}

// ownershipAdvice is for files that root left in the agent's folders.
func ownershipAdvice(path string) string {
	return "sudo chown -R tirewatch:tirewatch " + filepath.Dir(path) +
		"; from now on start the agent with systemctl, not as root"
}

// files checks whether the agent can write its files: an agent that was once started as root leaves
// files that it cannot.
func (d *doctor) files() {
	var bad []string
	paths := []string{d.cfg.Journal.Path}
	for _, suffix := range []string{"-wal", "-shm", "-numbers", "-lock", "-shifts", "-sparkplug"} {
		paths = append(paths, d.cfg.Journal.Path+suffix)
	}
	inModels, err := filepath.Glob(filepath.Join(globSafe(d.cfg.Model.Dir), "*"))
	if err != nil {
		inModels = nil // the agent reports what is wrong with the folder
	}
	for _, path := range append(paths, inModels...) {
		f, err := os.OpenFile(path, os.O_WRONLY, 0) // neither creates nor changes it
		switch {
		case err == nil:
			f.Close()
		case errors.Is(err, fs.ErrPermission):
			bad = append(bad, path)
		}
	}
	if len(bad) > 0 {
		d.report(Finding{"files", Failed, "the agent cannot write " + strings.Join(bad, ", "),
			ownershipAdvice(d.cfg.Journal.Path)})
		return
	}
	d.report(Finding{"files", OK, "journal and models are writable", ""})
}

// globSafe escapes the characters that filepath.Glob interprets.
func globSafe(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// reserve is the free space below which a station is about to stop: some minutes of verdicts, the
// log of a database, a new bundle. bytes
const reserve = 64 << 20

// disk checks the free space, and whether a file can be created at all: a worn card turns
// read-only.
func (d *doctor) disk() {
	folder := filepath.Dir(d.cfg.Journal.Path)
	probe, err := os.CreateTemp(folder, ".tirewatch-doctor-*")
	if err == nil {
		err = errors.Join(probe.Close(), os.Remove(probe.Name()))
	}
	if err != nil {
		advice := ownershipAdvice(d.cfg.Journal.Path)
		if errors.Is(err, fs.ErrNotExist) {
			advice = "create the folder: sudo systemd-tmpfiles --create; or mount its disk"
		}
		d.report(Finding{"disk", Failed, fmt.Sprintf("cannot create a file in %s: %v", folder, withoutPath(err)), advice})
		return
	}
	free, err := health.DiskFree(folder)
	if err != nil {
		d.report(Finding{"disk", Skipped, fmt.Sprintf("cannot read the free space in %s: %v", folder, err), ""})
		return
	}
	growth := d.growth()
	has, more := fmt.Sprintf("%s free in %s", humanize.IBytes(free), folder), humanize.IBytes(growth)
	switch {
	case free < reserve:
		d.report(Finding{"disk", Failed, has + ": the disk is nearly full; inspection stops when it is full",
			"delete other files (sudo du -xh / | sort -h | tail shows the largest folders), or use a larger disk"})
	case free < growth:
		d.report(Finding{"disk", Warning, fmt.Sprintf("%s, but journal and crops may grow by %s", has, more),
			"set journal.max_size and journal.crops_max_size lower, or use a larger disk"})
	default:
		d.report(Finding{"disk", OK, fmt.Sprintf("%s, enough for journal and crops to grow by %s", has, more), ""})
	}
}

// growth is how much journal and crops may still grow to their limits. bytes
func (d *doctor) growth() uint64 {
	growth := d.cfg.Journal.MaxSize.Bytes() - size(d.cfg.Journal.Path)
	if d.cfg.Journal.Crops != config.CropsOff {
		growth += d.cfg.Journal.CropsMaxSize.Bytes()
		for _, folder := range review.Folders {
			growth -= size(filepath.Join(globSafe(journal.CropFolder(d.cfg.Journal.Path)), folder, "*.png"))
		}
	}
	return uint64(max(0, growth))
}

// withoutPath is the reason alone of an error about a path that the reader does not know.
func withoutPath(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

// size is the sum of the files that match a pattern. bytes
func size(pattern string) (n int64) {
	files, err := filepath.Glob(pattern)
	if err != nil {
		return 0 // then growth is too large, which is safe
	}
	for _, file := range files {
		if info, err := os.Stat(file); err == nil {
			n += info.Size()
		}
	}
	return n
}
