package base

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"tirewatch/trainer/checkpoint"
)

// SystemDir is where the package of the toolbox installs the base.
const SystemDir = "/usr/share/tirewatch"

// File is a base that every copy of this program expects with the same bytes.
type File struct {
	Name   string
	SHA256 string // hexadecimal
	Make   string // command that makes it
}

// Found is a base that was read and checked.
type Found struct {
	Path string
	// SHA-256 of the file, for Config.Pretrained
	SHA256     string
	Checkpoint *checkpoint.Checkpoint
}

// Find reads the base of graph.Mobile. path is the value of --base; if it is empty, Find looks in
// the usual places.
func Find(path string) (*Found, error) { return Mobile.Find(path) }

// Find reads the file at path, or the first one in Places if path is empty. The error is a
// *MissingError, a *ChangedError, or says why the file cannot be read.
func (f File) Find(path string) (*Found, error) {
	places := []string{path}
	if path == "" {
		places = f.Places()
	}
	return f.find(places)
}

// Places lists the paths where Find looks, in order: beside the program, in the folder base beside
// it, where `make base` writes it, and where the package installs it.
func (f File) Places() (places []string) {
	if self, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(self); err == nil {
			self = real
		}
		dir := filepath.Dir(self)
		places = append(places, filepath.Join(dir, f.Name), filepath.Join(dir, "base", f.Name))
	}
	return append(places, filepath.Join(SystemDir, f.Name))
}

// find stops at the first file that exists: a changed one must be noticed, not passed over.
func (f File) find(places []string) (*Found, error) {
	for _, path := range places {
		data, err := checkpoint.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the base: %w", err)
		}
		if err := f.Check(path, data); err != nil {
			return nil, err
		}
		c, err := checkpoint.Decode(data)
		if err != nil {
			return nil, fmt.Errorf("read the base %s: %w", path, err)
		}
		return &Found{Path: path, SHA256: f.SHA256, Checkpoint: c}, nil
	}
	return nil, &MissingError{File: f, Places: places}
}

// Check returns a *ChangedError if data, the content of the file at path, is not the base.
func (f File) Check(path string, data []byte) error {
	sum := sha256.Sum256(data)
	if have := hex.EncodeToString(sum[:]); have != f.SHA256 {
		return &ChangedError{File: f, Path: path, Have: have}
	}
	return nil
}

// MissingError says that there is no base, and where Find looked.
type MissingError struct {
	File   File
	Places []string
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("the base %s is missing: looked for %s", e.File.Name, strings.Join(e.Places, ", "))
}

// Hint names the commands that bring the file.
func (e *MissingError) Hint() string {
	return fmt.Sprintf("%s in the source folder makes it, the package tirewatch contains it; --base FILE names it",
		e.File.Make)
}

// ChangedError says that a file has the name of the base but other bytes.
type ChangedError struct {
	File File
	Path string
	Have string // SHA-256, hexadecimal
}

func (e *ChangedError) Error() string {
	return fmt.Sprintf("the base %s was changed: its SHA-256 is %.16s..., want %.16s...", e.Path, e.Have, e.File.SHA256)
}

// Hint names the commands that bring the file.
func (e *ChangedError) Hint() string {
	return fmt.Sprintf("delete it, then %s in the source folder makes it again; or install the package tirewatch again",
		e.File.Make)
}
