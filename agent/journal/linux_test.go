//go:build linux

package journal_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tirewatch/agent/journal"
)

// nobody is a user without files.
const nobody = 65534

func TestReadOnlyFolder(t *testing.T) {
	for _, existing := range []bool{false, true} {
		dir, err := os.MkdirTemp("", "journal")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Chmod(dir, 0o700); os.RemoveAll(dir) })
		path := filepath.Join(dir, "journal.db")
		if existing {
			j := open(t, path)
			appendN(t, j, 1)
			j.Close()
		}
		if err := os.Chmod(dir, 0o555); err != nil {
			t.Fatal(err)
		}
		cmd := child("open", path)
		if os.Geteuid() == 0 { // nothing is read-only for root
			copied := filepath.Join(t.TempDir(), "test")
			program, err := os.ReadFile(os.Args[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(copied, program, 0o755); err != nil {
				t.Fatal(err)
			}
			for d := filepath.Dir(copied); d != filepath.Clean(os.TempDir()); d = filepath.Dir(d) {
				if err := os.Chmod(d, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			cmd.Path, cmd.Dir = copied, "/"
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		}
		out, err := cmd.Output()
		if err != nil || !strings.HasPrefix(string(out), "read-only: ") || !strings.Contains(string(out), path) {
			t.Errorf("existing %v: got %q, %v", existing, out, err)
		}
	}
}

// On a full disk Append fails and nothing is lost; with room again the numbers continue without a
// gap.
func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount a small file system")
	}
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 300<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "journal.db")
	j := open(t, path)
	stored := 0
	for {
		v := aVerdict()
		if err := j.Append(v); err != nil {
			if !errors.Is(err, journal.ErrFull) || v.Seq != 0 || strings.Contains(err.Error(), "(13)") {
				t.Fatalf("after %d verdicts: number %d, %v", stored, v.Seq, err)
			}
			break
		}
		stored++
	}
	if stored == 0 {
		t.Fatal("the disk was full from the start")
	}
	if got := pending(t, j, 0, 1<<20); len(got) != stored {
		t.Errorf("%d of %d verdicts can be read on the full disk", len(got), stored)
	}
	// On a full disk retention works or fails, but loses nothing.
	if s, err := j.Sweep(journal.Limits{Bytes: 1 << 30}, 0); err != nil && !errors.Is(err, journal.ErrFull) || s.Deleted > 0 {
		t.Errorf("sweep: %+v, %v", s, err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	appendN(t, j, 10)
	if err := j.MarkAcked(1, 2); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, path)
	got := pending(t, j, 0, 1<<20)
	if len(got) != stored+8 || got[0] != 3 || got[len(got)-1] != uint64(stored+10) {
		t.Errorf("%d verdicts pending, want %d", len(got), stored+8)
	}
}

// On a full disk crops are deleted to make room for verdicts.
func TestFullDiskDeletesCrops(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount a small file system")
	}
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=3m"); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	path := filepath.Join(dir, "journal.db")
	j := open(t, path)
	for range 15 {
		withCrop(t, j, 100<<10)
	}
	f, err := os.Create(filepath.Join(dir, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if _, err := j.SaveCrop(make([]byte, 100<<10)); !errors.Is(err, journal.ErrFull) {
		t.Errorf("a crop on the full disk: %v", err)
	}
	for stored, failed := 0, 0; stored < 50; {
		switch err := j.Append(aVerdict()); {
		case err == nil:
			stored++
		case errors.Is(err, journal.ErrFull) && failed == 0:
			failed++
		default:
			t.Fatalf("after %d verdicts and %d refusals: %v", stored, failed, err)
		}
	}
	if got := crops(t, path); len(got) != 0 {
		t.Errorf("left are %v", got)
	}
}
