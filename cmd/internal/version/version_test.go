package version

import (
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
)

func TestDetails(t *testing.T) {
	settings := func(pairs ...string) (all []debug.BuildSetting) {
		for i := 0; i < len(pairs); i += 2 {
			all = append(all, debug.BuildSetting{Key: pairs[i], Value: pairs[i+1]})
		}
		return all
	}
	for _, c := range []struct {
		name, release string
		info          *debug.BuildInfo
		want          string
	}{
		{"a package", "1.2.3", &debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "v1.2.3"}, Settings: settings(
			"-tags", "opencv,customenv", "-trimpath", "true", "CGO_ENABLED", "1", "GOOS", "linux", "GOARCH", "arm64", "GOARM64", "v8.0",
			"vcs.revision", "bcab3d0", "vcs.time", "2026-11-26T10:00:00Z", "vcs.modified", "false")},
			"1.2.3\ncommit   bcab3d0, 2026-11-26T10:00:00Z\nbuilt    by go1.26.8 for linux/arm64 v8.0, cgo on, tags opencv,customenv, trimpath\n"},
		{"a developer's build", "", &debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "v0.0.0-2026+dirty"}, Settings: settings(
			"CGO_ENABLED", "0", "GOOS", "linux", "GOARCH", "arm", "GOARM", "7",
			"vcs.revision", "bcab3d0", "vcs.time", "2026-11-26T10:00:00Z", "vcs.modified", "true")},
			"v0.0.0-2026+dirty\ncommit   bcab3d0, 2026-11-26T10:00:00Z, with uncommitted changes\n" +
				"built    by go1.26.8 for linux/arm 7, cgo off, tags none\n"},
		{"from an archive", "", &debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "(devel)"},
			Settings: settings("CGO_ENABLED", "0", "GOOS", "linux", "GOARCH", "amd64", "GOAMD64", "v1")},
			"(devel)\ncommit   unknown: built outside the repository, or with -buildvcs=false\n" +
				"built    by go1.26.8 for linux/amd64 v1, cgo off, tags none\n"},
		{"no module", "", nil, "(unknown)\n"},
	} {
		if got := details(c.release, c.info); got != c.want {
			t.Errorf("%s: got\n%swant\n%s", c.name, got, c.want)
		}
	}
}

// The Makefile contains the name of the variable for -X: the programs must print the version that
// the linker got.
func TestLinkerSetsTheRelease(t *testing.T) {
	dir := t.TempDir()
	build := exec.Command("go", "build", "-ldflags", "-X tirewatch/cmd/internal/version.release=7.8.9", "-o", dir, "tirewatch/cmd/...")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", build, err, out)
	}
	for _, program := range []string{"tirewatch", "tirewatch-agent"} {
		out, err := exec.Command(filepath.Join(dir, program), "--version").Output()
		if want := program + " version 7.8.9\ncommit   "; err != nil || !strings.HasPrefix(string(out), want) {
			t.Errorf("%s --version: %v, %q, want %q...", program, err, out, want)
		}
	}
}
