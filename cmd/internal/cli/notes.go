package cli

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// Note is an entry of a manual page: a file, a variable or an exit code, and what it is for. The
// pages have them in the sections EXIT STATUS, FILES and ENVIRONMENT; --help does not show them.
type Note struct{ Name, Text string }

// Keys of cobra.Command.Annotations. A value has a line for each note, name and text separated by
// a tab.
const (
	exitNotes        = "exit"
	fileNotes        = "files"
	environmentNotes = "environment"
)

// ExitCode says what an exit code means for one command, where [ExitCodes] is not exact enough.
func ExitCode(c *cobra.Command, code int, text string) {
	addNotes(c, exitNotes, Note{strconv.Itoa(code), text})
}

// Files declares files that a command reads or writes beside those of its arguments.
func Files(c *cobra.Command, notes ...Note) { addNotes(c, fileNotes, notes...) }

// Environment declares variables that a command reads.
func Environment(c *cobra.Command, notes ...Note) { addNotes(c, environmentNotes, notes...) }

func addNotes(c *cobra.Command, key string, notes ...Note) {
	if c.Annotations == nil {
		c.Annotations = map[string]string{}
	}
	for _, n := range notes {
		c.Annotations[key] += n.Name + "\t" + n.Text + "\n"
	}
}

// ExitCodes are the exit codes of a command.
func ExitCodes(c *cobra.Command) []Note {
	codes := []Note{
		{strconv.Itoa(OK), "The command has done its work."},
		{strconv.Itoa(Failed), "It failed. Standard error says why."},
		{strconv.Itoa(Misused), "The command line is wrong. Nothing was done."},
	}
	for _, own := range notesOf(c, exitNotes) {
		for i := range codes {
			if codes[i].Name == own.Name {
				codes[i].Text = own.Text
			}
		}
	}
	return codes
}

// FilesOf returns the files of a command and of all commands below it, each once.
func FilesOf(c *cobra.Command) []Note { return collect(c, fileNotes, nil) }

// EnvironmentOf returns the variables of a command and of all commands below it, each once.
func EnvironmentOf(c *cobra.Command) []Note { return collect(c, environmentNotes, nil) }

func collect(c *cobra.Command, key string, all []Note) []Note {
	for _, n := range notesOf(c, key) {
		known := false
		for _, have := range all {
			known = known || have.Name == n.Name
		}
		if !known {
			all = append(all, n)
		}
	}
	for _, sub := range c.Commands() {
		all = collect(sub, key, all)
	}
	return all
}

func notesOf(c *cobra.Command, key string) (notes []Note) {
	for line := range strings.Lines(c.Annotations[key]) {
		name, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		notes = append(notes, Note{name, text})
	}
	return notes
}
