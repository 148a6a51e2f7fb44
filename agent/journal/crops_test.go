package journal_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"tirewatch/agent/journal"
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

func pictures(t *testing.T, path string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(path + "-crops")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
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

// A picture that cannot be written leaves neither a file nor a hole in the numbers, whether or not some of it reached the disk.
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
