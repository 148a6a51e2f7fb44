// Package basetest gives tests the pretrained base, which `make base` downloads. Without it such a
// test is skipped, or fails when REQUIRE_BASE=1 is set. The one call is [Require].
package basetest

import (
	"os"
	"path/filepath"
	"testing"

	"tirewatch/trainer/base"
)

// Require returns the base of this source folder, in bin/base. Without it the test is skipped with
// one line.
func Require(t testing.TB) *base.Found {
	t.Helper()
	path := filepath.Join(root(t), "bin", "base", base.Mobile.Name)
	found, err := base.Find(path)
	if err == nil {
		return found
	}
	if os.Getenv("REQUIRE_BASE") == "1" {
		t.Fatalf("%v, and REQUIRE_BASE=1 is set", err)
	}
	if _, statErr := os.Stat(path); os.IsNotExist(statErr) {
		t.Skip("left out, because the pretrained base is missing: make base")
	}
	t.Fatal(err)
	return nil
}

// root returns the source folder: the test may be in the module bench.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "trainer", "base", "NOTICE")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("this test runs outside of the source folder")
		}
	}
}
