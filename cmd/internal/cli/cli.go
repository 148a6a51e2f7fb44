// Package cli is the command line of both programs: how a mistake is reported, what the exit code
// says, and how a program stops. A program hands its commands to [Main]; a command declares its
// arguments with [Args] and reports wrong use with [Usagef] and advice with [Hint].
//
// The rules:
//
//   - Standard output carries the result. Everything else goes to standard error.
//   - An error is one line: "PROGRAM: error: what was attempted: why". A configuration with several
//     problems prints one such line for each of them.
//   - If the user can do something about it, "PROGRAM: hint: ..." follows, with a command where
//     there is one. Errors of other packages bring their hint along (internal/hint).
//   - A wrong command line names the command, the argument and the flag. Texts of cobra, pflag and
//     strconv never reach the user.
//   - No capital letter at the beginning, no period at the end.
//   - The exit code is one of [OK], [Failed] and [Misused].
//   - The first Ctrl-C or SIGTERM cancels the context, the second one ends the process at once.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"tirewatch/cmd/internal/version"
	"tirewatch/internal/hint"
)

// Exit codes.
const (
	OK      = 0 // the work is done
	Failed  = 1 // the work failed
	Misused = 2 // wrong command line, or wrong configuration of a station: a retry cannot help
)

// Main runs the command line of this process and ends it.
func Main(root *cobra.Command) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // from then on a signal ends the process
	code := Run(ctx, root, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Run executes a command line, prints its error and returns the exit code.
func Run(ctx context.Context, root *cobra.Command, args []string, stdout, stderr io.Writer) int {
	err := Execute(ctx, root, args, stdout, stderr)
	if err == nil {
		return OK
	}
	for line := range strings.Lines(text(err)) {
		fmt.Fprintf(stderr, "%s: error: %s\n", root.Name(), strings.TrimSuffix(line, "\n"))
	}
	if advice := hint.Of(err); advice != "" {
		fmt.Fprintf(stderr, "%s: hint: %s\n", root.Name(), advice)
	}
	if errors.As(err, new(*UsageError)) {
		return Misused
	}
	return Failed
}

// text is the message of an error. The two messages of package context are replaced, because users
// do not know what a context is.
func text(err error) string {
	message := err.Error()
	for cause, words := range map[error]string{context.Canceled: "interrupted", context.DeadlineExceeded: "timed out"} {
		if errors.Is(err, cause) {
			message = strings.ReplaceAll(message, cause.Error(), words)
		}
	}
	return message
}

// Execute is Run for callers that handle the error themselves: a command that runs other commands,
// and tests.
func Execute(ctx context.Context, root *cobra.Command, args []string, stdout, stderr io.Writer) error {
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	prepare(root)
	c, err := root.ExecuteContextC(ctx)
	if errors.As(err, new(*UsageError)) && hint.Of(err) == "" {
		return Hint(err, "see "+c.CommandPath()+" --help")
	}
	return err
}

// prepare applies the rules to root and every command below it.
func prepare(root *cobra.Command) {
	root.Version = version.Details()
	root.SetVersionTemplate("{{.Name}} version {{.Version}}")
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetFlagErrorFunc(flagError)
	if !root.HasSubCommands() {
		return
	}
	root.InitDefaultCompletionCmd()
	root.InitDefaultHelpCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Short, c.RunE = "Show the help of a command", showHelp
		case "completion":
			for _, shell := range c.Commands() {
				shell.Args = Args()
			}
		}
	}
	prepareTree(root)
}

// prepareTree lets commands without arguments refuse them. A command that only groups others shows
// its help when it is called alone.
func prepareTree(c *cobra.Command) {
	switch {
	case c.HasSubCommands():
		c.Args = noUnknownCommand
		if !c.Runnable() {
			c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
		}
	case c.Args == nil && c.Name() != "help":
		c.Args = Args()
	}
	for _, sub := range c.Commands() {
		prepareTree(sub)
	}
}

// showHelp is the command help.
func showHelp(help *cobra.Command, args []string) error {
	c, rest, err := help.Root().Find(args)
	switch {
	case err != nil:
		return &UsageError{err}
	case len(rest) > 0 && c.HasSubCommands():
		return unknownCommand(c, rest[0])
	}
	c.InitDefaultHelpFlag()
	c.InitDefaultVersionFlag()
	return c.Help()
}

// UsageError is a wrong command line, or a wrong configuration of a station: exit code [Misused].
type UsageError struct{ err error }

// Usage marks err as a UsageError.
func Usage(err error) error { return &UsageError{err} }

// Usagef makes a UsageError. Without a [Hint] the user is sent to the command's --help.
func Usagef(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }

func (e *UsageError) Error() string { return e.err.Error() }
func (e *UsageError) Unwrap() error { return e.err }

// hinted is an error with advice, for hint.Of.
type hinted struct {
	err    error
	advice string
}

func (e *hinted) Error() string { return e.err.Error() }
func (e *hinted) Unwrap() error { return e.err }
func (e *hinted) Hint() string  { return e.advice }

// Hint adds to err what the user can do about it. A nil error stays nil.
func Hint(err error, advice string) error {
	if err == nil {
		return nil
	}
	return &hinted{err, advice}
}

// JSON prints v for programs: indented, one value.
func JSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// Terminal returns the file of a reader or writer, and whether it is a terminal.
func Terminal(stream any) (f *os.File, ok bool) {
	f, ok = stream.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}
