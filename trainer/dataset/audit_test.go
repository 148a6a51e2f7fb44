package dataset

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"math"
	"slices"
	"strings"
	"testing"
)

// audited opens and checks a folder. An empty class is allowed.
func audited(t *testing.T, dir string) *Audit {
	t.Helper()
	s, err := Open(dir)
	if err != nil && !errors.Is(err, ErrEmptyClass) {
		t.Fatal(err)
	}
	a, err := Check(context.Background(), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// One folder with every problem that a data set can have.
func troubled(t *testing.T) string {
	dir := t.TempDir()
	for i := range 6 {
		save(t, dir, fmt.Sprintf("training/crack/%d.png", i), photograph(uint64(i)))
		save(t, dir, fmt.Sprintf("training/normal/%d.jpg", i), photograph(uint64(100+i)))
	}
	save(t, dir, "testing/crack/new.png", photograph(200))
	save(t, dir, "testing/normal/new.png", photograph(201))

	save(t, dir, "testing/crack/leak.png", photograph(0)) // the same file as training/crack/0.png
	src := photograph(1)
	// a copy of crack/1.png
	save(t, dir, "training/normal/mirrored.png", edit(src, func(x, y int) int { return int(src.GrayAt(127-x, y).Y) }))
	old := photograph(100)
	// a copy of normal/0.jpg
	save(t, dir, "testing/normal/again.png", edit(old, func(x, y int) int { return int(old.GrayAt(x, y).Y) + 9 }))
	put(t, dir, "training/crack/empty.jpg", "")
	put(t, dir, "training/normal/letter.jpg", "Dear customer")
	put(t, dir, "training/normal/labels.csv", "a,b")
	return dir
}

func TestCheck(t *testing.T) {
	a := audited(t, troubled(t))

	if want := []PartAudit{{PartTrain, 7, 6}, {PartTest, 2, 2}}; !slices.Equal(a.Parts, want) {
		t.Errorf("parts %+v, want %+v", a.Parts, want)
	}
	var damaged []string
	for _, d := range a.Damaged {
		damaged = append(damaged, d.Path)
	}
	if want := []string{"training/crack/empty.jpg", "training/normal/letter.jpg"}; !slices.Equal(damaged, want) {
		t.Errorf("damaged %v, want %v", damaged, want)
	}
	if strings.Contains(a.Damaged[0].Problem, a.Dir) || !strings.Contains(a.Damaged[0].Problem, "empty file") {
		t.Errorf("problem %q", a.Damaged[0].Problem)
	}
	if want := []string{"training/normal/labels.csv"}; !slices.Equal(a.Other, want) {
		t.Errorf("other %v, want %v", a.Other, want)
	}
	if want := []Twin{{A: "training/crack/0.png", B: "testing/crack/leak.png", Correlation: 1, Leak: true}}; !slices.Equal(a.Copies, want) {
		t.Errorf("copies %+v, want %+v", a.Copies, want)
	}
	if len(a.Near) != 2 {
		t.Fatalf("near-duplicates %+v", a.Near)
	}
	if n := a.Near[0]; n.A != "training/crack/1.png" || n.B != "training/normal/mirrored.png" || !n.Turned || n.Leak || !n.Contradiction {
		t.Errorf("mirrored copy: %+v", n)
	}
	if n := a.Near[1]; n.A != "training/normal/0.jpg" || n.B != "testing/normal/again.png" || n.Turned || !n.Leak || n.Contradiction {
		t.Errorf("brighter copy: %+v", n)
	}
	if a.Groups != 3 || a.LargestOf != 2 {
		t.Errorf("%d groups, largest %d", a.Groups, a.LargestOf)
	}
	for _, words := range []string{"1 pairs show the same view with different labels", "2 pairs of near-duplicates are on different sides",
		"2 of 19 image files cannot be read", "only 6 training images", "1 files in class folders have no image extension"} {
		if !slices.ContainsFunc(a.Warnings, func(w string) bool { return strings.Contains(w, words) }) {
			t.Errorf("no warning says %q: %q", words, a.Warnings)
		}
	}
	if a.Unusable != "" {
		t.Errorf("unusable: %s", a.Unusable)
	}
	for _, words := range []string{"training/crack/empty.jpg: empty file", "on different sides", "different labels", "warning: "} {
		if !strings.Contains(a.Text(), words) {
			t.Errorf("the text does not say %q:\n%s", words, a.Text())
		}
	}
}

// The same folder gives the same report, for any distribution of the work.
func TestCheckIsDeterministic(t *testing.T) {
	dir := troubled(t)
	first, err := json.Marshal(audited(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		again, err := json.Marshal(audited(t, dir))
		if err != nil || string(again) != string(first) {
			t.Fatalf("%v\n%s\n%s", err, first, again)
		}
	}
}

// Crops with and without the crack are not a contradiction; they only have to stay together.
func TestOverlapIsNoContradiction(t *testing.T) {
	dir := t.TempDir()
	wall := scene(7, 200, 200)
	save(t, dir, "crack/a.png", crop(wall, 0, 0, 128, 128))
	save(t, dir, "normal/b.png", crop(wall, 30, 0, 128, 128))
	a := audited(t, dir)
	if len(a.Near) != 1 || a.Near[0].Contradiction {
		t.Errorf("near-duplicates %+v", a.Near)
	}
}

func TestUnusable(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]image.Image // nil is an empty file
		says  string
	}{
		{"one class", map[string]image.Image{"crack/a.png": photograph(1)}, "no readable normal images"},
		{"a class of damaged files", map[string]image.Image{"crack/a.png": nil, "normal/a.png": photograph(1)}, "no readable crack images"},
		{"no images", map[string]image.Image{"crack/notes.txt": nil, "normal/notes.txt": nil}, "no images"},
		{"images for testing only", map[string]image.Image{"train/crack/x.txt": nil, "test/crack/a.png": photograph(1), "test/normal/a.png": photograph(2)},
			"training has no images"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, img := range c.files {
				if img == nil {
					put(t, dir, name, "")
				} else {
					save(t, dir, name, img)
				}
			}
			a := audited(t, dir)
			if !strings.Contains(a.Unusable, c.says) || !strings.Contains(a.Text(), "unusable") {
				t.Errorf("unusable: %q, want %q", a.Unusable, c.says)
			}
		})
	}
}

// JSON lists are never null, so that a program can iterate over them without a check.
func TestAuditJSON(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "crack/notes.txt", "")
	data, err := json.Marshal(audited(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "null") {
		t.Errorf("%s", data)
	}
}

func TestShortcuts(t *testing.T) {
	// 20 images of each class; the functions set the properties of a photo.
	set := func(change func(i int, p *photo)) []photo {
		var photos []photo
		for i := range 40 {
			p := photo{item: Item{Path: fmt.Sprintf("%d.jpg", i), Class: Class(i % 2)}, width: 100, height: 100, size: 5000, light: 100}
			change(i, &p)
			photos = append(photos, p)
		}
		return photos
	}
	for _, c := range []struct {
		name     string
		photos   []photo
		feature  string
		accuracy float64
		rule     string
		warn     bool
	}{
		{"no difference", set(func(i int, p *photo) {}), "resolution", 0.5, "none", false},
		{"cracks are larger", set(func(i int, p *photo) {
			if p.item.Class == Crack {
				p.width, p.height = 200, 200
			}
		}), "resolution", 1, "crack when megapixels > 0.025", true},
		{"cracks are dark, but for 2", set(func(i int, p *photo) {
			if p.item.Class == Crack && i > 4 {
				p.light = 40
			}
		}), "brightness", 0.95, "crack when mean grey value < 70", true},
		{"half of the sound tires are PNG", set(func(i int, p *photo) {
			if p.item.Class == Normal && i < 20 {
				p.item.Path = "x.png"
			}
		}), "file format", 0.75, "crack when jpg", false},
		{"the middle one of three sizes", set(func(i int, p *photo) {
			p.width = []int{80, 100, 120}[i%3]
			if p.item.Class == Crack {
				p.width = 100
			}
		}), "image size", 0.85, "crack when 100 x 100", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := shortcuts(c.photos)
			i := slices.IndexFunc(found, func(s Shortcut) bool { return s.Feature == c.feature })
			if s := found[i]; math.Abs(s.Accuracy-c.accuracy) > 1e-12 || s.Rule != c.rule || s.Warn != c.warn {
				t.Errorf("%+v, want %v, %s, %v", s, c.accuracy, c.rule, c.warn)
			}
			if !slices.IsSortedFunc(found, func(a, b Shortcut) int { return cmp.Compare(b.Accuracy, a.Accuracy) }) {
				t.Errorf("the best is not first: %+v", found)
			}
		})
	}
	t.Run("too few to judge", func(t *testing.T) {
		few := set(func(i int, p *photo) { p.light = float64(p.item.Class) })[:20]
		if s := shortcuts(few)[0]; s.Accuracy != 1 || s.Warn {
			t.Errorf("%+v", s)
		}
	})
}
