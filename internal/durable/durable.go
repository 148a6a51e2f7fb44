// Package durable replaces files so that a power cut leaves the old file or the new one, never a
// mixture.
//
// Everything that the product keeps as a whole file is written with it: checkpoints, bundles, keys,
// reports and model slots. Start with [WriteFile]. [Create] is for content that is produced piece
// by piece.
//
// # The order of the steps
//
//	write a temporary file in the same folder   the old file is untouched
//	fsync the temporary file                    its content is on the disk
//	rename it to the final name                 a reader sees the old file or the new one
//	fsync the folder                            the new name is on the disk
//
// ext4 and f2fs need this order, on SD cards too. Without the first fsync, the file may be empty or
// incomplete under its final name after a power cut: with delayed allocation, the new name may
// reach the disk before the content. ext4's option auto_da_alloc (kernel admin-guide/ext4.rst)
// works around programs that forget it, but no program should rely on that. Without the second
// fsync, the old file may return although the caller was told that the new one is stored: fsync(2)
// says that the entry in the folder needs an fsync of its own. Pillai et al., "All File Systems Are
// Not Created Equal" (OSDI 2014), found such mistakes in widely used programs.
//
// # What is not safe
//
//   - Commit reports an error of the last fsync when the new file has its name already. After a
//     power cut, either file may be found.
//   - After a failed fsync, a second one can succeed although the data is lost (Rebello et al.,
//     "Can Applications Recover from fsync Failures?", ATC 2020). So nothing here repeats an fsync:
//     the temporary file is removed, and the caller must write all of it again.
//   - Two files are two replacements. A power cut may fall between them.
//   - The name of a new folder is an entry of the folder above it. The caller passes that one to
//     [SyncDir].
//   - The last fsync opens the folder by its name. Nothing else may rename the folder meanwhile.
//   - A drive that acknowledges data before it is safe can lose it (Zheng et al., "Understanding
//     the Robustness of SSDs under Power Fault", FAST 2013). No program can repair that.
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

// tempMark is part of the name of every unfinished file, so that Clean can recognise it.
const tempMark = ".unfinished-"

// WriteFile replaces the file at path with data and permissions perm. After an error no temporary
// file remains, and path is unchanged unless only the fsync of the folder failed.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	return WriteFileOn(Disk, path, data, perm)
}

// WriteFileOn is WriteFile on another file system than Disk.
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

// File is an unfinished file. Commit gives it its final name.
type File struct {
	path string
	on   FS
	f    Handle // nil after Commit or Abort
}

var _ io.Writer = (*File)(nil)

// Create starts to replace path. The caller finishes with Commit or with Abort, which is safe to
// defer.
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

// Commit makes the content durable and gives the file its name. After an error the old file is in
// place, unless only the fsync of the folder failed: then the new one is, but a power cut may bring
// the old one back.
func (f *File) Commit() error {
	if f.f == nil {
		return fmt.Errorf("write %s: already committed or aborted", f.path)
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

// SyncDir makes the names of the files in dir durable.
func SyncDir(dir string) error { return Disk.SyncDir(dir) }

// Clean removes the temporary files that interrupted writes left in dir. Call it before the first
// write, in a process that is the only one to use dir.
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

// Nameless creates a file in dir and removes its name at once. The system frees its disk space when
// it is closed or when the process ends. After a crash between the two steps, Clean removes the
// file.
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
