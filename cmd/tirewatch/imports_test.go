package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// goList gives the words that `go list` prints, with the tag that lets OpenCV in, so that nothing hides behind it.
func goList(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-tags", "opencv"}, args...)...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
	return strings.Fields(string(out))
}

// Imports point one way: vision < trainer < quantize < agent < cmd.
func TestImportsPointOneWay(t *testing.T) {
	order := []string{"vision", "trainer", "quantize", "agent", "cmd"}
	for i, folder := range order {
		for _, dep := range goList(t, "-deps", "tirewatch/"+folder+"/...") {
			for _, above := range order[i+1:] {
				if strings.HasPrefix(dep, "tirewatch/"+above+"/") || dep == "tirewatch/"+above {
					t.Errorf("%s depends on %s", folder, dep)
				}
			}
		}
	}
}

// Heavy packages stay where they belong.
func TestImportsStayInTheirPlace(t *testing.T) {
	for _, c := range []struct {
		where  string   // whose dependencies
		banned []string // prefixes of import paths
	}{
		{"tirewatch/cmd/tirewatch-agent", []string{"tirewatch/trainer", "gorgonia.org/"}},
		{"tirewatch/quantize/bundle", []string{"tirewatch/trainer", "gorgonia.org/"}},
		{"tirewatch/cmd/tirewatch", []string{"gocv.io/"}},
		{"tirewatch/trainer/...", []string{"gocv.io/", "github.com/eclipse/paho.mqtt.golang"}},
		{"tirewatch/quantize/...", []string{"gocv.io/", "github.com/eclipse/paho.mqtt.golang"}},
	} {
		for _, dep := range goList(t, "-deps", c.where) {
			for _, b := range c.banned {
				if strings.HasPrefix(dep, b) {
					t.Errorf("%s depends on %s", c.where, dep)
				}
			}
		}
	}
	for dep, allowed := range map[string][]string{
		"gocv.io/x/gocv":                      {"tirewatch/vision/camera", "tirewatch/vision/locate"},
		"github.com/eclipse/paho.mqtt.golang": {"tirewatch/agent/uplink"},
	} {
		for _, line := range strings.Split(strings.Join(goList(t, "-f", "{{.ImportPath}}:{{join .Imports \",\"}}", "tirewatch/..."), "\n"), "\n") {
			pkg, imports, _ := strings.Cut(line, ":")
			if slices.Contains(strings.Split(imports, ","), dep) && !slices.Contains(allowed, pkg) {
				t.Errorf("%s imports %s, allowed are %v", pkg, dep, allowed)
			}
		}
	}
}
