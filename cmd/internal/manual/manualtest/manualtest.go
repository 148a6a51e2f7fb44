// Package manualtest holds the manual pages of a program against its commands and its sources.
package manualtest

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"tirewatch/cmd/internal/cli"
	"tirewatch/cmd/internal/manual"
)

// Pages wants the sections EXIT STATUS, FILES and ENVIRONMENT on the page of each command, in this
// order and not empty, and all exit codes.
func Pages(t *testing.T, root *cobra.Command, section string) {
	t.Helper()
	page, err := manual.Page(root, section)
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for _, title := range []string{"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "FILES", "ENVIRONMENT", "EXAMPLE", "SEE ALSO"} {
		i := bytes.Index(page, []byte(".SH "+title+"\n"))
		switch optional := title == "OPTIONS" || title == "EXAMPLE" || title == "SEE ALSO"; {
		case i < 0 && !optional:
			t.Errorf("%s: the page has no section %s", root.CommandPath(), title)
		case i >= 0 && i < at:
			t.Errorf("%s: section %s is in the wrong place", root.CommandPath(), title)
		case i >= 0:
			at = i
			if body, _, _ := bytes.Cut(page[i+len(title)+5:], []byte("\n.SH")); len(bytes.TrimSpace(body)) == 0 {
				t.Errorf("%s: section %s is empty", root.CommandPath(), title)
			}
		}
	}
	if codes := cli.ExitCodes(root); len(codes) != 3 {
		t.Errorf("%s: exit codes %v", root.CommandPath(), codes)
	}
	for _, sub := range root.Commands() {
		Pages(t, sub, section)
	}
}

// reads finds where a program reads a variable: os.Getenv("NAME") or os.Getenv(name).
var reads = regexp.MustCompile(`os\.(?:Getenv|LookupEnv)\(([\w"]+)\)`)

// Environment wants every variable that the sources in folders read to be on the page of root.
// Folders are relative to the root of the module.
func Environment(t *testing.T, root *cobra.Command, folders ...string) {
	t.Helper()
	named := map[string]bool{}
	for _, n := range cli.EnvironmentOf(root) {
		named[n.Name] = true
	}
	found := 0
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join("..", "..", folder), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() && d.Name() == "manual" {
				return filepath.SkipDir // it makes the pages and is not part of the program
			}
			test := strings.HasSuffix(path, "_test.go") || strings.HasSuffix(filepath.Dir(path), "test")
			if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || test {
				return err
			}
			source, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, m := range reads.FindAllSubmatch(source, -1) {
				found++
				if name := value(source, string(m[1])); !named[name] {
					t.Errorf("%s reads %s, which is not on the manual page of %s", path, name, root.Name())
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if found == 0 {
		t.Errorf("no variable is read in %v", folders)
	}
}

// value returns the text of a literal, or of a constant of the same file.
func value(source []byte, argument string) string {
	if name, ok := strings.CutPrefix(argument, `"`); ok {
		return strings.TrimSuffix(name, `"`)
	}
	constant := regexp.MustCompile(`\b` + argument + `\s*=\s*"(\w+)"`)
	if m := constant.FindSubmatch(source); m != nil {
		return string(m[1])
	}
	return argument
}
