// Package provision makes a station's configuration of a few answers.
//
//	flags, terminal -> Answers -> PROVISION -> station.toml, maker.pub, password, ca.pem, initial.tire
//
// Everything is looked at before anything is written, and the configuration is written last: a
// station is either provisioned or still without one. Newcomers need Answers and Write.
package provision

import (
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"tirewatch/agent/config"
	"tirewatch/internal/durable"
	"tirewatch/vision/bundle"
)

// Answers are what a technician knows of a new station. Files are copied beside the configuration,
// where the agent may read them.
type Answers struct {
	Station      string // SITE/LINE/NAME
	Camera       string // a preset or a source, as in camera.preset and camera.source
	Broker       string // mqtt://HOST or mqtts://HOST; empty: none
	Username     string // at the broker; empty: none
	Password     string // as typed; empty: PasswordFile
	PasswordFile string
	CAFile       string // who issued the broker's certificate; empty: the system's authorities
	Key          string // the public key of whoever signs the bundles
	Model        string // the first bundle; empty: one is pushed later
	// the folder of journal and models, on a data partition for instance; empty: the default
	State string

	// what makes a verdict, as in trigger.mode; empty: photo-eye if there is one, else the default
	Trigger  string
	PhotoEye string // its GPIO line
	Ejector  string // its GPIO line; empty: none
	// from the middle of the picture to the ejector, like 1.2s; empty: a pulse comes at once
	EjectorDelay string
}

// UsesGPIO says whether the service must be let to the GPIO chips.
func (a Answers) UsesGPIO() bool { return a.PhotoEye != "" || a.Ejector != "" }

// ExistsError is a file that is there already and would be replaced.
type ExistsError struct{ Path string }

func (e *ExistsError) Error() string { return e.Path + " exists and says something else" }

// Hint is what to do about it.
func (e *ExistsError) Hint() string { return "--force replaces it" }

// Unwrap is fs.ErrExist.
func (e *ExistsError) Unwrap() error { return fs.ErrExist }

// file is what is written, and under which name beside the configuration.
type file struct {
	name string
	data []byte
}

// mode lets root write and the agent's group read. The folder of the configuration has that group.
const mode = 0o640

// Write makes the configuration at path, which must be in an existing folder. What is there already
// stays, ExistsError, unless force is set.
func Write(path string, a Answers, force bool) error {
	files, err := gather(path, a)
	if err != nil {
		return err
	}
	for _, f := range files {
		old, err := os.ReadFile(f.name)
		switch {
		case errors.Is(err, fs.ErrNotExist), err == nil && string(old) == string(f.data):
		case err != nil && !force:
			return fmt.Errorf("look at what is there: %w", err)
		case !force:
			return &ExistsError{f.name}
		}
	}
	folder, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	for _, f := range files {
		if err := writeFor(folder, f); err != nil {
			return err
		}
	}
	return nil
}

// WriteSecret replaces the file at path by one that the agent may read, as the folder's group, and
// no other user.
func WriteSecret(path string, data []byte) error {
	folder, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return writeFor(folder, file{path, data})
}

func writeFor(folder fs.FileInfo, f file) error {
	if err := durable.WriteFile(f.name, f.data, mode); err != nil {
		return err
	}
	if err := handOver(f.name, folder); err != nil { // root's own group is not the agent's
		return fmt.Errorf("write %s: %w", f.name, err)
	}
	return nil
}

// gather checks the answers and gives the files, the configuration last.
func gather(path string, a Answers) (files []file, err error) {
	beside := func(name string) string { return filepath.Join(filepath.Dir(path), name) }
	var named struct{ key, password, ca, model string }

	key, err := Key(a.Key)
	if err != nil {
		return nil, err
	}
	take := func(from, name string) (string, error) {
		data, err := os.ReadFile(from)
		if err != nil {
			return "", err
		}
		files = append(files, file{beside(name), data})
		return name, nil
	}
	if named.key, err = take(a.Key, "maker.pub"); err != nil {
		return nil, fmt.Errorf("read public key: %w", err)
	}
	if a.Model != "" {
		if err := Model(a.Model, key); err != nil {
			return nil, err
		}
		if named.model, err = take(a.Model, "initial.tire"); err != nil {
			return nil, fmt.Errorf("read first model: %w", err)
		}
	}
	if a.CAFile != "" {
		if named.ca, err = take(a.CAFile, "ca.pem"); err != nil {
			return nil, fmt.Errorf("read certificates of the broker's authority: %w", err)
		}
		if !x509.NewCertPool().AppendCertsFromPEM(files[len(files)-1].data) {
			return nil, fmt.Errorf("%s holds no PEM certificate", a.CAFile)
		}
	}
	switch {
	case a.Password != "":
		named.password = "password"
		files = append(files, file{beside(named.password), []byte(a.Password + "\n")})
	case a.PasswordFile != "":
		if named.password, err = take(a.PasswordFile, "password"); err != nil {
			return nil, fmt.Errorf("read password: %w", err)
		}
	}
	station, err := config.ParseStation(a.Station)
	if err != nil {
		return nil, err
	}
	// the check of the whole would name lines of a file that nobody has
	if err := Camera(a.Camera); err != nil {
		return nil, fmt.Errorf("camera: %w", err)
	}
	if a.Broker != "" {
		if err := Broker(a.Broker); err != nil {
			return nil, fmt.Errorf("broker: %w", err)
		}
	}
	for _, c := range []struct {
		answer string
		check  func(Answers) error
	}{{"trigger", Trigger}, {"photo-eye", PhotoEye}, {"ejector", Ejector}, {"ejector's delay", EjectorDelay}} {
		if err := c.check(a); err != nil {
			return nil, fmt.Errorf("%s: %w", c.answer, err)
		}
	}

	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# The configuration of this station, written by `tirewatch-agent provision`.")
	line("# What is not here has its default; `tirewatch-agent example` shows every key.")
	line("\n[station]\nsite = %s\nline = %s\nname = %s", strconv.Quote(station.Site), strconv.Quote(station.Line), strconv.Quote(station.Name))
	line("\n[camera]\n%s", cameraKey(a.Camera))
	b.WriteString(beltSections(a))
	line("\n[model]\n# Whose bundles this station accepts.\nkeys = [%q]", named.key)
	if named.model != "" {
		line("# What it starts with.\ninitial = %q", named.model)
	}
	if a.State != "" {
		line("dir = %s", strconv.Quote(filepath.Join(a.State, "models")))
		line("\n[journal]\npath = %s", strconv.Quote(filepath.Join(a.State, "journal.db")))
	}
	if a.Broker != "" {
		line("\n[mqtt]\nbroker = %s", strconv.Quote(a.Broker))
		if named.ca != "" {
			line("ca_file = %q", named.ca)
		}
		if a.Username != "" {
			line("username = %s", strconv.Quote(a.Username))
		}
		if named.password != "" {
			line("password_file = %q", named.password)
		}
	}
	if _, err := config.Parse([]byte(b.String()), path); err != nil {
		return nil, err
	}
	return append(files, file{path, []byte(b.String())}), nil
}

// cameraKey is the line of the configuration for an answer about the camera.
func cameraKey(answer string) string {
	source := "source = " + strconv.Quote(answer)
	switch kind, _ := config.Source(answer).Split(); {
	case slices.Contains(config.Presets, answer):
		return "preset = " + strconv.Quote(answer)
	case kind == config.SourceRTSP:
		return "preset = \"rtsp\"\n" + source
	}
	return source
}

// Camera says what is wrong with an answer about the camera.
func Camera(answer string) error { return tryKeys("camera.source", "[camera]\n"+cameraKey(answer)) }

// Broker says what is wrong with an answer about the broker.
func Broker(answer string) error {
	return tryKeys("mqtt.broker", "[mqtt]\nbroker = "+strconv.Quote(answer))
}

// beltSections are those of the configuration for the answers about trigger and ejector.
func beltSections(a Answers) string {
	var b strings.Builder
	key := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s = %s\n", name, strconv.Quote(value))
		}
	}
	if mode := a.mode(); mode != "" {
		b.WriteString("\n[trigger]\n")
		key("mode", mode)
		key("gpio", a.PhotoEye)
	}
	if a.Ejector != "" {
		b.WriteString("\n[reject]\n")
		key("gpio", a.Ejector)
		key("delay", a.EjectorDelay)
	}
	return b.String()
}

// mode is what makes a verdict; empty: the default.
func (a Answers) mode() string {
	if a.Trigger == "" && a.PhotoEye != "" {
		return config.TriggerPhotoEye
	}
	return a.Trigger
}

// Trigger says what is wrong with the answer about the trigger, of which some need others.
func Trigger(a Answers) error {
	if a.PhotoEye != "" && a.mode() != config.TriggerPhotoEye {
		return fmt.Errorf("%s uses no photo-eye", a.Trigger)
	}
	return tryKeys("trigger.mode", beltSections(a)+"[mqtt]\nbroker = "+strconv.Quote(a.Broker))
}

// PhotoEye says what is wrong with the answer about its line.
func PhotoEye(a Answers) error { return tryKeys("trigger.gpio", beltSections(a)) }

// Ejector says what is wrong with the answer about its line.
func Ejector(a Answers) error { return tryKeys("reject.gpio", beltSections(a)) }

// EjectorDelay says what is wrong with the answer about the way to the ejector.
func EjectorDelay(a Answers) error {
	if a.EjectorDelay != "" && a.Ejector == "" {
		return errors.New("there is no ejector")
	}
	return tryKeys("reject.delay", beltSections(a))
}

// tryKeys gives what the configuration's own check says about one key.
func tryKeys(key, text string) error {
	_, err := config.Parse([]byte(text), "")
	problems, _ := errors.AsType[config.Problems](err)
	for _, p := range problems {
		if p.Key == key || p.Key == "" {
			return errors.New(p.Text)
		}
	}
	return nil
}

// Key reads the public key of an answer.
func Key(path string) (ed25519.PublicKey, error) { return bundle.ReadPublicKey(path) }

// Model says why the station could not start with a bundle.
func Model(path string, key ed25519.PublicKey) error {
	_, err := bundle.Read(path, []ed25519.PublicKey{key})
	return err
}
