package pixels_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"tirewatch/trainer/pixels"
)

// When the disk is too small for the images, the error names the folder and the space that they
// need.
func TestFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("cannot mount a small disk (%v): run as root", err)
	}
	t.Cleanup(func() { syscall.Unmount(disk, 0) })
	const count, size = 50, 100_000
	s := pixels.NewStore(disk, 10*size, count, size)
	defer s.Close()
	var err error
	for range count {
		if _, err = s.Put(make([]byte, size)); err != nil {
			break
		}
	}
	var full *pixels.FullError
	if !errors.As(err, &full) || !errors.Is(err, syscall.ENOSPC) || full.Need != 40*size {
		t.Fatalf("error %v, want a FullError that needs %d bytes", err, 40*size)
	}
	if text := err.Error(); !strings.Contains(text, disk) || !strings.Contains(text, "4 MB") {
		t.Errorf("error %q does not name both folder and space", text)
	}
}
