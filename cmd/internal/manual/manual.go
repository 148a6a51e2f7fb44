// Package manual writes what a package ships beside a program: its manual pages and the completions
// of three shells. [OnDemand] is all that a program calls, and only when it is built with the tag
// `manual`, so that the programs of stations contain no generator:
//
//	go run -tags manual ./cmd/tirewatch manual DIR
package manual

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"tirewatch/cmd/internal/cli"
)

// OnDemand writes the files and ends the program when the command line is `manual DIR`.
func OnDemand(root *cobra.Command, section string) {
	if len(os.Args) != 3 || os.Args[1] != "manual" {
		return
	}
	if err := Write(root, section, os.Args[2]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: error: %v\n", root.Name(), err)
		os.Exit(cli.Failed)
	}
	os.Exit(cli.OK)
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
	return errors.Join(
		root.GenBashCompletionFileV2(filepath.Join(dir, name), true),
		root.GenZshCompletionFile(filepath.Join(dir, "_"+name)),
		root.GenFishCompletionFile(filepath.Join(dir, name+".fish"), true),
		writePages(root, section, man),
	)
}

// writePages writes the page of c and of each command below it.
func writePages(c *cobra.Command, section, dir string) error {
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			if err := writePages(sub, section, dir); err != nil {
				return err
			}
		}
	}
	page, err := Page(c, section)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, strings.ReplaceAll(c.CommandPath(), " ", "-")+"."+section), page, 0o644)
}

// Page is the manual page of one command: cobra's, with the sections EXIT STATUS, FILES and
// ENVIRONMENT after the options, where man-pages(7) puts them. Its date is that of
// SOURCE_DATE_EPOCH, so that the same commit makes the same page.
func Page(c *cobra.Command, section string) ([]byte, error) {
	var page, more bytes.Buffer
	if err := doc.GenMan(c, &doc.GenManHeader{Section: section, Source: "tirewatch", Manual: "tirewatch"}, &page); err != nil {
		return nil, err
	}
	writeNotes(&more, "EXIT STATUS", cli.ExitCodes(c), "")
	writeNotes(&more, "FILES", cli.FilesOf(c), "Only files that the command line names.")
	writeNotes(&more, "ENVIRONMENT", cli.EnvironmentOf(c), "No variables are read.")
	for _, next := range []string{"\n.SH EXAMPLE", "\n.SH SEE ALSO"} {
		if before, after, ok := bytes.Cut(page.Bytes(), []byte(next)); ok {
			return bytes.Join([][]byte{before, []byte("\n"), more.Bytes(), []byte(next[1:]), after}, nil), nil
		}
	}
	return append(page.Bytes(), more.Bytes()...), nil
}

// writeNotes writes a section of a page in roff.
func writeNotes(w io.Writer, title string, notes []cli.Note, none string) {
	fmt.Fprintf(w, ".SH %s\n", title)
	if len(notes) == 0 {
		fmt.Fprintln(w, none)
	}
	for _, n := range notes {
		fmt.Fprintf(w, ".TP\n\\fB%s\\fP\n%s\n", roff(n.Name), roff(n.Text))
	}
}

// roff escapes a line of text. A dot or an apostrophe at the beginning would be a request.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		return `\&` + text
	}
	return text
}

// indent turns help texts into Markdown. Help indents its examples by two spaces, which Markdown
// would flow into one paragraph.
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
