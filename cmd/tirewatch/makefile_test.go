package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each target in .PHONY must have a help text, which `make help` prints: `target: ## text`. A line
// of the output must fit into 100 columns.
func TestMakeHelp(t *testing.T) {
	const root = "../.."
	makefile := readMake(t, filepath.Join(root, "Makefile"))
	if first, _, _ := strings.Cut(makefile, "\n"); !strings.Contains(first, "make help") {
		t.Errorf("the first line of the Makefile is %q, want one that names make help", first)
	}
	text := makefile
	for _, m := range regexp.MustCompile(`(?m)^include (.*)$`).FindAllStringSubmatch(makefile, -1) {
		text += readMake(t, filepath.Join(root, m[1]))
	}

	help := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z][a-z0-9%-]*):.*?## (.*)$`).FindAllStringSubmatch(text, -1) {
		if help[m[1]] != "" {
			t.Errorf("%s has two help texts", m[1])
		}
		help[m[1]] = m[2]
		if columns := len("  ") + max(len(m[1]), 20) + len(" ") + len(m[2]); columns > 100 {
			t.Errorf("the line of %s in make help has %d columns, want at most 100", m[1], columns)
		}
	}
	phony := 0
	for _, m := range regexp.MustCompile(`(?m)^\.PHONY:(.*)$`).FindAllStringSubmatch(text, -1) {
		for _, target := range strings.Fields(m[1]) {
			phony++
			if help[target] == "" {
				t.Errorf("%s has no help text: add ## and a text to the line of the target", target)
			}
		}
	}
	if phony < 30 {
		t.Errorf("%d targets in .PHONY, want 30 or more", phony)
	}
}

// readMake reads a makefile and joins continued lines.
func readMake(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(data), "\\\n", " ")
}
