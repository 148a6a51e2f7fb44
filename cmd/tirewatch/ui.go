package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"tirewatch/internal/durable"
)

// hintError carries a line that tells what to do about the error.
type hintError struct {
	err  error
	hint string
}

func (e *hintError) Error() string { return e.err.Error() }
func (e *hintError) Unwrap() error { return e.err }

// withHint adds what to do to an error; nil stays nil.
func withHint(err error, hint string) error {
	if err == nil {
		return nil
	}
	return &hintError{err, hint}
}

// usageError marks a command line that makes no sense: exit code 2.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// writeJSON prints v on standard output for programs.
func writeJSON(cmd *cobra.Command, v any) error {
	e := json.NewEncoder(cmd.OutOrStdout())
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// writePNG writes a picture whole or not at all.
func writePNG(path string, img image.Image) error {
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return fmt.Errorf("draw %s: %w", path, err)
	}
	return durable.WriteFile(path, b.Bytes(), 0o644)
}

// isTerminal tells whether a person watches w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// progress shows long work on standard error: a bar on a terminal, else a plain line now and then.
type progress struct {
	label string
	total int
	out   io.Writer
	bar   *progressbar.ProgressBar // nil without a terminal
	next  time.Time                // of the next plain line
	last  int
}

// plainInterval is the time between plain progress lines, long enough for a log file.
const plainInterval = 10 * time.Second

// newProgress starts the display of work of total steps. End it with Done.
func newProgress(cmd *cobra.Command, label string, total int) *progress {
	p := &progress{label: label, total: total, out: cmd.ErrOrStderr(), next: time.Now().Add(plainInterval)}
	if isTerminal(p.out) {
		p.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(p.out), progressbar.OptionSetDescription(label),
			progressbar.OptionShowCount(), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionClearOnFinish(), progressbar.OptionFullWidth())
	}
	return p
}

// Set tells how many steps are done.
func (p *progress) Set(done int) {
	p.last = done
	if p.bar != nil {
		p.bar.Set(done)
		return
	}
	if now := time.Now(); now.After(p.next) {
		p.next = now.Add(plainInterval)
		fmt.Fprintf(p.out, "%s: %d of %d\n", p.label, done, p.total)
	}
}

// clear ends the display without a word, for work whose caller prints a line of its own. A nil
// progress shows nothing.
func (p *progress) clear() {
	if p != nil && p.bar != nil {
		p.bar.Finish()
	}
}

// Done ends the display.
func (p *progress) Done() {
	if p.bar != nil {
		p.bar.Finish()
		return
	}
	fmt.Fprintf(p.out, "%s: %d of %d, done\n", p.label, p.last, p.total)
}
