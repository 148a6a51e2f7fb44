// Package provision writes the configuration of a new station from a few answers.
//
//	flags, terminal -> Answers -> PROVISION -> station.toml, maker.pub, password, ca.pem,
//	                                           initial.tire
//
// All answers are checked before anything is written, and the configuration is written last: a
// station is provisioned, or still has no configuration. Start with [Answers] and [Write].
package provision

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"tirewatch/internal/durable"
)

// Answers are what a technician knows about a new station. The files are copied beside the
// configuration, where the agent may read them.
type Answers struct {
	Station      string // SITE/LINE/NAME
	Camera       string // a preset or a source, as in camera.preset and camera.source
	Broker       string // mqtt://HOST or mqtts://HOST; empty: none
	Username     string // at the broker; empty: none
	Password     string // as typed; empty: PasswordFile
	PasswordFile string
	CAFile       string // the authority of the broker's certificate; empty: those of the system
	Key          string // file with the public key of the signer of the bundles
	Model        string // the first bundle; empty: one is pushed later
	State        string // folder of journal and models, on a data partition for example; empty: the default

	Trigger      string // as in trigger.mode; empty: photo-eye if PhotoEye is set, otherwise the default
	PhotoEye     string // its GPIO line
	Ejector      string // its GPIO line; empty: none
	EjectorDelay string // from the middle of the frame to the ejector, like 1.2s; empty: at once
}

// UsesGPIO reports whether the service needs access to the GPIO chips.
func (a Answers) UsesGPIO() bool { return a.PhotoEye != "" || a.Ejector != "" }

// ExistsError means that a file exists and would be replaced.
type ExistsError struct{ Path string }

func (e *ExistsError) Error() string { return e.Path + " already exists with other content" }

// Hint tells what to do about it.
func (e *ExistsError) Hint() string { return "--force replaces it" }

// Unwrap is fs.ErrExist.
func (e *ExistsError) Unwrap() error { return fs.ErrExist }

// file is one file to write.
type file struct {
	path string
	data []byte
}

// mode lets root write and the agent's group read. The folder of the configuration has that group.
const mode = 0o640

// Write writes the configuration at path, in an existing folder, and the files that it names. If
// one of them exists with other content it fails with ExistsError, unless force is set.
func Write(path string, a Answers, force bool) error {
	files, err := prepare(path, a)
	if err != nil {
		return err
	}
	for _, f := range files {
		old, err := os.ReadFile(f.path)
		switch {
		case errors.Is(err, fs.ErrNotExist), err == nil && string(old) == string(f.data):
		case err != nil && !force:
			return fmt.Errorf("compare with the existing file: %w", err)
		case !force:
			return &ExistsError{f.path}
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

// WriteSecret replaces the file at path by one that the agent may read, as the group of the folder,
// and no other user.
func WriteSecret(path string, data []byte) error {
	folder, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return writeFor(folder, file{path, data})
}

func writeFor(folder fs.FileInfo, f file) error {
	if err := durable.WriteFile(f.path, f.data, mode); err != nil {
		return err
	}
	if err := handOver(f.path, folder); err != nil { // root's own group is not the agent's
		return fmt.Errorf("write %s: %w", f.path, err)
	}
	return nil
}
