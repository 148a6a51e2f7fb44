package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tirewatch/vision/imagefile"
	"tirewatch/vision/preprocess"
)

// mixed is a set with two good images, an empty, a cut and a foreign file.
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

func TestLoadPixels(t *testing.T) {
	s := mixed(t)
	var calls []string
	pix, bad, kept, err := LoadPixels(context.Background(), s.Train, preprocess.Thesis(), func(done, total int) {
		calls = append(calls, fmt.Sprintf("%d/%d", done, total))
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(rels(s, kept), " "); got != "crack/a.png normal/c.jpg" || len(pix) != 2 {
		t.Errorf("kept %s, %d buffers", got, len(pix))
	}
	if got := strings.Join(calls, " "); got != "1/5 2/5 3/5 4/5 5/5" {
		t.Errorf("progress %s", got)
	}
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
	// The bytes are those that a station makes of the whole picture.
	spec := preprocess.Thesis()
	f, err := imagefile.Read(kept[1].Path)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]byte, spec.Size())
	if err := spec.Apply(want, f, f.Bounds()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(pix[1], want) {
		t.Error("pixels differ from the preprocessing of the whole picture")
	}
}

func TestLoadPixelsStops(t *testing.T) {
	s := runs(t, 8)
	ctx, cancel := context.WithCancel(context.Background())
	last := 0
	_, _, _, err := LoadPixels(ctx, s.Train, preprocess.Thesis(), func(done, total int) {
		cancel()
		last = done
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if last == len(s.Train) {
		t.Error("all images were read after the end")
	}
}

func TestLoadPixelsRefusesSpec(t *testing.T) {
	if _, _, _, err := LoadPixels(context.Background(), nil, preprocess.Spec{}, nil); !errors.Is(err, preprocess.ErrSpec) {
		t.Errorf("error %v", err)
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
		{"a file that is no image", func(dir string) { put(t, dir, "train/crack/notes.txt", "x") }, true},
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
