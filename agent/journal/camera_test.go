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
	"tirewatch/agent/review"
)

// withCamera appends a verdict with a crop and a picture of the camera.
func withCamera(t *testing.T, j *journal.Journal, crop, camera int) uint64 {
	t.Helper()
	seq := withCrop(t, j, crop)
	if err := j.SaveCamera(seq, make([]byte, camera)); err != nil {
		t.Fatal(err)
	}
	return seq
}

// cameras lists the pictures of the camera.
func cameras(t *testing.T, path string) []string { return crops(t, path, review.CameraFolder) }

// The limit counts both files of a tire, before and after a restart, and both are deleted together.
func TestCameraPicturesWithinLimits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := open(t, path)
	for range 10 {
		withCamera(t, j, 100, 900)
	}
	withCrop(t, j, 100) // its picture was lost
	sweep(t, j, journal.Limits{Crops: 6500}, 0)
	if got := crops(t, path); len(got) != 7 || got[0] != "000000000005.png" {
		t.Errorf("crops left: %v", got)
	}
	if got := cameras(t, path); len(got) != 6 || got[0] != "000000000005.jpg" {
		t.Errorf("camera pictures left: %v", got)
	}
	j.Close()
	j = open(t, path)
	sweep(t, j, journal.Limits{Crops: 2500}, 0)
	if got := cameras(t, path); !slices.Equal(got, []string{"000000000009.jpg", "000000000010.jpg"}) {
		t.Errorf("left after a restart: %v", got)
	}
	if data, err := j.Camera(10); err != nil || len(data) != 900 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if _, err := j.Camera(11); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a tire without a picture: %v", err)
	}
	ack(t, j, 1, 10)
	sweep(t, j, journal.Limits{Age: day}, day)
	sweep(t, j, journal.Limits{Age: day}, day)
	if got := cameras(t, path); len(got) != 0 {
		t.Errorf("left without their verdicts: %v", got)
	}
}

// A crash between the two files leaves a crop, which is as useful as before. A crash while the
// picture is written leaves a part, and a crash before the verdict leaves both files without a row:
// the next start deletes these. A picture whose crop a person deleted goes too.
func TestCrashBetweenTheFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := open(t, path)
	withCamera(t, j, 10, 90)
	withCrop(t, j, 10) // 2: crash between the files
	withCamera(t, j, 10, 90)
	labelled := withCamera(t, j, 10, 90)
	if err := review.Open(path+"-crops", station, "").Label(labelled, review.Crack); err != nil {
		t.Fatal(err)
	}
	next := j.Next()
	if _, err := j.SaveCrop(make([]byte, 10)); err != nil { // 5: crash before the verdict
		t.Fatal(err)
	}
	if err := j.SaveCamera(next, make([]byte, 90)); err != nil {
		t.Fatal(err)
	}
	j.Close()
	if err := errors.Join(
		os.WriteFile(filepath.Join(path+"-crops", "camera", ".000000000002.jpg.unfinished-1"), nil, 0o600),
		os.Remove(filepath.Join(path+"-crops", "000000000003.png")),
		os.WriteFile(filepath.Join(path+"-crops", "camera", "README"), nil, 0o600),
	); err != nil {
		t.Fatal(err)
	}
	open(t, path)
	if got := crops(t, path); !slices.Equal(got, []string{"000000000001.png", "000000000002.png"}) {
		t.Errorf("crops left: %v", got)
	}
	if got := cameras(t, path); !slices.Equal(got, []string{"000000000001.jpg", "000000000004.jpg", "README"}) {
		t.Errorf("camera pictures left: %v", got)
	}
}

// A folder of an older agent gets the new folder at the first start, and its crops stay.
func TestOldFolderOfCrops(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := open(t, path)
	withCrop(t, j, 10)
	j.Close()
	if err := os.Remove(filepath.Join(path+"-crops", "camera")); err != nil {
		t.Fatal(err)
	}
	j = open(t, path)
	if err := j.SaveCamera(1, make([]byte, 90)); err != nil {
		t.Error(err)
	}
	if got := append(crops(t, path), cameras(t, path)...); !slices.Equal(got, []string{"000000000001.png", "000000000001.jpg"}) {
		t.Errorf("left: %v", got)
	}
}

// On a full disk the crop stays and the picture does not. A picture that arrives after its crop was
// deleted is not kept.
func TestCameraPictureCannotBeKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	full := true
	env := journal.Environment{WriteFile: func(path string, data []byte, perm fs.FileMode) error {
		if full && strings.HasSuffix(path, ".jpg") {
			return &fs.PathError{Op: "write", Path: path, Err: syscall.ENOSPC}
		}
		return os.WriteFile(path, data, perm)
	}}
	j, err := journal.OpenIn(env, path, station)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	withCrop(t, j, 10)
	if err := j.SaveCamera(1, make([]byte, 90)); !errors.Is(err, journal.ErrFull) {
		t.Errorf("on a full disk: %v", err)
	}
	if got := crops(t, path); len(got) != 1 {
		t.Errorf("crops left: %v", got)
	}
	full = false
	if err := j.SaveCamera(7, make([]byte, 90)); err != nil {
		t.Error(err)
	}
	if got := cameras(t, path); len(got) != 0 {
		t.Errorf("camera pictures left: %v", got)
	}
}

// A label moves the crop only. The pair still counts as one for the limit.
func TestLabelledPair(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := open(t, path)
	for range 3 {
		withCamera(t, j, 100, 900)
	}
	if err := review.Open(path+"-crops", station, "").Label(1, review.Crack); err != nil {
		t.Fatal(err)
	}
	sweep(t, j, journal.Limits{Crops: 2000}, 0)
	if got := cameras(t, path); !slices.Equal(got, []string{"000000000001.jpg", "000000000003.jpg"}) {
		t.Errorf("left: %v; labelled crops are deleted last", got)
	}
}
