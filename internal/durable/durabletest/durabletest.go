// Package durabletest cuts the power of a disk between any two steps of a program.
//
//	Record(dir) -> the code under test writes through it -> Images(cut): every possible folder
//
// A disk promises to keep only what was synced. It may also keep any part of the rest: the content
// of a file and its name are stored separately, writes reach the disk in any order, and a block may
// be written in part. Recorder records every step of a program. Images then returns each folder
// that POSIX allows after a power cut at that step, and the test opens all of them. Start with
// [Record] and [Recorder.Images].
package durabletest

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tirewatch/internal/durable"
)

// Recorder is a durable.FS for one flat folder. It records each step and also performs it on the
// real folder, so that the program under test can continue.
type Recorder struct {
	dir     string
	names   map[string]*inode // the folder as the program sees it
	durable map[string]*inode // the folder when recording began
	steps   []step

	// Fail, when set, is called before each step; steps are numbered from 0. Its error is returned
	// to the program. With perform, the step happens although it reports that error.
	Fail func(n int) (perform bool, err error)
	n    int
}

// inode is a file without its name.
type inode struct{ synced []byte }

// step is one recorded operation.
type step struct {
	kind     kind
	file     *inode // for write, sync, create, rename and remove
	data     []byte // for write: the bytes that were added
	from, to string // names: to for create, from for remove, both for rename
}

type kind string

const (
	write   kind = "write"
	sync    kind = "fsync"
	create  kind = "create"
	rename  kind = "rename"
	remove  kind = "remove"
	syncDir kind = "fsync folder"
)

// Record starts to record in dir. The files that are in it count as durable. Subfolders are
// ignored.
func Record(t testing.TB, dir string) *Recorder {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	r := &Recorder{dir: dir, names: map[string]*inode{}}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		r.names[e.Name()] = &inode{synced: data}
	}
	r.durable = maps.Clone(r.names)
	return r
}

// Steps returns the number of recorded steps.
func (r *Recorder) Steps() int { return len(r.steps) }

// Describe returns a description of step n for messages.
func (r *Recorder) Describe(n int) string {
	if n >= len(r.steps) {
		return "the end"
	}
	s := r.steps[n]
	switch s.kind {
	case write:
		return fmt.Sprintf("write %d bytes", len(s.data))
	case rename:
		return fmt.Sprintf("rename to %s", s.to)
	}
	return string(s.kind)
}

// do performs and records a step, unless Fail lets it fail.
func (r *Recorder) do(s step, perform func() error) error {
	var failed error
	if r.Fail != nil {
		yes, err := r.Fail(r.n)
		r.n++
		if failed = err; err != nil && !yes {
			return err
		}
	}
	if err := perform(); err != nil {
		return err
	}
	r.steps = append(r.steps, s)
	switch s.kind {
	case create:
		r.names[s.to] = s.file
	case rename:
		delete(r.names, s.from)
		r.names[s.to] = s.file
	case remove:
		delete(r.names, s.from)
	}
	return failed
}

// handle is an open file of a Recorder.
type handle struct {
	*os.File
	r    *Recorder
	file *inode
}

// CreateTemp is part of durable.FS.
func (r *Recorder) CreateTemp(dir, pattern string) (durable.Handle, error) {
	h := &handle{r: r, file: &inode{}}
	// The record needs the name, so the file is created first. It is removed again if the step must
	// not happen.
	f, err := os.CreateTemp(dir, pattern)
	if err != nil {
		return nil, err
	}
	h.File = f
	performed := false
	err = r.do(step{kind: create, file: h.file, to: filepath.Base(f.Name())}, func() error {
		performed = true
		return nil
	})
	if err != nil {
		f.Close()
		if !performed {
			os.Remove(f.Name())
		}
		return nil, err
	}
	return h, nil
}

// Append is part of durable.FS.
func (r *Recorder) Append(path string, perm fs.FileMode) (durable.Handle, error) {
	name := filepath.Base(path)
	h := &handle{r: r, file: r.names[name]}
	open := func() (err error) {
		h.File, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, perm)
		return err
	}
	var err error
	if h.file == nil {
		h.file = &inode{}
		err = r.do(step{kind: create, file: h.file, to: name}, open)
	} else {
		err = open()
	}
	if err != nil {
		if h.File != nil {
			h.File.Close()
		}
		return nil, err
	}
	return h, nil
}

func (h *handle) Write(p []byte) (int, error) {
	err := h.r.do(step{kind: write, file: h.file, data: slices.Clone(p)}, func() error {
		_, err := h.File.Write(p)
		return err
	})
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

func (h *handle) Sync() error {
	return h.r.do(step{kind: sync, file: h.file}, func() error { return nil })
}

// Rename is part of durable.FS.
func (r *Recorder) Rename(from, to string) error {
	a, b := filepath.Base(from), filepath.Base(to)
	return r.do(step{kind: rename, file: r.names[a], from: a, to: b}, func() error { return os.Rename(from, to) })
}

// Remove is part of durable.FS.
func (r *Recorder) Remove(path string) error {
	name := filepath.Base(path)
	return r.do(step{kind: remove, file: r.names[name], from: name}, func() error { return os.Remove(path) })
}

// SyncDir is part of durable.FS.
func (r *Recorder) SyncDir(string) error {
	return r.do(step{kind: syncDir}, func() error { return nil })
}

// Image is a folder as it may be found after a power cut: the content of each file by name.
type Image map[string][]byte

// Key identifies an image by its content, for use in a map.
func (i Image) Key() [sha256.Size]byte {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(i)) {
		fmt.Fprintf(h, "%q %d\n", name, len(i[name]))
		h.Write(i[name])
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// Restore writes the image's files to the folder dir.
func (i Image) Restore(t testing.TB, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	for name, data := range i {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o640); err != nil {
			t.Fatal(err)
		}
	}
}

// Images returns every folder that may be found after a power cut right after the first cut steps:
//
//   - each change of a name since the last sync of the folder is kept or lost, in every combination
//   - the bytes written to a file since its last sync are lost, or one byte is kept, or half, or
//     all but one, or all, or only their number, with zeros in their place
func (r *Recorder) Images(cut int) iter.Seq[Image] {
	content := map[*inode][]byte{} // synced
	dirty := map[*inode][]byte{}   // written after the last sync
	names := maps.Clone(r.durable)
	var loose []step // changes of names since the last sync of the folder
	for _, f := range r.durable {
		content[f] = f.synced
	}
	for _, s := range r.steps[:cut] {
		switch s.kind {
		case write:
			dirty[s.file] = slices.Concat(dirty[s.file], s.data)
		case sync:
			content[s.file] = slices.Concat(content[s.file], dirty[s.file])
			delete(dirty, s.file)
		case syncDir:
			for _, l := range loose {
				apply(names, l)
			}
			loose = nil
		default:
			loose = append(loose, s)
		}
	}
	return func(yield func(Image) bool) {
		for chosen := range 1 << len(loose) {
			found := maps.Clone(names)
			for i, s := range loose {
				if chosen>>i&1 == 1 {
					apply(found, s)
				}
			}
			if !contents(found, content, dirty, yield) {
				return
			}
		}
	}
}

// apply performs the step s on names.
func apply(names map[string]*inode, s step) {
	if s.from != "" {
		delete(names, s.from)
	}
	if s.to != "" {
		names[s.to] = s.file
	}
}

// contents yields the images of one set of names, with every possible content of the files.
func contents(names map[string]*inode, content, dirty map[*inode][]byte, yield func(Image) bool) bool {
	order := slices.Sorted(maps.Keys(names))
	var fill func(image Image, rest []string) bool
	fill = func(image Image, rest []string) bool {
		if len(rest) == 0 {
			return yield(maps.Clone(image))
		}
		f := names[rest[0]]
		for _, tail := range tails(dirty[f]) {
			image[rest[0]] = slices.Concat(content[f], tail)
			if !fill(image, rest[1:]) {
				return false
			}
		}
		return true
	}
	return fill(Image{}, order)
}

// tails returns what may be left of unsynced data.
func tails(data []byte) [][]byte {
	n := len(data)
	if n == 0 {
		return [][]byte{nil}
	}
	return [][]byte{nil, data[:1], data[:n/2], data[:n-1], data, make([]byte, n)}
}
