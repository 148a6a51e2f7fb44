package dataset

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tirewatch/trainer/pixels"
	"tirewatch/vision/imagefile"
	"tirewatch/vision/preprocess"
)

// mixed is a set with two good images and three bad ones: an empty, a truncated and a foreign file.
func mixed(t *testing.T) *Set {
	dir := t.TempDir()
	save(t, dir, "crack/a.png", photograph(1))
	put(t, dir, "crack/b.jpg", "")
	save(t, dir, "normal/c.jpg", photograph(2))
	put(t, dir, "normal/d.jpg", "not a picture")
	save(t, dir, "normal/e.png", photograph(3))
	path := filepath.Join(dir, "normal/e.png")
	if err := os.Truncate(path, 200); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLoad(t *testing.T) {
	s := mixed(t)
	var calls []string
	loaded, bad, err := s.Load(t.Context(), s.Train, preprocess.Thesis(), inMemory(), func(done, total int) {
		calls = append(calls, fmt.Sprintf("%d/%d", done, total))
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(rels(s, itemsOf(loaded)), " "); got != "crack/a.png normal/c.jpg" {
		t.Errorf("loaded %s", got)
	}
	if got := strings.Join(calls, " "); got != "1/5 2/5 3/5 4/5 5/5" {
		t.Errorf("progress %s", got)
	}
	checkBad(t, bad)
	// The bytes equal those that a station makes from the whole image.
	if pix, err := loaded[1].Pix.Load(nil); err != nil || !bytes.Equal(pix, preprocessed(t, loaded[1].Path)) {
		t.Errorf("pixels differ from the preprocessing of the whole picture (%v)", err)
	}
}

// checkBad expects the three damaged files of mixed.
func checkBad(t *testing.T, bad []error) {
	t.Helper()
	if len(bad) != 3 {
		t.Fatalf("bad files: %v", bad)
	}
	for i, want := range []struct {
		name string
		kind error
	}{{"b.jpg", imagefile.ErrEmpty}, {"d.jpg", imagefile.ErrNotImage}, {"e.png", imagefile.ErrUnreadable}} {
		if !errors.Is(bad[i], want.kind) || !strings.Contains(bad[i].Error(), want.name) {
			t.Errorf("error %v, want %v of %s", bad[i], want.kind, want.name)
		}
	}
}

func preprocessed(t *testing.T, path string) []byte {
	t.Helper()
	spec := preprocess.Thesis()
	f, err := imagefile.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	pix := make([]byte, spec.Size())
	if err := spec.Apply(pix, f, f.Bounds()); err != nil {
		t.Fatal(err)
	}
	return pix
}

// One pass returns the fingerprint, the damaged files and the pixels, in memory or in a file.
func TestRead(t *testing.T) {
	s := mixed(t)
	want, err := s.Fingerprint(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	store := pixels.NewStore(t.TempDir(), 0, len(s.Train), preprocess.Thesis().Size())
	defer store.Close()
	for name, store := range map[string]*pixels.Store{"in memory": inMemory(), "in a file": store} {
		r, err := s.Read(t.Context(), preprocess.Thesis(), store, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.Fingerprint != want {
			t.Errorf("%s: fingerprint %s, want %s", name, r.Fingerprint, want)
		}
		checkBad(t, r.Bad)
		for _, p := range r.train {
			if p.err != nil {
				continue
			}
			if pix, err := p.pix.Load(nil); err != nil || !bytes.Equal(pix, preprocessed(t, p.item.Path)) {
				t.Errorf("%s: pixels of %s differ (%v)", name, p.item.Path, err)
			}
		}
	}
}

// Changes of the files after reading affect neither the split nor the pixels nor the fingerprint.
func TestReadingOutlivesItsFiles(t *testing.T) {
	s := runs(t, 8)
	before, err := s.Read(t.Context(), little, inMemory(), nil)
	if err != nil {
		t.Fatal(err)
	}
	after, err := s.Read(t.Context(), little, inMemory(), func(done, total int) {
		if done == total {
			for i, it := range s.Train { // half is rewritten, half is deleted
				if err := os.Remove(it.Path); err != nil {
					t.Error(err)
				}
				if i%2 == 0 {
					put(t, filepath.Dir(it.Path), filepath.Base(it.Path), "another file")
				}
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	bytesOf := func(r *Reading) (all []string) {
		for _, share := range []float64{0.2, 0.5} {
			train, val, err := r.Validation(t.Context(), 1, share, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, im := range append(train, val...) {
				pix, err := im.Pix.Load(nil)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, im.Path+string(pix))
			}
		}
		return all
	}
	if before.Fingerprint != after.Fingerprint || len(after.Bad) > 0 || !slices.Equal(bytesOf(before), bytesOf(after)) {
		t.Error("the reading changed with its files")
	}
	if now, err := s.Fingerprint(t.Context(), nil); err != nil || now == after.Fingerprint {
		t.Errorf("the fingerprint of the changed files is the same (%v)", err)
	}
}

// writer changes a file while it is hashed.
type writer struct {
	hash.Hash
	change func()
}

func (w *writer) Write(p []byte) (int, error) {
	w.change()
	return w.Hash.Write(p)
}

// A file that is written to while it is read is reported, even if it decodes.
func TestReadFileNoticesAWriter(t *testing.T) {
	dir := t.TempDir()
	save(t, dir, "a.png", photograph(1))
	path := filepath.Join(dir, "a.png")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	for _, c := range []struct {
		name   string
		change func() error
		want   error
	}{
		{"nobody writes", func() error { return nil }, nil},
		{"it grows", func() error { return os.WriteFile(path, append(data, 0), 0o644) }, ErrChanged},
		{"it keeps its size", func() error { return os.WriteFile(path, data, 0o644) }, ErrChanged},
		{"it is replaced whole", func() error { // the open file does not change
			save(t, dir, "b.png", photograph(2))
			return os.Rename(filepath.Join(dir, "b.png"), path)
		}, nil},
	} {
		if err := errors.Join(os.WriteFile(path, data, 0o644), os.Chtimes(path, old, old)); err != nil {
			t.Fatal(err)
		}
		changed := false
		_, _, err := readFile(path, &writer{sha256.New(), func() {
			if !changed {
				changed = true
				if err := c.change(); err != nil {
					t.Fatal(err)
				}
			}
		}})
		if !errors.Is(err, c.want) || c.want != nil && !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
	}
}

// A file that has changed since it was fingerprinted is reported.
func TestLoadNoticesAChange(t *testing.T) {
	s := runs(t, 4)
	if _, err := s.Fingerprint(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Load(t.Context(), s.Train, little, inMemory(), nil); err != nil {
		t.Fatal(err)
	}
	victim := s.Train[3].Path
	for name, change := range map[string]func() error{
		"rewritten": func() error { return os.WriteFile(victim, []byte("another"), 0o644) },
		"deleted":   func() error { return os.Remove(victim) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Load(t.Context(), s.Train, little, inMemory(), nil); !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), victim) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestReadStops(t *testing.T) {
	s := runs(t, 8)
	ctx, cancel := context.WithCancel(context.Background())
	last := 0
	_, err := s.Read(ctx, little, inMemory(), func(done, total int) {
		cancel()
		last = done
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if last == len(s.Train) {
		t.Error("all images were read although the context had ended")
	}
}

func TestReadRefusesSpec(t *testing.T) {
	if _, err := new(Set).Read(t.Context(), preprocess.Spec{}, inMemory(), nil); !errors.Is(err, preprocess.ErrSpec) {
		t.Errorf("read: error %v", err)
	}
	if _, _, err := new(Set).Load(t.Context(), nil, preprocess.Spec{}, inMemory(), nil); !errors.Is(err, preprocess.ErrSpec) {
		t.Errorf("load: error %v", err)
	}
}

func TestFingerprint(t *testing.T) {
	fingerprint := func(change func(dir string)) string {
		dir := t.TempDir()
		put(t, dir, "train/crack/a.jpg", "first")
		put(t, dir, "train/crack/b.jpg", "second")
		put(t, dir, "train/normal/c.jpg", "third")
		put(t, dir, "test/crack/d.jpg", "fourth")
		put(t, dir, "test/normal/e.jpg", "fifth")
		change(dir)
		s, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		sum, err := s.Fingerprint(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	same := fingerprint(func(string) {})
	if len(same) != 64 {
		t.Errorf("fingerprint %q", same)
	}
	move := func(from, to string) func(string) {
		return func(dir string) {
			if err := os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name   string
		change func(dir string)
		equal  bool
	}{
		{"another folder", func(string) {}, true},
		{"a file that is not an image", func(dir string) { put(t, dir, "train/crack/notes.txt", "x") }, true},
		{"other content of the same size", func(dir string) { put(t, dir, "train/crack/a.jpg", "FIRST") }, false},
		{"one more image", func(dir string) { put(t, dir, "train/crack/z.jpg", "sixth") }, false},
		{"renamed", move("train/crack/a.jpg", "train/crack/x.jpg"), false},
		{"relabelled", move("train/crack/a.jpg", "train/normal/a.jpg"), false},
		{"moved to testing", move("train/crack/a.jpg", "test/crack/a.jpg"), false},
	} {
		if got := fingerprint(c.change); (got == same) != c.equal {
			t.Errorf("%s: fingerprint equal is %v, want %v", c.name, got == same, c.equal)
		}
	}
}
