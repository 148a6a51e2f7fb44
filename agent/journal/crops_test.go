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

// withCrop appends a verdict with a crop of size bytes and returns its number.
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

// crops lists the files in the folder of crops or in one of its subfolders.
func crops(t *testing.T, path string, folder ...string) (names []string) {
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

// The next start deletes a crop without a verdict; everything else stays.
func TestOrphanedCrops(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := open(t, path)
	withCrop(t, j, 10)
	if _, err := j.SaveCrop(nil); err != nil { // and the power fails before the verdict
		t.Fatal(err)
	}
	j.Close()
	for _, name := range []string{".000000000007.png.unfinished-1", "README", "7.png"} {
		if err := os.WriteFile(filepath.Join(path+"-crops", name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	j = open(t, path)
	if got := crops(t, path); !slices.Equal(got, []string{"000000000001.png", "7.png", "README"}) {
		t.Errorf("left: %v", got)
	}
	if err := os.Remove(filepath.Join(path+"-crops", "000000000001.png")); err != nil {
		t.Fatal(err)
	}
	if rows, err := j.Pending(0, 9); err != nil || len(rows) != 1 || rows[0].Crop != "journal.db-crops/000000000001.png" {
		t.Errorf("with a missing crop: %v, %v", rows, err)
	}
	sweep(t, j, journal.Limits{Crops: 1}, 0)
}

// Crops are deleted with their verdicts, and the oldest above the limit; their verdicts stay.
func TestCropsWithinLimits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := open(t, path)
	for range 10 {
		withCrop(t, j, 1000)
	}
	sweep(t, j, journal.Limits{Crops: 6500}, 0)
	if got := crops(t, path); len(got) != 6 || got[0] != "000000000005.png" {
		t.Errorf("left: %v", got)
	}
	j.Close()
	j = open(t, path)
	sweep(t, j, journal.Limits{Crops: 5500}, day)
	if got := crops(t, path); len(got) != 5 {
		t.Errorf("left after a restart: %v", got)
	}
	ack(t, j, 1, 8)
	sweep(t, j, journal.Limits{Age: day}, day)
	if got := crops(t, path); !slices.Equal(got, []string{"000000000009.png", "000000000010.png"}) {
		t.Errorf("left without their verdicts: %v", got)
	}
}

// A failed write of a crop leaves neither a file nor a gap in the numbers, whether or not the file
// reached the disk.
func TestCropCannotBeWritten(t *testing.T) {
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
			if got := crops(t, path); len(got) != 0 {
				t.Errorf("left: %v", got)
			}
			if seq := withCrop(t, j, 5); seq != 1 {
				t.Errorf("number %d", seq)
			}
		})
	}
}

// Labelled crops are deleted after all unlabelled ones, exported crops are deleted first. A label
// needs neither the agent nor a row.
func TestLabelledCropsStay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := open(t, path)
	for range 10 {
		withCrop(t, j, 1000)
	}
	label := func(seq uint64, l review.Label) {
		t.Helper()
		// as the command line does
		if err := review.Open(journal.CropFolder(path), station, "").Label(seq, l); err != nil {
			t.Fatal(err)
		}
	}
	for seq, l := range map[uint64]review.Label{1: review.Crack, 2: review.Normal, 3: review.Unsure, 4: review.Normal} {
		label(seq, l)
	}
	move(t, path, "normal/000000000004.png", "exported/normal/000000000004.png")

	sweep(t, j, journal.Limits{Crops: 9500}, 0)
	if got := crops(t, path, "exported/normal"); len(got) != 0 {
		t.Errorf("left of the exported ones: %v", got)
	}
	sweep(t, j, journal.Limits{Crops: 4500}, 0)
	if got := crops(t, path); !slices.Equal(got, []string{"000000000010.png"}) {
		t.Errorf("waiting: %v", got)
	}
	label(3, review.None) // it waits again and is the oldest
	sweep(t, j, journal.Limits{Crops: 3500}, 0)
	if got := crops(t, path); !slices.Equal(got, []string{"000000000010.png"}) {
		t.Errorf("waiting: %v", got)
	}

	// Without their rows only unlabelled crops are deleted, now and at a start.
	ack(t, j, 1, 10)
	sweep(t, j, journal.Limits{Age: day}, day)
	sweep(t, j, journal.Limits{Age: day}, day)
	j.Close()
	j = open(t, path)
	for folder, want := range map[string][]string{"": nil, "crack": {"000000000001.png"}, "normal": {"000000000002.png"}} {
		if got := crops(t, path, folder); !slices.Equal(got, want) {
			t.Errorf("%q has %v, want %v", folder, got, want)
		}
	}
	sweep(t, j, journal.Limits{Crops: 1}, 0)
	if got := append(crops(t, path, "crack"), crops(t, path, "normal")...); len(got) != 0 {
		t.Errorf("left above the limit: %v", got)
	}
}

func move(t *testing.T, path, from, to string) {
	t.Helper()
	if err := os.Rename(filepath.Join(path+"-crops", from), filepath.Join(path+"-crops", to)); err != nil {
		t.Fatal(err)
	}
}

// The next start keeps the crop of a verdict that was stored before it; a second crop replaces it.
func TestCropAfterItsVerdict(t *testing.T) {
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
	if got := crops(t, path); !slices.Equal(got, []string{"000000000002.png", "000000000004.png"}) {
		t.Errorf("left: %v", got)
	}
	sweep(t, j, journal.Limits{Crops: 49}, 0)
	if got := crops(t, path); !slices.Equal(got, []string{"000000000004.png"}) {
		t.Errorf("left of 20 and 30 bytes with a limit of 49: %v", got)
	}
}

// Labels survive a damaged database, whose acknowledged rows are not saved.
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
	if err := os.WriteFile(path, []byte("not a database, but long enough to look like a damaged one"), 0o640); err != nil {
		t.Fatal(err)
	}
	j = open(t, path)
	if len(j.Notes()) == 0 {
		t.Fatal("the damage was not found")
	}
	if got := crops(t, path, "crack"); !slices.Equal(got, []string{"000000000001.png"}) {
		t.Errorf("labelled: %v", got)
	}
}

// Labels, retention and new tires at the same time: each label is kept, or refused because the crop
// was deleted before.
func TestLabelsDuringRetention(t *testing.T) {
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
			t.Errorf("crop %d was labelled and is %q, %v", seq, p.Label, err)
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
