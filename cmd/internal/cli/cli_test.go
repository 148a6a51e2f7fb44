package cli_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"tirewatch/cmd/internal/cli"
)

// belt is a small program.
func belt(run func(c *cobra.Command) error) *cobra.Command {
	root := &cobra.Command{Use: "belt", Short: "Watch a belt"}
	start := &cobra.Command{Use: "start DIR [SPEED]", Short: "Start the belt", Args: cli.Args("DIR", "[SPEED]"),
		RunE: func(c *cobra.Command, _ []string) error { return run(c) }}
	start.Flags().Int("speed", 3, "tires a minute")
	start.Flags().String("log", "", "file to write")
	root.AddCommand(start)
	return root
}

func ExampleRun() {
	root := belt(func(c *cobra.Command) error {
		return cli.Hint(errors.New("open /dev/belt0: no such device"), "switch the belt on")
	})
	code := cli.Run(context.Background(), root, []string{"start", "hall"}, os.Stdout, os.Stdout)
	fmt.Println("exit code", code)
	// Output:
	// belt: error: open /dev/belt0: no such device
	// belt: hint: switch the belt on
	// exit code 1
}

func ExampleRun_wrongUse() {
	code := cli.Run(context.Background(), belt(nil), []string{"start", "--speed", "fast"}, os.Stdout, os.Stdout)
	fmt.Println("exit code", code)
	code = cli.Run(context.Background(), belt(nil), []string{"strat"}, os.Stdout, os.Stdout)
	fmt.Println("exit code", code)
	// Output:
	// belt: error: start: --speed "fast": want a whole number
	// belt: hint: see belt start --help
	// exit code 2
	// belt: error: unknown command "strat"
	// belt: hint: did you mean belt start?
	// exit code 2
}

// cold is an error of another package that knows its hint.
type cold struct{}

func (cold) Error() string { return "the belt is frozen" }
func (cold) Hint() string  { return "heat the hall" }

func TestRun(t *testing.T) {
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for _, c := range []struct {
		name string
		args string
		run  func(c *cobra.Command) error
		ctx  context.Context
		code int
		want string
	}{
		{name: "success", args: "start hall", run: func(*cobra.Command) error { return nil }, code: cli.OK},
		{name: "failure", args: "start hall", run: func(*cobra.Command) error { return errors.New("broken") },
			code: cli.Failed, want: "belt: error: broken\n"},
		{name: "hint of another package", args: "start hall", run: func(*cobra.Command) error { return fmt.Errorf("start: %w", cold{}) },
			code: cli.Failed, want: "belt: error: start: the belt is frozen\nbelt: hint: heat the hall\n"},
		{name: "several problems", args: "start hall", run: func(*cobra.Command) error { return errors.Join(errors.New("one"), errors.New("two")) },
			code: cli.Failed, want: "belt: error: one\nbelt: error: two\n"},
		{name: "wrong use in the command", args: "start hall", run: func(*cobra.Command) error { return cli.Usagef("--speed 0: want 1 or more") },
			code: cli.Misused, want: "belt: error: --speed 0: want 1 or more\nbelt: hint: see belt start --help\n"},
		{name: "wrong use with a hint", args: "start hall",
			run:  func(*cobra.Command) error { return cli.Hint(cli.Usage(cold{}), "wait for summer") },
			code: cli.Misused, want: "belt: error: the belt is frozen\nbelt: hint: wait for summer\n"},
		{name: "no error, no hint", args: "start hall", run: func(*cobra.Command) error { return cli.Hint(nil, "rest") }, code: cli.OK},
		{name: "Ctrl-C", args: "start hall", ctx: stopped, run: func(c *cobra.Command) error { return fmt.Errorf("start: %w", c.Context().Err()) },
			code: cli.Failed, want: "belt: error: start: interrupted\n"},
		{name: "timeout", args: "start hall", run: func(*cobra.Command) error { return fmt.Errorf("ask: %w", context.DeadlineExceeded) },
			code: cli.Failed, want: "belt: error: ask: timed out\n"},
		{name: "missing flags", args: "start hall", run: func(c *cobra.Command) error { return cli.Require(c, "speed", "log") },
			code: cli.Misused, want: "belt: error: start: missing --speed and --log\nbelt: hint: see belt start --help\n"},
		{name: "empty flag", args: "start hall --log= --speed=1", run: func(c *cobra.Command) error { return cli.Require(c, "speed", "log") },
			code: cli.Misused, want: "belt: error: start: missing --log\nbelt: hint: see belt start --help\n"},
		{name: "optional argument", args: "start hall 3", run: func(*cobra.Command) error { return nil }, code: cli.OK},
		{name: "beginning of a flag", args: "start --sp", code: cli.Misused,
			want: "belt: error: start: unknown flag --sp\nbelt: hint: did you mean --speed?\n"},
		{name: "help of an unknown command", args: "help strat", code: cli.Misused,
			want: "belt: error: unknown command \"strat\"\nbelt: hint: did you mean belt start?\n"},
		{name: "completion of an unknown shell", args: "completion zshh", code: cli.Misused,
			want: "belt: error: completion: unknown command \"zshh\"\nbelt: hint: did you mean belt completion zsh?\n"},
		{name: "argument of a shell", args: "completion zsh now", code: cli.Misused,
			want: "belt: error: completion zsh: unexpected argument \"now\"\nbelt: hint: see belt completion zsh --help\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := c.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			var stdout, stderr bytes.Buffer
			code := cli.Run(ctx, belt(c.run), strings.Fields(c.args), &stdout, &stderr)
			if code != c.code || stderr.String() != c.want || stdout.Len() > 0 {
				t.Errorf("exit code %d, stdout %q, stderr %q; want %d, %q", code, &stdout, &stderr, c.code, c.want)
			}
		})
	}
}

// What the user asks for goes to standard output.
func TestResults(t *testing.T) {
	for args, want := range map[string]string{
		"":               "belt [command]",
		"--help":         "belt [command]",
		"start --help":   "tires a minute",
		"help start":     "tires a minute",
		"--version":      "belt version ",
		"completion zsh": "#compdef belt",
	} {
		var stdout, stderr bytes.Buffer
		if code := cli.Run(t.Context(), belt(nil), strings.Fields(args), &stdout, &stderr); code != cli.OK || stderr.Len() > 0 || !strings.Contains(stdout.String(), want) {
			t.Errorf("belt %s: exit code %d, stderr %q, stdout without %q:\n%s", args, code, &stderr, want, &stdout)
		}
	}
}
