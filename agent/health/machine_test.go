package health

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestHottest(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"zone0": "41000\n", "zone1": "63500\n", "zone2": "off\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if c, ok := hottest(filepath.Join(dir, "zone*")); !ok || c != 63.5 {
		t.Errorf("%g, %v; want 63.5", c, ok)
	}
	if _, ok := hottest(filepath.Join(dir, "none*")); ok {
		t.Error("a temperature without a sensor")
	}
}

// This test needs a Linux machine with a disk.
func TestThisMachine(t *testing.T) {
	held := bytes.Repeat([]byte{1}, 64<<20)
	if n, ok := Memory(); !ok || n < uint64(len(held)) || n > 64<<30 {
		t.Errorf("with %d bytes in use, Memory returns %d, %v", len(held), n, ok)
	}
	runtime.KeepAlive(held)
	dir := t.TempDir()
	if n, err := DiskFree(dir); err != nil || n == 0 {
		t.Errorf("the disk of this test has %d bytes free, %v", n, err)
	}
	if _, err := DiskFree(filepath.Join(dir, "none")); err == nil {
		t.Error("no error for a missing folder")
	}
}
