package durable_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"tirewatch/internal/durable"
)

// names lists the files of a folder, including hidden ones.
func names(t *testing.T, dir string) (n []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		n = append(n, e.Name())
	}
	return n
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWriteFileReplaces(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "best.ckpt")
	for _, text := range []string{"first", "second, longer"} {
		if err := durable.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := content(t, path); got != text {
			t.Errorf("read %q, wrote %q", got, text)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("permissions %v, error %v", info.Mode(), err)
	}
	if n := names(t, dir); len(n) != 1 {
		t.Errorf("files %v, want one", n)
	}
}

// The old content stays in place until Commit. Abort leaves no trace.
func TestOldFileStandsUntilCommit(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "slot")
	if err := durable.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := durable.Create(path, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("new")); err != nil {
		t.Fatal(err)
	}
	if got := content(t, path); got != "old" {
		t.Errorf("before the commit: %q", got)
	}
	f.Abort()
	f.Abort()
	if err := f.Commit(); err == nil {
		t.Error("committed after an abort")
	}
	if n := names(t, dir); len(n) != 1 || content(t, path) != "old" {
		t.Errorf("after the abort: files %v, content %q", n, content(t, path))
	}
}

// A rename that fails leaves no temporary file.
func TestFailedCommit(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "taken")
	if err := os.MkdirAll(filepath.Join(path, "inside"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := durable.WriteFile(path, []byte("x"), 0o644); err == nil {
		t.Fatal("replaced a folder with a file")
	}
	if n := names(t, dir); len(n) != 1 {
		t.Errorf("files %v, want the folder alone", n)
	}
	if err := durable.WriteFile(filepath.Join(dir, "no", "folder"), nil, 0o644); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want not exist", err)
	}
}

// The next start removes what a power cut left. Finished files stay.
func TestClean(t *testing.T) {
	dir := t.TempDir()
	if err := durable.WriteFile(filepath.Join(dir, "kept"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	// as if the process died here
	if _, err := durable.Create(filepath.Join(dir, "lost"), 0o644); err != nil {
		t.Fatal(err)
	}
	if n := names(t, dir); len(n) != 2 {
		t.Fatalf("files %v, want two", n)
	}
	if err := durable.Clean(dir); err != nil {
		t.Fatal(err)
	}
	if n := names(t, dir); len(n) != 1 || n[0] != "kept" {
		t.Errorf("files %v, want the finished one", n)
	}
}

// The file works without a name, and its folder is empty.
func TestNameless(t *testing.T) {
	dir := t.TempDir()
	f, err := durable.Nameless(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got := make([]byte, 4)
	if _, err := f.WriteAt([]byte("tire"), 3); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ReadAt(got, 3); err != nil || string(got) != "tire" {
		t.Errorf("read %q (%v)", got, err)
	}
	if n := names(t, dir); len(n) > 0 {
		t.Errorf("the folder holds %v", n)
	}
	if _, err := durable.Nameless(filepath.Join(dir, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a missing folder: error %v", err)
	}
}
