package journal_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"tirewatch/agent/journal"
	"tirewatch/agent/review"
)

// withCrop appends a verdict with a picture of size bytes, and returns its number.
func withCrop(t *testing.T, j *journal.Journal, size int) uint64 {
	t.Helper()
	name, err := j.SaveCrop(make([]byte, size))
	if err != nil {
		t.Fatal(err)
	}
	v := aVerdict()
	v.Crop = name
	if err := j.Append(v); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(j.Path()), v.Crop)); err != nil {
		t.Errorf("verdict %d: %v", v.Seq, err)
	}
	return v.Seq
}

// pictures lists what lies in the folder of pictures, or in one of those in it.
func pictures(t *testing.T, path string, folder ...string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(append([]string{path + "-crops"}, folder...)...))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

// A picture that no verdict names goes at the next start; everything else stays.
func TestOrphanedPictures(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := open(t, path)
	withCrop(t, j, 10)
	if _, err := j.SaveCrop(nil); err != nil { // and the power goes before the verdict
		t.Fatal(err)
	}
	j.Close()
	for _, name := range []string{".000000000007.png.unfinished-1", "README", "7.png"} {
		if err := os.WriteFile(filepath.Join(path+"-crops", name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	j = open(t, path)
	if got := pictures(t, path); !slices.Equal(got, []string{"000000000001.png", "7.png", "README"}) {
		t.Errorf("left are %v", got)
	}
	if err := os.Remove(filepath.Join(path+"-crops", "000000000001.png")); err != nil {
		t.Fatal(err)
	}
	if rows, err := j.Pending(0, 9); err != nil || len(rows) != 1 || rows[0].Crop != "journal.db-crops/000000000001.png" {
		t.Errorf("a missing picture is no error: %v, %v", rows, err)
	}
	sweep(t, j, journal.Limits{Crops: 1}, 0)
}

// Pictures go with their verdicts, and the oldest go above their limit; verdicts stay for all that.
func TestPicturesWithinLimits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := open(t, path)
	for range 10 {
		withCrop(t, j, 1000)
	}
	sweep(t, j, journal.Limits{Crops: 6500}, 0)
	if got := pictures(t, path); len(got) != 6 || got[0] != "000000000005.png" {
		t.Errorf("left are %v", got)
	}
	j.Close()
	j = open(t, path)
	sweep(t, j, journal.Limits{Crops: 5500}, day)
	if got := pictures(t, path); len(got) != 5 {
		t.Errorf("after a restart left are %v", got)
	}
	ack(t, j, 1, 8)
	sweep(t, j, journal.Limits{Age: day}, day)
	if got := pictures(t, path); !slices.Equal(got, []string{"000000000009.png", "000000000010.png"}) {
		t.Errorf("without their verdicts left are %v", got)
	}
}

// A picture that cannot be written leaves neither a file nor a hole in the numbers, whether or not
// some of it reached the disk.
func TestPictureCannotBeWritten(t *testing.T) {
	for name, persisted := range map[string]bool{"not written": false, "written but reported as failed": true} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal.db")
			env := journal.Environment{WriteFile: func(path string, data []byte, perm fs.FileMode) error {
				if persisted || !strings.HasSuffix(path, ".png") {
					if err := os.WriteFile(path, data, perm); err != nil {
						return err
					}
				}
				if strings.HasSuffix(path, ".png") {
					return &fs.PathError{Op: "write", Path: path, Err: syscall.ENOSPC}
				}
				return nil
			}}
			j, err := journal.OpenIn(env, path, station)
			if err != nil {
				t.Fatal(err)
			}
			if name, err := j.SaveCrop([]byte("png")); !errors.Is(err, journal.ErrFull) || name != "" {
				t.Errorf("got %q, %v", name, err)
			}
			j.Close()
			j = open(t, path)
			if got := pictures(t, path); len(got) != 0 {
				t.Errorf("left are %v", got)
			}
			if seq := withCrop(t, j, 5); seq != 1 {
				t.Errorf("number %d", seq)
			}
		})
	}
}

// What a person has labelled goes after all that nobody looked at, what an export has goes first; a
// label needs neither the agent nor a row.
func TestLabelledPicturesStay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := open(t, path)
	for range 10 {
		withCrop(t, j, 1000)
	}
	label := func(seq uint64, l review.Label) {
		t.Helper()
		// as the command line beside the agent does
		if err := review.Open(journal.CropFolder(path), station, "").Label(seq, l); err != nil {
			t.Fatal(err)
		}
	}
	for seq, l := range map[uint64]review.Label{1: review.Crack, 2: review.Normal, 3: review.Unsure, 4: review.Normal} {
		label(seq, l)
	}
	move(t, path, "normal/000000000004.png", "exported/normal/000000000004.png")

	sweep(t, j, journal.Limits{Crops: 9500}, 0)
	if got := pictures(t, path, "exported/normal"); len(got) != 0 {
		t.Errorf("of those that an export has, left are %v", got)
	}
	sweep(t, j, journal.Limits{Crops: 4500}, 0)
	if got := pictures(t, path); !slices.Equal(got, []string{"000000000010.png"}) {
		t.Errorf("waiting are %v", got)
	}
	label(3, review.None) // taken back, it waits again and is the oldest
	sweep(t, j, journal.Limits{Crops: 3500}, 0)
	if got := pictures(t, path); !slices.Equal(got, []string{"000000000010.png"}) {
		t.Errorf("waiting are %v", got)
	}

	// Without their rows only those go that nobody labelled, now and at a start.
	ack(t, j, 1, 10)
	sweep(t, j, journal.Limits{Age: day}, day)
	sweep(t, j, journal.Limits{Age: day}, day)
	j.Close()
	j = open(t, path)
	for folder, want := range map[string][]string{"": nil, "crack": {"000000000001.png"}, "normal": {"000000000002.png"}} {
		if got := pictures(t, path, folder); !slices.Equal(got, want) {
			t.Errorf("%q has %v, want %v", folder, got, want)
		}
	}
	sweep(t, j, journal.Limits{Crops: 1}, 0)
	if got := append(pictures(t, path, "crack"), pictures(t, path, "normal")...); len(got) != 0 {
		t.Errorf("above the limit left are %v", got)
	}
}

func move(t *testing.T, path, from, to string) {
	t.Helper()
	if err := os.Rename(filepath.Join(path+"-crops", from), filepath.Join(path+"-crops", to)); err != nil {
		t.Fatal(err)
	}
}

// A picture of a verdict that is stored already is none that the next start removes; a second one
// replaces it.
func TestPictureBehindItsVerdict(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := open(t, path)
	appendN(t, j, 3)
	for _, size := range []int{10, 20} {
		if _, err := j.SaveCropOf(2, make([]byte, size)); err != nil {
			t.Fatal(err)
		}
	}
	withCrop(t, j, 30)
	j.Close()
	j = open(t, path)
	if got := pictures(t, path); !slices.Equal(got, []string{"000000000002.png", "000000000004.png"}) {
		t.Errorf("left are %v", got)
	}
	sweep(t, j, journal.Limits{Crops: 49}, 0)
	if got := pictures(t, path); !slices.Equal(got, []string{"000000000004.png"}) {
		t.Errorf("of 20 and 30 bytes, 49 allowed, left are %v", got)
	}
}

// Labels outlive a database that is damaged, whose acknowledged rows are not saved.
func TestLabelsOutliveTheDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := open(t, path)
	withCrop(t, j, 10)
	withCrop(t, j, 10)
	ack(t, j, 1, 2)
	j.Close()
	if err := review.Open(journal.CropFolder(path), station, "").Label(1, review.Crack); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("no database, but long enough to be taken for one that is damaged"), 0o640); err != nil {
		t.Fatal(err)
	}
	j = open(t, path)
	if len(j.Notes()) == 0 {
		t.Fatal("the damage was not seen")
	}
	if got := pictures(t, path, "crack"); !slices.Equal(got, []string{"000000000001.png"}) {
		t.Errorf("labelled are %v", got)
	}
}

// Labels, retention and new tires at once: each label is kept or refused because the picture had
// gone before.
func TestLabelsBesideRetention(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := open(t, path)
	const n = 60
	for range n {
		withCrop(t, j, 1000)
	}
	q := review.Open(journal.CropFolder(path), station, "")
	var kept []uint64
	var labelling sync.WaitGroup
	labelling.Go(func() {
		for seq := uint64(1); seq <= n; seq++ {
			switch err := q.Label(seq, review.Normal); {
			case err == nil:
				kept = append(kept, seq)
			case !errors.Is(err, review.ErrGone):
				t.Error(err)
			}
		}
	})
	for range n {
		withCrop(t, j, 1000)
		if _, err := j.Sweep(journal.Limits{Crops: (n + 10) * 1000}, 0); err != nil {
			t.Error(err)
		}
	}
	labelling.Wait()
	sweep(t, j, journal.Limits{Crops: (n + 10) * 1000}, 0)
	for _, seq := range kept {
		if p, err := q.Picture(seq); err != nil || p.Label != review.Normal {
			t.Errorf("picture %d was labelled and is %q, %v", seq, p.Label, err)
		}
	}
	c, err := q.Count()
	if err != nil {
		t.Fatal(err)
	}
	if c.Normal != len(kept) || c.Waiting+c.Normal > n+10 || c.Waiting == 0 {
		t.Errorf("%+v with %d labels", c, len(kept))
	}
}
