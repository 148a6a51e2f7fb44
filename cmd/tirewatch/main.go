// Command tirewatch is the technician's toolbox: data sets, training, quantizing, signing and
// pushing models.
//
// Only flags and wiring live here. Standard output is the product, standard error is speech; the
// exit code is 0 for done, 1 for failed and 2 for misused.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"tirewatch/cmd/internal/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// Exit codes.
const (
	exitDone    = 0
	exitFailed  = 1
	exitMisused = 2
)

// run carries out one command line and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRootCmd()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	fmt.Fprintf(stderr, "tirewatch: error: %v\n", err)
	var h *hintError
	if errors.As(err, &h) {
		fmt.Fprintf(stderr, "tirewatch: hint: %s\n", h.hint)
	}
	var u *usageError
	if errors.As(err, &u) {
		return exitMisused
	}
	return exitFailed
}

func newRootCmd() *cobra.Command {
	root := &cobra.Command{
		Use:   "tirewatch",
		Short: "Train, quantize, sign and push tire inspection models",
		Long: `tirewatch is the technician's toolbox for tire inspection stations.

From photographs to a station, in five commands:

  tirewatch dataset check photos/
  tirewatch train photos/ --out runs/monday
  tirewatch keygen plant.key
  tirewatch quantize runs/monday/best.ckpt --calibration photos/ --key plant.key -o monday.tire
  tirewatch push monday.tire --broker mqtt://broker:1883 --station hamburg/line1/station3`,
		Version:       version.Details(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
	}
	root.SetVersionTemplate("{{.Name}} version {{.Version}}")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return withHint(&usageError{err}, fmt.Sprintf("%s --help shows the flags and examples", c.CommandPath()))
	})
	root.AddCommand(commands()...)
	prepare(root)
	return root
}

// prepare goes over c and every command below it: wrong arguments exit with 2 and point to the
// help, and a command that only groups others shows its help when it is called alone, but refuses
// an unknown word.
func prepare(c *cobra.Command) {
	if !c.Runnable() {
		c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	}
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return withHint(&usageError{err}, usageHint(c, args))
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		prepare(sub)
	}
}

// usageHint says what may have been meant.
func usageHint(c *cobra.Command, args []string) string {
	if c.HasSubCommands() && len(args) > 0 {
		c.SuggestionsMinimumDistance = 2
		if similar := c.SuggestionsFor(args[0]); len(similar) > 0 {
			return fmt.Sprintf("did you mean %s %s?", c.CommandPath(), similar[0])
		}
	}
	return fmt.Sprintf("%s --help shows the arguments and examples", c.CommandPath())
}
