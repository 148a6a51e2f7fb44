package main

import (
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tirewatch/internal/hint"
)

// A full disk is reported before the training starts, with the space that is needed and a hint.
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
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), disk) || !strings.Contains(err.Error(), "need 4 MB") {
		t.Errorf("error %v", err)
	}
	if !strings.Contains(hint.Of(err), "--out on a larger disk") {
		t.Errorf("hint %q", hint.Of(err))
	}
}
