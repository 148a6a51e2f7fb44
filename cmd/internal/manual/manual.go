// Package manual writes what a package ships beside a program: its manual pages and the completions
// of three shells.
//
// The programs call it only when they are built with the tag `manual`, so that what stations run
// holds no generator:
//
//	go run -tags manual ./cmd/tirewatch manual DIR
package manual

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// OnDemand writes what a package ships when the command line is `manual DIR`, and ends the program
// then.
func OnDemand(root *cobra.Command, section string) {
	if len(os.Args) != 3 || os.Args[1] != "manual" {
		return
	}
	if err := Write(root, section, os.Args[2]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: error: %v\n", root.Name(), err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Write fills dir with one page for root and for each of its commands, and with the completions
// NAME, _NAME and NAME.fish. section is 1 for programs that everybody runs and 8 for daemons.
func Write(root *cobra.Command, section, dir string) error {
	man := filepath.Join(dir, "man"+section)
	if err := os.MkdirAll(man, 0o755); err != nil {
		return err
	}
	name := root.Name()
	root.DisableAutoGenTag = true
	indent(root)
	// The date is the one of SOURCE_DATE_EPOCH, so that the same commit gives the same page.
	return errors.Join(
		root.GenBashCompletionFileV2(filepath.Join(dir, name), true),
		root.GenZshCompletionFile(filepath.Join(dir, "_"+name)),
		root.GenFishCompletionFile(filepath.Join(dir, name+".fish"), true),
		doc.GenManTree(root, &doc.GenManHeader{Section: section, Source: "tirewatch", Manual: "tirewatch"}, man),
	)
}

// indent makes Markdown of the texts. Help indents its examples by two spaces, which Markdown would
// flow into one paragraph.
func indent(c *cobra.Command) {
	var b strings.Builder
	for line := range strings.Lines(c.Long) {
		if strings.HasPrefix(line, "  ") {
			b.WriteString("  ")
		}
		b.WriteString(line)
	}
	c.Long = b.String()
	for _, sub := range c.Commands() {
		indent(sub)
	}
}
