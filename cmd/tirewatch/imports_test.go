package main

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// floors is the import rule: a package may import its own group and those on lower floors. Groups
// of one floor do not know each other, except that quantize may import trainer.
var floors = [][]string{
	{"internal"},
	{"vision"},
	{"trainer", "quantize", "agent"},
	{"cmd", "bench", "firmware-config", "systemd"},
}

// importAllowed reports whether a package of one top-level folder may import a package of another,
// directly or indirectly.
func importAllowed(from, to string) bool {
	floor := func(name string) int {
		return slices.IndexFunc(floors, func(names []string) bool { return slices.Contains(names, name) })
	}
	return from == to || floor(to) >= 0 && floor(to) < floor(from) || from == "quantize" && to == "trainer"
}

// onlyImporter names the only package that imports a heavy library. A name that ends with /
// includes all packages below it.
var onlyImporter = map[string]string{
	"gocv.io/x/gocv":                      "tirewatch/vision/camera",
	"github.com/eclipse/paho.mqtt.golang": "tirewatch/agent/uplink",
	"gorgonia.org/":                       "tirewatch/trainer/",
}

func matches(pattern, path string) bool {
	return pattern == path || strings.HasSuffix(pattern, "/") && strings.HasPrefix(path+"/", pattern)
}

// packages lists the packages of both modules as `path: imports`, with the tag opencv, so that
// files with this tag are checked too.
func packages(t *testing.T, format string) map[string][]string {
	t.Helper()
	lists := map[string][]string{}
	for _, module := range []string{"../..", "../../bench"} {
		cmd := exec.Command("go", "list", "-tags", "opencv", "-f", "{{.ImportPath}} {{join "+format+" \" \"}}", "./...")
		cmd.Dir = filepath.FromSlash(module)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v in %s: %v", cmd, module, err)
		}
		for line := range strings.Lines(string(out)) {
			words := strings.Fields(line)
			lists[words[0]] = words[1:]
		}
	}
	return lists
}

// topFolder returns trainer for tirewatch/trainer/nn, and nothing for a package of another module.
func topFolder(path string) string {
	rest, ours := strings.CutPrefix(path, "tirewatch/")
	if !ours {
		return ""
	}
	folder, _, _ := strings.Cut(rest, "/")
	return folder
}

func TestImportsPointDown(t *testing.T) {
	for path, deps := range packages(t, ".Deps") {
		for _, dep := range deps {
			if to := topFolder(dep); to != "" && !importAllowed(topFolder(path), to) {
				t.Errorf("%s depends on %s, which is not below it", path, dep)
			}
		}
	}
}

func TestHeavyLibrariesHaveOneImporter(t *testing.T) {
	for path, imports := range packages(t, ".Imports") {
		for _, dep := range imports {
			for library, importer := range onlyImporter {
				if matches(library, dep) && !matches(importer, path) {
					t.Errorf("%s imports %s, only %s may", path, dep, importer)
				}
			}
		}
	}
}

// The rule keeps the toolbox and the station apart.
func TestImportRule(t *testing.T) {
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"vision", "internal", true},
		{"vision", "vision", true},
		{"internal", "vision", false},
		{"quantize", "trainer", true},
		{"trainer", "quantize", false},
		{"agent", "trainer", false},
		{"agent", "quantize", false},
		{"trainer", "agent", false},
		{"cmd", "agent", true},
		{"bench", "quantize", true},
		{"agent", "cmd", false},
		{"cmd", "bench", false},
		{"vision", "elsewhere", false},
	} {
		if got := importAllowed(c.from, c.to); got != c.want {
			t.Errorf("%s imports %s: allowed %v, want %v", c.from, c.to, got, c.want)
		}
	}
}
