package dataset

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tirewatch/internal/hint"
)

// read reads all images of a set in dir, grouped by its manifest.
func read(t testing.TB, dir string, g Grouping) *Reading {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Group(g); err != nil {
		t.Fatal(err)
	}
	r, err := s.Whole().Read(t.Context(), little, inMemory(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Groups of one to five images, some with both classes, also a pair that only looks alike. Every
// image is tested once, no group is divided, and both classes are spread evenly.
func TestFolds(t *testing.T) {
	dir := t.TempDir()
	manifest, n := "file,group\n", 0
	for g := range 24 {
		for i := range 1 + g%5 {
			name := fmt.Sprintf("%s/%02d-%d.png", Classes[(g+i/3)%2], g, i)
			save(t, dir, name, photograph(uint64(10*g+i)))
			manifest += fmt.Sprintf("%s,tire %d\n", name, g)
			n++
		}
	}
	wall := scene(5000, 200, 200)
	for i := range 2 {
		name := fmt.Sprintf("crack/wall-%d.png", i)
		save(t, dir, name, crop(wall, 12*i, 3*i, 128, 128))
		manifest += name + ",\n"
		n++
	}
	put(t, dir, "normal/damaged.png", "no image")
	put(t, dir, ManifestName, manifest+"normal/damaged.png,\n")

	r := read(t, dir, Grouping{})
	f, err := r.Folds(t.Context(), 4, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	foldOf, images := make(map[string]int), 0
	for k := range f.Names {
		test := f.Test(k)
		images += len(test)
		var items []Item
		for _, im := range test {
			items = append(items, im.Item)
			if other, ok := foldOf[im.Group]; ok && other != k {
				t.Errorf("group %s is in folds %d and %d", im.Group, other, k)
			}
			foldOf[im.Group] = k
		}
		if c := Count(items); c[Normal] < 7 || c[Crack] < 7 {
			t.Errorf("fold %d has %d normal and %d crack images of %d", k, c[Normal], c[Crack], n)
		}
		train, val, err := f.Train(t.Context(), k, 1, 0.25, nil)
		if err != nil || len(train)+len(val)+len(test) != n || len(val) == 0 {
			t.Fatalf("%d, %d and %d images of %d, %v", len(train), len(val), len(test), n, err)
		}
		for _, im := range append(train, val...) {
			if slices.ContainsFunc(test, func(b Image) bool { return b.Path == im.Path || im.Group != "" && b.Group == im.Group }) {
				t.Errorf("fold %d: %s is tested and trained on", k, im.Path)
			}
		}
	}
	if _, ok := foldOf["crack/wall-0.png"]; images != n || !ok || len(foldOf) != 25 {
		t.Errorf("%d of %d images in %d groups: %v", images, n, len(foldOf), foldOf)
	}
	again, err := read(t, dir, Grouping{}).Folds(t.Context(), 4, 1, nil)
	other, _ := r.Folds(t.Context(), 4, 2, nil)
	if err != nil || !slices.Equal(again.fold, f.fold) || slices.Equal(other.fold, f.fold) ||
		again.ID() != f.ID() || other.ID() == f.ID() {
		t.Error("the folds do not depend on the seed alone")
	}
}

// Variants are trained on with their origin and never tested.
func TestFoldsTestNoVariants(t *testing.T) {
	dir := t.TempDir()
	for i := range 4 {
		for _, class := range Classes {
			img := photograph(uint64(10*i) + uint64(class))
			save(t, dir, fmt.Sprintf("%s/%d.png", class, i), img)
			save(t, dir, fmt.Sprintf("%s/%d~aug1.png", class, i), photograph(uint64(100+10*i)+uint64(class)))
		}
	}
	f, err := read(t, dir, Grouping{}).Folds(t.Context(), 2, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	train, val, err := f.Train(t.Context(), 0, 1, 0.5, nil)
	if err != nil || len(f.Test(0)) != 4 || len(train)+len(val) != 8 {
		t.Errorf("%d tested, %d and %d trained on, %v", len(f.Test(0)), len(train), len(val), err)
	}
}

func TestGivenFolds(t *testing.T) {
	row := func(i int, group, fold string) string {
		return fmt.Sprintf("%s/%d.png,%s,%s\n", Classes[i%2], i, group, fold)
	}
	good := row(0, "a", "10") + row(1, "a", "10") + row(2, "", "9") + row(3, "b", "9")
	for _, c := range []struct{ name, rows, want string }{
		{"two folds, by number", good, ""},
		{"a group in two folds", strings.Replace(good, "1.png,a", "1.png,b", 1), "1 of 3 groups are in more than one fold, for example: group b is in the folds"},
		{"an image without a fold", strings.Replace(good, "b,9", "b,", 1), "1 of 4 images have no fold, for example crack/3.png"},
		{"one fold", strings.ReplaceAll(good, "10", "9"), "all 4 images are in one fold"},
		{"a fold without cracks", strings.Replace(good, "b,9", "a,10", 1), "fold 9 has no crack images, only 1 others"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for i := range 4 {
				save(t, dir, fmt.Sprintf("%s/%d.png", Classes[i%2], i), photograph(uint64(i)))
			}
			put(t, dir, ManifestName, "file,group,fold\n"+c.rows)
			f, err := read(t, dir, Grouping{Fold: "fold"}).GivenFolds()
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) || hint.Of(err) == "" {
					t.Errorf("error %v, want %q and a hint", err, c.want)
				}
				return
			}
			if err != nil || fmt.Sprint(f.Names) != "[9 10]" || len(f.Test(0)) != 2 || f.Test(0)[0].Group != "b" || f.Test(0)[1].Group != "normal/2.png" {
				t.Errorf("%+v, %v", f, err)
			}
		})
	}
}

func TestFoldsRefuse(t *testing.T) {
	dir := t.TempDir()
	manifest := "file,group\n"
	for i := range 6 {
		name := fmt.Sprintf("%s/%d.png", Classes[i%2], i)
		save(t, dir, name, photograph(uint64(i)))
		manifest += fmt.Sprintf("%s,%d\n", name, i%4)
	}
	put(t, dir, ManifestName, manifest)
	_, err := read(t, dir, Grouping{}).Folds(t.Context(), 3, 1, nil)
	if !errors.Is(err, ErrTooFew) || !strings.Contains(err.Error(), "the 3 normal images are only 2 groups") {
		t.Errorf("error %v", err)
	}
	// groups with both classes count for both
	put(t, dir, ManifestName, "file,group\nnormal/0.png,a\ncrack/1.png,a\nnormal/2.png,b\ncrack/3.png,b\nnormal/4.png,a\ncrack/5.png,b\n")
	f, err := read(t, dir, Grouping{}).Folds(t.Context(), 2, 1, nil)
	if err != nil || len(f.Test(0)) != 3 {
		t.Errorf("%v, %v", f, err)
	}
}
