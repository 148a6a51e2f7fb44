package dataset

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tirewatch/vision/frame"
)

// named is a variant whose content names its source.
func named(f *frame.Frame, name string, k int) ([]byte, string, error) {
	return fmt.Appendf(nil, "%s %d: %d x %d", name, k, f.Width, f.Height), ".png", nil
}

// contents lists the files below dir with their content.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// source is a set with nested folders, a damaged file and a testing part.
func source(t *testing.T) string {
	dir := filepath.Join(t.TempDir(), "photos")
	save(t, dir, "training/crack/a.jpg", photograph(1))
	save(t, dir, "training/crack/night/a.jpg", photograph(2))
	save(t, dir, "training/normal/b.jpg", photograph(3))
	save(t, dir, "testing/crack/c.jpg", photograph(4))
	save(t, dir, "testing/normal/d.jpg", photograph(5))
	if err := os.WriteFile(filepath.Join(dir, "training/normal/broken.jpg"), []byte("no image"), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestEnlarge(t *testing.T) {
	src := source(t)
	before := contents(t, src)
	set, err := Open(src)
	if err != nil {
		t.Fatal(err)
	}
	dst := filepath.Join(t.TempDir(), "large")
	e, err := set.Enlarge(t.Context(), dst, 3, named, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := contents(t, dst)
	for name, want := range map[string]string{
		"training/crack/a.jpg":        before["training/crack/a.jpg"],
		"training/crack/a~aug1.png":   "training/crack/a.jpg 1: 128 x 128",
		"training/crack/a~aug2.png":   "training/crack/a.jpg 2: 128 x 128",
		"training/crack/a-2.jpg":      before["training/crack/night/a.jpg"],
		"training/crack/a-2~aug1.png": "training/crack/night/a.jpg 1: 128 x 128",
		"training/crack/a-2~aug2.png": "training/crack/night/a.jpg 2: 128 x 128",
		"training/normal/b.jpg":       before["training/normal/b.jpg"],
		"training/normal/b~aug1.png":  "training/normal/b.jpg 1: 128 x 128",
		"training/normal/b~aug2.png":  "training/normal/b.jpg 2: 128 x 128",
		"testing/crack/c.jpg":         before["testing/crack/c.jpg"],
		"testing/normal/d.jpg":        before["testing/normal/d.jpg"],
	} {
		if got[name] != want {
			t.Errorf("%s holds %.40q, want %.40q", name, got[name], want)
		}
		delete(got, name)
	}
	for name := range got {
		t.Errorf("%s was written too", name)
	}
	if len(e.Bad) != 1 || !strings.Contains(e.Bad[0].Error(), "broken.jpg") || e.Made != [2]int{2, 4} || e.Copied[PartTrain] != [2]int{1, 2} {
		t.Errorf("result %+v", e)
	}
	after := contents(t, src)
	for name := range before {
		if before[name] != after[name] {
			t.Errorf("the source's %s changed", name)
		}
	}
}

func TestEnlargeRefuses(t *testing.T) {
	src := source(t)
	set, err := Open(src)
	if err != nil {
		t.Fatal(err)
	}
	test := filepath.Join(src, "testing")
	testSet, err := Open(test)
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "harmless")
	if err := os.Symlink(test, link); err != nil {
		t.Fatal(err)
	}
	linkSet, err := Open(link)
	if err != nil {
		t.Fatal(err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	broken := errors.New("no paper")
	for name, c := range map[string]struct {
		set     *Set
		dst     string
		ctx     context.Context
		variant Variant
		want    error
	}{
		"the testing part":       {testSet, "new", t.Context(), named, ErrTestPart},
		"a link to the same":     {linkSet, "new", t.Context(), named, ErrTestPart},
		"a full folder":          {set, "full", t.Context(), named, ErrNotEmpty},
		"a stop":                 {set, "new", stopped, named, context.Canceled},
		"a variant that failed":  {set, "new", t.Context(), func(*frame.Frame, string, int) ([]byte, string, error) { return nil, "", broken }, broken},
		"a missing folder above": {set, "none/new", t.Context(), named, os.ErrNotExist},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.MkdirAll(filepath.Join(dir, "full", "of"), 0o755); err != nil {
				t.Fatal(err)
			}
			if _, err := c.set.Enlarge(c.ctx, filepath.Join(dir, c.dst), 2, c.variant, nil); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if entries, _ := os.ReadDir(dir); len(entries) != 1 {
				t.Errorf("%v remained", entries)
			}
		})
	}
	if _, err := set.Enlarge(t.Context(), filepath.Join(src, "training", "more"), 2, named, nil); err == nil {
		t.Error("a folder inside the source was accepted")
	}
}

// A photograph and its variants go to one side of every split, although they do not look similar.
func TestSplitKeepsVariantsTogether(t *testing.T) {
	dir := t.TempDir()
	for i := range 16 {
		class := []string{"normal", "crack"}[i%2]
		save(t, dir, fmt.Sprintf("%s/p%02d.jpg", class, i), photograph(uint64(i)))
		for k := 1; k <= 2; k++ { // variants that look different
			save(t, dir, fmt.Sprintf("%s/p%02d~aug%d.png", class, i, k), photograph(uint64(100*k+i)))
		}
	}
	set, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(5) {
		train, val, err := validation(set, seed, 0.25)
		if err != nil {
			t.Fatal(err)
		}
		if len(val) != 12 || len(train) != 36 {
			t.Errorf("seed %d: %d and %d images", seed, len(train), len(val))
		}
		for _, v := range val {
			if slices.ContainsFunc(train, func(it Item) bool { return origin(it.Path) == origin(v.Path) }) {
				t.Errorf("seed %d: %s has variants or its original on the other side", seed, v.Path)
			}
		}
	}
	// Only photographs are test images: four originals of sixteen, no variants.
	dst := filepath.Join(t.TempDir(), "split")
	d, err := set.Split(t.Context(), dst, SplitOptions{Seed: 1, Test: 0.25}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Hold) != 4 || len(d.Keep) != 36 || slices.ContainsFunc(d.Hold, func(it Item) bool { return isVariant(it.Path) }) {
		t.Errorf("%d images for testing, %d for training: %v", len(d.Hold), len(d.Keep), d.Hold)
	}
	if files, err := filepath.Glob(filepath.Join(dst, "testing", "*", "*~aug*")); err != nil || len(files) > 0 {
		t.Errorf("variants were written to testing: %v", files)
	}
}
