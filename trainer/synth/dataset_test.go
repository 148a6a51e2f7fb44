package synth

import (
	"bytes"
	"context"
	"errors"
	"image/jpeg"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tree returns all files below dir by relative name.
func tree(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		out[filepath.ToSlash(rel)], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWriteDataset(t *testing.T) {
	for name, c := range map[string]struct {
		o    Options
		want map[string]int // files per folder
	}{
		"two parts": {
			Options{View: Side, Size: 100, Seed: 4, Train: 7, Test: 4, CrackFraction: 0.5},
			map[string]int{"training/crack": 4, "training/normal": 3, "testing/crack": 2, "testing/normal": 2},
		},
		"training only": {
			Options{View: CloseUp, Size: 100, Seed: 4, Train: 5, CrackFraction: 0.2},
			map[string]int{"training/crack": 1, "training/normal": 4},
		},
		"all sound": {
			Options{View: Side, Size: 100, Seed: 4, Train: 3},
			map[string]int{"training/normal": 3},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "set")
			var last, total int
			if err := WriteDataset(t.Context(), dir, c.o, func(d, n int) { last, total = d, n }); err != nil {
				t.Fatal(err)
			}
			if last != c.o.Train+c.o.Test || total != last {
				t.Errorf("progress ended at %d of %d, want %d", last, total, c.o.Train+c.o.Test)
			}
			got := map[string]int{}
			for path, data := range tree(t, dir) {
				got[path[:strings.LastIndex(path, "/")]]++
				img, err := jpeg.Decode(bytes.NewReader(data))
				if err != nil {
					t.Errorf("%s: %v", path, err)
				} else if img.Bounds().Dx() != c.o.Size || img.Bounds().Dy() != c.o.Size {
					t.Errorf("%s: size %v", path, img.Bounds())
				}
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("files per folder (-want +got):\n%s", d)
			}
		})
	}
}

func TestDatasetIsTheSameOnAnyNumberOfCores(t *testing.T) {
	o := Options{View: CloseUp, Size: 96, Seed: 8, Train: 9, Test: 3, CrackFraction: 0.5}
	var first map[string][]byte
	for _, cores := range []int{1, 4} {
		before := runtime.GOMAXPROCS(cores)
		dir := t.TempDir()
		err := WriteDataset(t.Context(), dir, o, nil)
		runtime.GOMAXPROCS(before)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = tree(t, dir)
		} else if got := tree(t, dir); !cmp.Equal(first, got) {
			t.Errorf("%d cores write different files than one core", cores)
		}
	}
}

// A larger training set must not silently change the test set.
func TestTestImagesDoNotDependOnTrainingCount(t *testing.T) {
	o := Options{Train: 10, Test: 6, CrackFraction: 0.5}
	short := o.jobs()[10:]
	o.Train = 50
	if long := o.jobs()[50:]; !cmp.Equal(short, long, cmp.AllowUnexported(job{})) {
		t.Errorf("test images changed:\n%v\n%v", short, long)
	}
}

func TestClassesHaveNoPlaceInTheOrder(t *testing.T) {
	const n = 400
	sum, cracked := 0, 0
	for _, j := range (Options{Seed: 3, Train: n, CrackFraction: 0.5}).jobs() {
		if j.cracked {
			sum += j.index
			cracked++
		}
	}
	// The mean position of 200 out of 400 has a deviation of 5.8.
	if mean := float64(sum) / float64(cracked); math.Abs(mean-(n-1)/2.0) > 25 {
		t.Errorf("the mean position of cracked tires is %.1f, want about %.1f", mean, (n-1)/2.0)
	}
}

func TestWriteDatasetRefuses(t *testing.T) {
	good := Options{View: Side, Size: 96, Seed: 1, Train: 2, CrackFraction: 0.5}
	t.Run("a folder in use", func(t *testing.T) {
		dir := t.TempDir()
		mine := filepath.Join(dir, "mine.txt")
		if err := os.WriteFile(mine, []byte("precious"), 0o644); err != nil {
			t.Fatal(err)
		}
		err := WriteDataset(t.Context(), dir, good, nil)
		if !errors.Is(err, ErrNotEmpty) || !strings.Contains(err.Error(), dir) {
			t.Errorf("got %v, want ErrNotEmpty naming the folder", err)
		}
		if d := cmp.Diff(map[string][]byte{"mine.txt": []byte("precious")}, tree(t, dir)); d != "" {
			t.Errorf("the folder changed:\n%s", d)
		}
	})
	t.Run("a place that cannot be written", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		for _, dir := range []string{file, filepath.Join(file, "set")} {
			if err := WriteDataset(t.Context(), dir, good, nil); err == nil || !strings.Contains(err.Error(), dir) {
				t.Errorf("%s: got %v, want an error naming it", dir, err)
			}
		}
	})
	for name, change := range map[string]func(*Options){
		"no images":         func(o *Options) { o.Train = 0 },
		"negative images":   func(o *Options) { o.Test = -1 },
		"tiny images":       func(o *Options) { o.Size = 95 },
		"huge images":       func(o *Options) { o.Size = 5000 },
		"an unknown view":   func(o *Options) { o.View = 7 },
		"a fraction over 1": func(o *Options) { o.CrackFraction = 1.01 },
		"not a number":      func(o *Options) { o.CrackFraction = math.NaN() },
		"quality 101":       func(o *Options) { o.Quality = 101 },
	} {
		t.Run(name, func(t *testing.T) {
			o := good
			change(&o)
			dir := filepath.Join(t.TempDir(), "set")
			if err := WriteDataset(t.Context(), dir, o, nil); err == nil {
				t.Error("no error")
			}
			if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
				t.Error("the folder was made")
			}
		})
	}
}

func TestCancelledDatasetLeavesNothing(t *testing.T) {
	for name, made := range map[string]bool{"new folder": false, "existing folder": true} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "set")
			if made {
				if err := os.Mkdir(dir, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			o := Options{View: Side, Size: 96, Seed: 1, Train: 200, Test: 2, CrackFraction: 0.5}
			err := WriteDataset(ctx, dir, o, func(done, total int) {
				if done == 3 {
					cancel()
				}
			})
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("got %v, want context.Canceled", err)
			}
			entries, err := os.ReadDir(dir)
			if made && (err != nil || len(entries) > 0) {
				t.Errorf("left %v, %v", entries, err)
			}
			if !made && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the folder still exists: %v", entries)
			}
		})
	}
}
