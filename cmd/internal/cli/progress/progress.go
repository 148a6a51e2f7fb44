// Package progress shows long work on standard error: a bar on a terminal, a plain line now and
// then in a log. Start with [New], or with [Follow] where the amount of work is known only later.
//
// It is apart from package cli because the station's daemon shows no progress and does without the
// library that draws the bar.
package progress

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"tirewatch/cmd/internal/cli"
)

// interval is the time between plain lines.
const interval = 10 * time.Second

// Display is the progress of one piece of work. End it with Done or Clear.
type Display struct {
	label string
	total int
	out   io.Writer
	bar   *progressbar.ProgressBar // nil without a terminal
	next  time.Time                // of the next plain line
	last  int
}

// New starts the display of work of total steps.
func New(cmd *cobra.Command, label string, total int) *Display {
	d := &Display{label: label, total: total, out: cmd.ErrOrStderr(), next: time.Now().Add(interval)}
	if _, ok := cli.Terminal(d.out); ok {
		d.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(d.out),
			progressbar.OptionSetDescription(label),
			progressbar.OptionShowCount(), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionClearOnFinish(), progressbar.OptionFullWidth())
	}
	return d
}

// Set says how many steps are done.
func (d *Display) Set(done int) {
	d.last = done
	if d.bar != nil {
		d.bar.Set(done)
		return
	}
	if now := time.Now(); now.After(d.next) {
		d.next = now.Add(interval)
		fmt.Fprintf(d.out, "%s: %d of %d\n", d.label, done, d.total)
	}
}

// Clear ends the display without a line, for callers that print their own. A nil Display does
// nothing.
func (d *Display) Clear() {
	if d != nil && d.bar != nil {
		d.bar.Finish()
	}
}

// Done ends the display. Without a bar it prints a last line. A nil Display does nothing.
func (d *Display) Done() {
	d.Clear()
	if d != nil && d.bar == nil {
		fmt.Fprintf(d.out, "%s: %d of %d, done\n", d.label, d.last, d.total)
	}
}

// Follow displays work whose amount is known at its first step: advance goes to the work, done is
// called after it.
func Follow(cmd *cobra.Command, label string) (advance func(done, total int), done func()) {
	var d *Display
	advance = func(done, total int) {
		if d == nil {
			d = New(cmd, label, total)
		}
		d.Set(done)
	}
	return advance, func() { d.Done() }
}
