// Package durable replaces files so that a power cut leaves the old one or the new one, never a
// mixture.
//
// Everything the product keeps as a whole file goes through it: checkpoints, bundles, keys, reports
// and model slots. The order is the one that ext4, f2fs and SD cards need: write a temporary file
// in the same folder, fsync it, rename it over the name, fsync the folder. Newcomers need
// WriteFile; Create is for content that is produced piece by piece.
package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// tempMark stands in the name of every unfinished file, so that Clean can tell them from finished
// ones.
const tempMark = ".unfinished-"

// WriteFile replaces the file at path by data with permissions perm. On any error path is as it was
// and no temporary file remains.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	return WriteFileOn(Disk, path, data, perm)
}

// WriteFileOn is WriteFile on a file system of the caller's.
func WriteFileOn(on FS, path string, data []byte, perm fs.FileMode) error {
	f, err := create(on, path, perm)
	if err != nil {
		return err
	}
	defer f.Abort()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Commit()
}

// File is a file under construction: it takes its final name at Commit.
type File struct {
	path string
	on   FS
	f    Handle // nil after Commit or Abort
}

var _ io.Writer = (*File)(nil)

// Create starts a replacement of path. The caller ends it with Commit, or with Abort, which is safe
// to defer.
func Create(path string, perm fs.FileMode) (*File, error) { return create(Disk, path, perm) }

func create(on FS, path string, perm fs.FileMode) (*File, error) {
	f, err := on.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+tempMark+"*")
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	if err := f.Chmod(perm); err != nil {
		f.Close()
		on.Remove(f.Name())
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return &File{path: path, on: on, f: f}, nil
}

// Write appends p to the unfinished file.
func (f *File) Write(p []byte) (int, error) {
	n, err := f.f.Write(p)
	if err != nil {
		return n, fmt.Errorf("write %s: %w", f.path, err)
	}
	return n, nil
}

// Commit makes the content durable and gives the file its name. After an error the old file stands.
func (f *File) Commit() error {
	if f.f == nil {
		return fmt.Errorf("write %s: already ended", f.path)
	}
	temp := f.f.Name()
	err := errors.Join(f.f.Sync(), f.f.Close())
	f.f = nil
	if err == nil {
		err = f.on.Rename(temp, f.path)
	}
	if err != nil {
		f.on.Remove(temp)
		return fmt.Errorf("write %s: %w", f.path, err)
	}
	return f.on.SyncDir(filepath.Dir(f.path))
}

// Abort discards the unfinished file. After Commit or an earlier Abort it does nothing.
func (f *File) Abort() {
	if f.f == nil {
		return
	}
	f.f.Close()
	f.on.Remove(f.f.Name())
	f.f = nil
}

// SyncDir makes the names inside dir durable.
func SyncDir(dir string) error { return Disk.SyncDir(dir) }

// Clean removes what interrupted writes left in dir. Call it before the first write of a process
// that alone owns dir.
func Clean(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("clean folder %s: %w", dir, err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") && strings.Contains(e.Name(), tempMark) {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("clean folder %s: %w", dir, err)
			}
		}
	}
	return nil
}

// Nameless makes a file in dir that has lost its name already: its room on the disk is free again
// when it is closed or the process ends. A crash before the name is gone leaves what Clean removes.
func Nameless(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, ".nameless"+tempMark+"*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
