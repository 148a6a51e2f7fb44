package dataset

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestOpenLayouts(t *testing.T) {
	for _, c := range []struct {
		name             string
		files            []string
		train, val, test []string
	}{
		{
			name:  "only classes",
			files: []string{"crack/a.jpg", "normal/b.jpg"},
			train: []string{"crack/a.jpg", "normal/b.jpg"},
		},
		{
			name:  "the thesis",
			files: []string{"training/crack/a.jpg", "training/normal/b.jpg", "testing/crack/c.jpg", "testing/normal/d.jpg"},
			train: []string{"training/crack/a.jpg", "training/normal/b.jpg"},
			test:  []string{"testing/crack/c.jpg", "testing/normal/d.jpg"},
		},
		{
			name:  "Kaggle",
			files: []string{"training_data/cracked/a.jpg", "training_data/normal/b.jpg", "testing_data/cracked/c.jpg", "testing_data/normal/d.jpg"},
			train: []string{"training_data/cracked/a.jpg", "training_data/normal/b.jpg"},
			test:  []string{"testing_data/cracked/c.jpg", "testing_data/normal/d.jpg"},
		},
		{
			name:  "other words and letter case",
			files: []string{"Train/Defective/a.JPG", "Train/Good/b.png", "VAL/bad/c.jpg", "VAL/OK/d.jpg", "test/cracks/e.jpg", "test/sound/f.jpg"},
			train: []string{"Train/Defective/a.JPG", "Train/Good/b.png"},
			val:   []string{"VAL/OK/d.jpg", "VAL/bad/c.jpg"},
			test:  []string{"test/cracks/e.jpg", "test/sound/f.jpg"},
		},
		{
			name: "folders inside a class, hidden and system files",
			files: []string{"crack/2024/05/a.jpg", "crack/b.jpg", "crack/.DS_Store", "crack/Thumbs.db", "crack/.trash/x.jpg",
				"normal/c.jpg", "normal/._c.jpg", ".git/config", "README.md"},
			train: []string{"crack/2024/05/a.jpg", "crack/b.jpg", "normal/c.jpg"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, f := range c.files {
				put(t, dir, f, "not read by Open")
			}
			s, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			for part, lists := range map[string][2][]string{
				PartTrain: {rels(s, s.Train), c.train}, PartVal: {rels(s, s.Val), c.val}, PartTest: {rels(s, s.Test), c.test},
			} {
				if !slices.Equal(lists[0], lists[1]) {
					t.Errorf("%s is %v, want %v", part, lists[0], lists[1])
				}
			}
			for _, it := range s.Train {
				if folder := strings.ToLower(it.Path); (it.Class == Normal) != (strings.Contains(folder, "normal") || strings.Contains(folder, "good")) {
					t.Errorf("%s is %s", it.Path, it.Class)
				}
			}
			if len(s.Other) > 0 {
				t.Errorf("other files: %v", s.Other)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		files []string
		says  []string
	}{
		{"an empty folder", nil, []string{"no folders", "DIR/crack and DIR/normal"}},
		{"the folder above", []string{"photos/crack/a.jpg", "photos/normal/b.jpg"}, []string{"found the folders photos"}},
		{"images without classes", []string{"a.jpg", "b.jpg"}, []string{"no class folders"}},
		{"testing only", []string{"testing/crack/a.jpg", "testing/normal/b.jpg"}, []string{"no training folder", "testing"}},
		{"two words for one class", []string{"crack/a.jpg", "cracked/b.jpg", "normal/c.jpg"}, []string{"crack and cracked mean the same", "merge"}},
		{"a part without classes", []string{"train/a.jpg"}, []string{"train: not a data set", "no class folders"}},
		{"many folders", []string{"a/x", "b/x", "c/x", "d/x", "e/x", "f/x", "g/x", "h/x", "i/x", "j/x", "k/x", "l/x"}, []string{"a, b, c", "j and 2 more"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, f := range c.files {
				put(t, dir, f, "")
			}
			_, err := Open(dir)
			if !errors.Is(err, ErrLayout) {
				t.Fatalf("error %v, want ErrLayout", err)
			}
			for _, words := range append(c.says, dir) {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("error %q does not say %q", err, words)
				}
			}
		})
	}
	if _, err := Open(filepath.Join(t.TempDir(), "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing folder: %v", err)
	}
}

// A class without images is returned with the set, so that Check can still examine the rest.
func TestOpenEmptyClass(t *testing.T) {
	for _, c := range []struct {
		name  string
		files []string
		want  EmptyClassError
	}{
		{"one class only", []string{"crack/a.jpg"}, EmptyClassError{PartTrain, Normal, "normal"}},
		{"no image among the files", []string{"crack/a.jpg", "normal/notes.txt"}, EmptyClassError{PartTrain, Normal, "normal"}},
		{"in testing", []string{"train/bad/a.jpg", "train/good/b.jpg", "test/bad/c.jpg", "test/good/d.heic"}, EmptyClassError{PartTest, Normal, "test/good"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, f := range c.files {
				put(t, dir, f, "")
			}
			s, err := Open(dir)
			var e *EmptyClassError
			if !errors.As(err, &e) || !errors.Is(err, ErrEmptyClass) || s == nil {
				t.Fatalf("set %v, error %v", s, err)
			}
			c.want.Dir = filepath.Join(dir, filepath.FromSlash(c.want.Dir))
			if *e != c.want {
				t.Errorf("error %+v, want %+v", *e, c.want)
			}
		})
	}
}
