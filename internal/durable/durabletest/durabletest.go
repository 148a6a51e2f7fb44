// Package durabletest cuts the power of a disk between any two steps of a program.
//
//	Record(dir) -> the code under test writes through it -> Images(cut): every folder that may be found after the cut
//
// A real disk keeps only what was synced. Of the rest it may keep any part: the content of a file
// and its name are different things, writes reach the platter in any order, and a block may be
// there in half. Recorder remembers every step that a program takes; Images then gives each folder
// that POSIX allows after the power went at that step, and the test opens them all. Newcomers need
// Record and Recorder.Images.
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

// Recorder is a durable.FS for one flat folder that remembers what is done. It does it too, so that
// the program goes on.
type Recorder struct {
	dir     string
	names   map[string]*inode // as the program sees the folder
	durable map[string]*inode // as it was when recording began
	steps   []step

	// Fail, when set, is asked before each step, numbered from 0. An error is what the program is
	// told; perform says whether the step happens all the same.
	Fail func(n int) (perform bool, err error)
	n    int
}

// inode is a file without its name.
type inode struct{ synced []byte }

// step is one thing that was done.
type step struct {
	kind     kind
	file     *inode // of write, sync, create, rename, remove
	data     []byte // of write: what was added
	from, to string // of create (to), rename and remove (from)
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

// Record begins with what is in dir, which counts as durable. Files in folders below are not looked
// at.
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

// Steps is how many steps were taken.
func (r *Recorder) Steps() int { return len(r.steps) }

// Describe names step n.
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

// do takes a step that may be told to fail.
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
	// The name is needed before the step is noted, so the file is made first and taken away again
	// when the step must not happen.
	f, err := os.CreateTemp(dir, pattern)
	if err != nil {
		return nil, err
	}
	h.File = f
	performed := false
	err = r.do(step{kind: create, file: h.file, to: filepath.Base(f.Name())}, func() error { performed = true; return nil })
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
	err := h.r.do(step{kind: write, file: h.file, data: slices.Clone(p)}, func() error { _, err := h.File.Write(p); return err })
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

// Image is a folder as it may be found after a cut: content by name.
type Image map[string][]byte

// Key tells images apart.
func (i Image) Key() [sha256.Size]byte {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(i)) {
		fmt.Fprintf(h, "%q %d\n", name, len(i[name]))
		h.Write(i[name])
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// Restore makes the folder dir of an image.
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

// Images gives every folder that may be found when the power goes after the first cut steps:
//
//   - each change of a name since the last sync of the folder is kept or lost, in every combination
//   - of what was written to a file since its last sync nothing is kept, one byte, half, all but one byte, everything, or the length
//     alone with zeros in it
func (r *Recorder) Images(cut int) iter.Seq[Image] {
	content := map[*inode][]byte{} // synced
	dirty := map[*inode][]byte{}   // written behind it
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

// apply changes names by a step.
func apply(names map[string]*inode, s step) {
	if s.from != "" {
		delete(names, s.from)
	}
	if s.to != "" {
		names[s.to] = s.file
	}
}

// contents gives the images of one set of names, with all that may be found in the files.
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

// tails are what may be found of unsynced data.
func tails(data []byte) [][]byte {
	n := len(data)
	if n == 0 {
		return [][]byte{nil}
	}
	return [][]byte{nil, data[:1], data[:n/2], data[:n-1], data, make([]byte, n)}
}
