// Command tirewatch-agent is the station's daemon: it watches the belt, judges each tire and tells
// the broker.
//
// Only flags and wiring live here. Standard output is the product, standard error is speech; the
// exit code is 0 for done, 1 for failed and 2 for misused.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"tirewatch/agent/config"
	"tirewatch/cmd/internal/version"
	"tirewatch/internal/hint"
	"tirewatch/vision/camera"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Exit codes.
const (
	exitDone    = 0
	exitFailed  = 1
	exitMisused = 2
)

// usageError marks a command line that makes no sense: exit code 2.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// hintError carries a line that tells what to do about the error.
type hintError struct {
	err  error
	hint string
}

func (e *hintError) Error() string { return e.err.Error() }
func (e *hintError) Unwrap() error { return e.err }
func (e *hintError) Hint() string  { return e.hint }

// withHint adds what to do to an error; nil stays nil.
func withHint(err error, hint string) error {
	if err == nil {
		return nil
	}
	return &hintError{err, hint}
}

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
	// A configuration may have many problems: each gets its line.
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(stderr, "tirewatch-agent: error: %s\n", strings.TrimSuffix(line, "\n"))
	}
	if advice := hint.Of(err); advice != "" {
		fmt.Fprintf(stderr, "tirewatch-agent: hint: %s\n", advice)
	}
	var u *usageError
	if errors.As(err, &u) {
		return exitMisused
	}
	return exitFailed
}

func newRootCmd() *cobra.Command {
	root := &cobra.Command{
		Use:   "tirewatch-agent",
		Short: "Inspect tires on a belt",
		Long: `tirewatch-agent is the daemon of a tire inspection station: it watches the belt through a
camera, judges each tire with a signed model and publishes the verdicts by MQTT.

A new station:

  sudo tirewatch-agent provision
  sudo tirewatch-agent doctor --config /etc/tirewatch/station.toml
  sudo systemctl enable --now tirewatch-agent

tirewatch-agent example prints a configuration with every key.`,
		Version:       version.Details(),
		SilenceErrors: true,
		SilenceUsage:  true,

		SuggestionsMinimumDistance: 2,
		RunE:                       lists,
		Args:                       cobra.ArbitraryArgs,
	}
	root.SetVersionTemplate("{{.Name}} version {{.Version}}")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return withHint(&usageError{err}, c.CommandPath()+" --help shows the flags and examples")
	})
	root.AddCommand(newRunCmd(), newCheckCmd(), newSelftestCmd(), newExampleCmd(), newProvisionCmd(), newDoctorCmd(), newLampTestCmd(), newAlarmCmd(), newReviewCmd(), newPasswordCmd())
	for _, c := range root.Commands() {
		if c.Args == nil {
			c.Args = noArguments
		}
	}
	return root
}

// lists is what a command without a word says, and what one with a wrong word is told.
func lists(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	hint := cmd.CommandPath() + " --help lists the commands"
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean " + cmd.CommandPath() + " " + near[0] + "?"
	}
	return withHint(&usageError{fmt.Errorf("unknown command %q", args[0])}, hint)
}

// noArguments refuses what is no flag.
func noArguments(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return withHint(&usageError{fmt.Errorf("unexpected argument %q", args[0])}, c.CommandPath()+" --help shows the flags and examples")
	}
	return nil
}

// loadConfig reads the file of --config.
func loadConfig(path string) (*config.Config, error) {
	if path == "" {
		return nil, withHint(&usageError{errors.New("no configuration given")}, "name it with --config station.toml; tirewatch-agent example prints one")
	}
	cfg, err := config.Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, withHint(err, "tirewatch-agent example prints a configuration to start from")
	}
	return cfg, err
}

func newExampleCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "example",
		Short:   "Print a configuration to start from",
		Example: "  tirewatch-agent example > station.toml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := io.WriteString(cmd.OutOrStdout(), config.Example())
			return err
		},
	}
}

// sourceWords says in plain words where frames come from.
func sourceWords(c config.Camera) string {
	loc, err := camera.ParseLocation(string(c.Source))
	if err != nil {
		return string(c.Source)
	}
	words := map[camera.Kind]string{
		camera.V4L2: "the camera " + loc.Target, camera.GStreamer: "the pipeline " + loc.Target, camera.RTSP: "the network camera " + loc.String(),
		camera.File: "the video " + loc.Target, camera.Folder: "the images of " + loc.Target,
	}[loc.Kind]
	if loc.Kind == camera.V4L2 && c.Width > 0 && c.Height > 0 {
		words += fmt.Sprintf(", %d x %d px", c.Width, c.Height)
	}
	if loc.Kind == camera.V4L2 && c.FPS > 0 {
		words += fmt.Sprintf(", %d frames per second", c.FPS)
	}
	if loc.Kind == camera.V4L2 && c.FourCC != "" {
		words += ", as " + c.FourCC
	}
	for _, s := range []struct {
		name  string
		value *int
	}{{"exposure", c.Exposure}, {"gain", c.Gain}, {"white balance", c.WhiteBalance}, {"focus", c.Focus}} {
		if s.value != nil {
			words += fmt.Sprintf(", %s locked at %d", s.name, *s.value)
		}
	}
	if loc.Kind == camera.RTSP && c.LowLatency {
		words += ", with low latency"
	}
	if !loc.Live() && c.Realtime {
		words += ", at its own pace"
	}
	if !loc.Live() && c.Loop {
		words += ", over and over"
	}
	return words
}
