package main

import (
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A disk without room for the images is named, with the room that is needed and a way out, before
// anything is trained.
func TestNoRoomForImages(t *testing.T) {
	dir, disk := t.TempDir(), t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("cannot mount a small disk (%v): run as root", err)
	}
	t.Cleanup(func() { syscall.Unmount(disk, 0) })
	photos := filepath.Join(dir, "photos")
	if _, _, err := runDataset("synth", photos, "--train", "24", "--test", "0", "--size", "96"); err != nil {
		t.Fatal(err)
	}
	defer func(before int64) { pixelMemory = before }(pixelMemory)
	pixelMemory = 0
	_, err := trainCommand(t, "", nil, photos, "--out", filepath.Join(disk, "run"))
	var hint *hintError
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), disk) || !strings.Contains(err.Error(), "need 4 MB") {
		t.Errorf("error %v", err)
	}
	if !errors.As(err, &hint) || !strings.Contains(hint.hint, "--out on a larger disk") {
		t.Errorf("hint %v", hint)
	}
}
