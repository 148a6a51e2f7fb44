package durable

import (
	"fmt"
	"io"
	"io/fs"
	"os"
)

// FS is the part of a file system that durable writing needs. Programs use Disk. Package
// durabletest has an FS that records each step, so that a test can cut the power between any two of
// them.
type FS interface {
	CreateTemp(dir, pattern string) (Handle, error) // as os.CreateTemp
	// opens a file to write at its end; creates it if it is missing
	Append(path string, perm fs.FileMode) (Handle, error)
	Rename(from, to string) error
	Remove(path string) error
	SyncDir(dir string) error // makes the names in dir durable
}

// Handle is an open file of an FS.
type Handle interface {
	io.Writer
	Name() string
	Chmod(fs.FileMode) error
	Sync() error // makes the content durable, not the name
	Close() error
}

// Disk is the machine's own file system.
var Disk FS = disk{}

type disk struct{}

func (disk) CreateTemp(dir, pattern string) (Handle, error) {
	f, err := os.CreateTemp(dir, pattern)
	if err != nil {
		return nil, err // not a Handle that holds a nil *os.File
	}
	return f, nil
}

func (disk) Append(path string, perm fs.FileMode) (Handle, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, perm)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (disk) Rename(from, to string) error { return os.Rename(from, to) }
func (disk) Remove(path string) error     { return os.Remove(path) }
func (disk) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync folder %s: %w", dir, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync folder %s: %w", dir, err)
	}
	return nil
}
