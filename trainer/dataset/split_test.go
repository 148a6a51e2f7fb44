package dataset

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// runs writes a set with runs of photographs: in every class, singles separate images and 4 runs of
// 3 overlapping ones.
func runs(t testing.TB, singles int) *Set {
	t.Helper()
	dir := t.TempDir()
	for _, class := range Classes {
		for i := range singles {
			save(t, dir, fmt.Sprintf("%s/single-%02d.png", class, i), photograph(uint64(1000*int(class)+i)))
		}
		for run := range 4 {
			wall := scene(uint64(5000+100*int(class)+run), 200, 200)
			for i := range 3 {
				save(t, dir, fmt.Sprintf("%s/run%d-%d.png", class, run, i), crop(wall, 12*i, 3*i, 128, 128))
			}
		}
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestGroup(t *testing.T) {
	link := func(a, b int, corr float64) pair { return pair{a: a, b: b, overlap: overlap{corr: corr}} }
	copied := func(a, b int) pair { return pair{a: a, b: b, overlap: overlap{corr: 1}, exact: true} }
	for _, c := range []struct {
		name    string
		n, cap  int
		pairs   []pair
		want    string
		dropped int
	}{
		{"nothing similar", 3, 4, nil, "[[0] [1] [2]]", 0},
		{"pairs chain", 5, 4, []pair{link(0, 1, .9), link(1, 4, .8)}, "[[0 1 4] [2] [3]]", 0},
		{"a closed chain", 3, 3, []pair{link(0, 1, .9), link(0, 2, .8), link(1, 2, .8)}, "[[0 1 2]]", 0},
		{"the cap keeps the most similar", 4, 2, []pair{link(0, 1, .8), link(1, 2, .95), link(2, 3, .8)}, "[[0] [1 2] [3]]", 2},
		{"copies ignore the cap", 4, 2, []pair{copied(0, 1), copied(1, 2), link(2, 3, .99)}, "[[0 1 2] [3]]", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			groups, dropped := group(c.n, c.pairs, c.cap)
			if fmt.Sprint(groups) != c.want || dropped != c.dropped {
				t.Errorf("%v, %d dropped; want %s, %d", groups, dropped, c.want, c.dropped)
			}
		})
	}
}

func TestValidation(t *testing.T) {
	s := runs(t, 18)
	train, val, err := validation(s, 1, 0.2)
	if err != nil {
		t.Fatal(err)
	}
	if n := Count(val); n != [2]int{6, 6} { // a fifth of 30
		t.Errorf("%d normal and %d crack held back, want 6 and 6", n[Normal], n[Crack])
	}
	if all := append(rels(s, train), rels(s, val)...); len(all) != len(s.Train) {
		t.Errorf("%d images of %d", len(all), len(s.Train))
	}
	checkRuns(t, s, train, val)

	// Only the seed decides.
	_, again, _ := validation(s, 1, 0.2)
	if !slices.Equal(val, again) {
		t.Error("the same seed gave other images")
	}
	_, other, _ := validation(s, 2, 0.2)
	if slices.Equal(val, other) {
		t.Error("another seed gave the same images")
	}
}

// checkRuns checks that no run has images on both sides.
func checkRuns(t *testing.T, s *Set, a, b []Item) {
	t.Helper()
	side := make(map[string]int)
	for i, items := range [][]Item{a, b} {
		for _, path := range rels(s, items) {
			run, _, ok := strings.Cut(path, "-")
			if !ok || !strings.Contains(run, "run") {
				continue
			}
			if before, seen := side[run]; seen && before != i {
				t.Errorf("%s is on both sides", run)
			}
			side[run] = i
		}
	}
}

// Over many seeds, runs end on either side, so that large groups are not always in training.
func TestRunsAreOnEitherSide(t *testing.T) {
	s := runs(t, 8)
	held := 0
	for seed := range uint64(8) {
		train, val, err := validation(s, seed, 0.3)
		if err != nil {
			t.Fatal(err)
		}
		checkRuns(t, s, train, val)
		for _, path := range rels(s, val) {
			if strings.Contains(path, "run") {
				held++
			}
		}
	}
	if held == 0 {
		t.Error("no run was ever held back")
	}
}

// A set with a validation folder uses exactly that.
func TestValidationFolder(t *testing.T) {
	dir := t.TempDir()
	for i, f := range []string{"train/crack/a.png", "train/normal/b.png", "val/crack/c.png", "val/normal/d.png"} {
		save(t, dir, f, photograph(uint64(i/2))) // similar on both sides
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	train, val, err := validation(s, 1, 0.5)
	if err != nil || !slices.Equal(train, s.Train) || !slices.Equal(val, s.Val) {
		t.Errorf("%v, %v, %v", train, val, err)
	}
}

func TestDivideRefuses(t *testing.T) {
	one := photograph(1)
	for _, c := range []struct {
		name  string
		share float64
		make  func(dir string)
		want  error
		says  string
	}{
		{"three images", 0.2, func(dir string) {
			save(t, dir, "crack/a.png", photograph(1))
			save(t, dir, "normal/b.png", photograph(2))
			save(t, dir, "normal/c.png", photograph(3))
		}, ErrTooFew, "1 readable crack images"},
		{"copies are one image", 0.2, func(dir string) {
			for i := range 5 {
				save(t, dir, fmt.Sprintf("crack/%d.png", i), one)
				save(t, dir, fmt.Sprintf("normal/%d.png", i), photograph(uint64(10+i)))
			}
		}, ErrTooFew, "near-duplicates"},
		{"damaged files do not count", 0.2, func(dir string) {
			save(t, dir, "crack/a.png", photograph(1))
			put(t, dir, "crack/b.png", "")
			save(t, dir, "normal/c.png", photograph(2))
			save(t, dir, "normal/d.png", photograph(3))
		}, ErrTooFew, "1 readable crack images"},
		{"a share of everything", 1, func(dir string) {
			put(t, dir, "crack/a.png", "")
			put(t, dir, "normal/a.png", "")
		}, nil, "not between 0 and 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			c.make(dir)
			s, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = validation(s, 1, c.share)
			if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want %v with %q", err, c.want, c.says)
			}
		})
	}
}

// Four images in two copies each: the smallest set that can be split.
func TestSmallestSplit(t *testing.T) {
	dir := t.TempDir()
	for _, class := range Classes {
		for i := range 2 {
			img := photograph(uint64(10*int(class) + i))
			save(t, dir, fmt.Sprintf("%s/%d.png", class, i), img)
			save(t, dir, fmt.Sprintf("%s/%d-again.png", class, i), img)
		}
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	train, val, err := validation(s, 4, 0.2)
	if err != nil {
		t.Fatal(err)
	}
	if Count(train) != [2]int{2, 2} || Count(val) != [2]int{2, 2} {
		t.Errorf("%v and %v", rels(s, train), rels(s, val))
	}
}

func TestSplit(t *testing.T) {
	s := runs(t, 18)
	put(t, s.Dir, "crack/broken.png", "not an image")
	s, err := Open(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	before := tree(t, s.Dir)
	for _, link := range []bool{false, true} {
		t.Run(fmt.Sprintf("link %v", link), func(t *testing.T) {
			dst := filepath.Join(t.TempDir(), "new")
			d, err := s.Split(context.Background(), dst, SplitOptions{Seed: 1, Test: 0.2, Link: link}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(d.Bad) != 1 || !strings.Contains(d.Bad[0].Error(), "broken.png") {
				t.Errorf("bad files: %v", d.Bad)
			}
			if d.Groups != 8 || d.Grouped != 24 || d.Dropped != 0 {
				t.Errorf("%d groups of %d images, %d dropped; want 8 of 24", d.Groups, d.Grouped, d.Dropped)
			}
			written, err := Open(dst)
			if err != nil {
				t.Fatal(err)
			}
			if Count(written.Train) != [2]int{24, 24} || Count(written.Test) != [2]int{6, 6} {
				t.Errorf("%v and %v", Count(written.Train), Count(written.Test))
			}
			audit, err := Check(context.Background(), written, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, twin := range audit.Near {
				if twin.Leak {
					t.Errorf("%s and %s are near-duplicates", twin.A, twin.B)
				}
			}
			a, err := os.Stat(d.Keep[0].Path)
			if err != nil {
				t.Fatal(err)
			}
			b, err := os.Stat(filepath.Join(dst, "training", d.Keep[0].Class.String(), filepath.Base(d.Keep[0].Path)))
			if err != nil || os.SameFile(a, b) != link {
				t.Errorf("one file: %v, want %v; %v", os.SameFile(a, b), link, err)
			}
		})
	}
	after := tree(t, s.Dir)
	if len(before) != len(after) {
		t.Error("the source has changed")
	}
	for path, content := range before {
		if after[path] != content {
			t.Errorf("%s has changed", path)
		}
	}
}

// Images with the same name from several folders do not overwrite each other.
func TestSplitKeepsEqualNamesApart(t *testing.T) {
	dir := t.TempDir()
	n := uint64(0)
	for _, part := range []string{"train", "test"} {
		for _, class := range Classes {
			for _, name := range []string{"a.png", "B.png", "b.png", "sub/a.png"} {
				save(t, dir, fmt.Sprintf("%s/%s/%s", part, class, name), photograph(n))
				n++
			}
		}
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	dst := filepath.Join(t.TempDir(), "new")
	if _, err := s.Split(context.Background(), dst, SplitOptions{Seed: 1, Test: 0.25}, nil); err != nil {
		t.Fatal(err)
	}
	written, err := Open(dst)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(written.Train) + len(written.Test); got != 16 {
		t.Errorf("%d images of 16", got)
	}
	// Some file systems do not distinguish a.png from A.png.
	seen := make(map[string]string)
	for _, path := range append(rels(written, written.Train), rels(written, written.Test)...) {
		if other := seen[strings.ToLower(path)]; other != "" {
			t.Errorf("%s and %s differ only in case", other, path)
		}
		seen[strings.ToLower(path)] = path
	}
}

// After any failure, the target is unchanged and no temporary file is left beside it.
func TestSplitFailures(t *testing.T) {
	s := runs(t, 4)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		name string
		ctx  context.Context
		dst  func(dir string) string
		want error
		says string
	}{
		{"the target holds something", context.Background(), func(dir string) string {
			put(t, dir, "new/old.txt", "keep me")
			return filepath.Join(dir, "new")
		}, ErrNotEmpty, "name a new folder"},
		{"the target is a file", context.Background(), func(dir string) string {
			put(t, dir, "new", "keep me")
			return filepath.Join(dir, "new")
		}, nil, "new"},
		{"the target is inside the source", context.Background(), func(string) string { return filepath.Join(s.Dir, "new") }, nil, "is inside"},
		{"the target is the source", context.Background(), func(string) string { return s.Dir }, ErrNotEmpty, "not empty"},
		{"no folder above the target", context.Background(), func(dir string) string { return filepath.Join(dir, "no", "new") }, os.ErrNotExist, "no"},
		{"stopped", ended, func(dir string) string { return filepath.Join(dir, "new") }, context.Canceled, "canceled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			dst := c.dst(dir)
			before, source := tree(t, dir), tree(t, s.Dir)
			_, err := s.Split(c.ctx, dst, SplitOptions{Seed: 1, Test: 0.2}, nil)
			if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want %v with %q", err, c.want, c.says)
			}
			if after := tree(t, dir); len(after) != len(before) {
				t.Errorf("left behind: %v", slices.Sorted(maps.Keys(after)))
			}
			if after := tree(t, s.Dir); len(after) != len(source) {
				t.Error("the source has changed")
			}
		})
	}
}

// A source file that vanishes between reading and copying leaves no incomplete data set.
func TestSplitSourceVanishes(t *testing.T) {
	s := runs(t, 4)
	dir := t.TempDir()
	seen := 0
	_, err := s.Split(context.Background(), filepath.Join(dir, "new"), SplitOptions{Seed: 1, Test: 0.2}, func(done, total int) {
		if seen++; done == total {
			for _, it := range s.Train[1:] {
				os.Remove(it.Path)
			}
		}
	})
	if !errors.Is(err, os.ErrNotExist) || seen != len(s.Train) {
		t.Errorf("error %v after %d images", err, seen)
	}
	if left := tree(t, dir); len(left) != 1 {
		t.Errorf("left behind: %v", slices.Sorted(maps.Keys(left)))
	}
}

// The target may be an empty folder.
func TestSplitIntoEmptyFolder(t *testing.T) {
	s := runs(t, 4)
	dst := t.TempDir()
	if _, err := s.Split(context.Background(), dst, SplitOptions{Seed: 1, Test: 0.2}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dst); err != nil {
		t.Error(err)
	}
}
