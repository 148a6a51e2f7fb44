package provision

import (
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"tirewatch/agent/config"
)

// copies are files that the configuration names. Each name is relative to the configuration; empty:
// there is no such file.
type copies struct {
	key, model, ca, password string
	files                    []file
}

// prepare checks the answers and returns the files to write, the configuration last.
func prepare(path string, a Answers) ([]file, error) {
	c, err := copyFiles(filepath.Dir(path), a)
	if err != nil {
		return nil, err
	}
	station, err := config.ParseStation(a.Station)
	if err != nil {
		return nil, err
	}
	if err := check(a); err != nil {
		return nil, err
	}
	text := configuration(station, a, c)
	if _, err := config.Parse([]byte(text), path); err != nil {
		return nil, err
	}
	return append(c.files, file{path, []byte(text)}), nil
}

// copyFiles reads and checks the files of the answers. dir is where they are copied to.
func copyFiles(dir string, a Answers) (c copies, err error) {
	take := func(from, name string) ([]byte, error) {
		data, err := os.ReadFile(from)
		if err == nil {
			c.files = append(c.files, file{filepath.Join(dir, name), data})
		}
		return data, err
	}
	key, err := Key(a.Key)
	if err != nil {
		return c, err
	}
	c.key = "maker.pub"
	if _, err := take(a.Key, c.key); err != nil {
		return c, fmt.Errorf("read public key: %w", err)
	}
	if a.Model != "" {
		if err := Model(a.Model, key); err != nil {
			return c, err
		}
		c.model = "initial.tire"
		if _, err := take(a.Model, c.model); err != nil {
			return c, fmt.Errorf("read first model: %w", err)
		}
	}
	if a.CAFile != "" {
		c.ca = "ca.pem"
		pem, err := take(a.CAFile, c.ca)
		if err != nil {
			return c, fmt.Errorf("read CA file: %w", err)
		}
		if !x509.NewCertPool().AppendCertsFromPEM(pem) {
			return c, fmt.Errorf("CA file %s holds no PEM certificate", a.CAFile)
		}
	}
	switch {
	case a.Password != "":
		c.password = "password"
		c.files = append(c.files, file{filepath.Join(dir, c.password), []byte(a.Password + "\n")})
	case a.PasswordFile != "":
		c.password = "password"
		if _, err := take(a.PasswordFile, c.password); err != nil {
			return c, fmt.Errorf("read password file: %w", err)
		}
	}
	return c, nil
}

// check checks answers one by one. The check of the whole configuration would report lines of a
// file that does not exist.
func check(a Answers) error {
	if err := Camera(a.Camera); err != nil {
		return fmt.Errorf("camera: %w", err)
	}
	if a.Broker != "" {
		if err := Broker(a.Broker); err != nil {
			return fmt.Errorf("broker: %w", err)
		}
	}
	for _, c := range []struct {
		answer string
		check  func(Answers) error
	}{{"trigger", Trigger}, {"photo-eye", PhotoEye}, {"ejector", Ejector}, {"ejector delay", EjectorDelay}} {
		if err := c.check(a); err != nil {
			return fmt.Errorf("%s: %w", c.answer, err)
		}
	}
	return nil
}

// configuration is the text of station.toml.
func configuration(station config.Station, a Answers, c copies) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	key := func(name, value string) {
		if value != "" {
			line("%s = %s", name, strconv.Quote(value))
		}
	}
	line("# The configuration of this station, written by `tirewatch-agent provision`.")
	line("# All other keys have their defaults: see `man station.toml`.")
	line("\n[station]")
	key("site", station.Site)
	key("line", station.Line)
	key("name", station.Name)
	line("\n[camera]\n%s", cameraKey(a.Camera))
	b.WriteString(beltSections(a))
	line("\n[model]\n# The bundles of these keys are accepted.\nkeys = [%q]", c.key)
	if c.model != "" {
		line("# The first model.")
		key("initial", c.model)
	}
	if a.State != "" {
		key("dir", filepath.Join(a.State, "models"))
		line("\n[journal]")
		key("path", filepath.Join(a.State, "journal.db"))
	}
	if a.Broker != "" {
		line("\n[mqtt]")
		key("broker", a.Broker)
		key("ca_file", c.ca)
		key("username", a.Username)
		key("password_file", c.password)
	}
	return b.String()
}

// cameraKey is the line of the configuration for the answer about the camera.
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

// beltSections are the sections of the configuration about trigger and ejector.
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

// mode is the value of trigger.mode; empty: the default.
func (a Answers) mode() string {
	if a.Trigger == "" && a.PhotoEye != "" {
		return config.TriggerPhotoEye
	}
	return a.Trigger
}
