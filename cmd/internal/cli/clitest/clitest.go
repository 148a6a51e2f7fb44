// Package clitest makes every mistake that a command line can have, on every command of a program.
// Both programs call [Mistakes], so both say the same about the same mistake.
package clitest

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tirewatch/cmd/internal/cli"
)

// library matches words of cobra, pflag and strconv.
var library = regexp.MustCompile(`arg\(s\)|shorthand|flag needs|bad flag|invalid argument|invalid syntax|strconv|parsing|time: `)

// wrong has a value that a flag of a type refuses, and what it wants.
var wrong = map[string][2]string{
	"int":      {"many", "want a whole number"},
	"uint64":   {"-1", "want a whole number, 0 or more"},
	"float64":  {"much", "want a number"},
	"bool":     {"maybe", "want true or false"},
	"duration": {"5 minutes", "want a time such as 500ms, 30s or 2m"},
}

// Mistakes runs each command of a program with each mistake. newRoot makes the commands of the
// program, anew for each run.
func Mistakes(t *testing.T, newRoot func() *cobra.Command) {
	p := &program{t: t, newRoot: newRoot}
	p.walk(newRoot())
	t.Logf("%d mistakes", p.count)
}

type program struct {
	t       *testing.T
	newRoot func() *cobra.Command
	count   int
}

func (p *program) walk(c *cobra.Command) {
	see := "see " + c.CommandPath() + " --help"
	p.says(c, "unknown flag --no-such-flag", see, "--no-such-flag")
	p.says(c, "unknown flag -7", see, "-7")
	p.says(c, `invalid flag "--=x"`, see, "--=x")
	if c.HasSubCommands() {
		p.says(c, `unknown command "zzzzzz"`, see, "zzzzzz")
		p.says(c, `unknown command "zzzzzz"`, see, "zzzzzz", "--no-such-flag")
		for _, sub := range c.Commands() {
			p.says(c, fmt.Sprintf("unknown command %q", sub.Name()+"q"), "did you mean "+sub.CommandPath()+"?",
				sub.Name()+"q")
			p.walk(sub)
		}
		return
	}
	p.flags(c, see)
	p.arguments(c, see)
}

// flags runs c with each flag without a value, with a wrong value, and with an extra letter.
func (p *program) flags(c *cobra.Command, see string) {
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		name := "--" + f.Name
		p.says(c, fmt.Sprintf("unknown flag %sq", name), "did you mean "+name+"?", name+"q")
		if f.NoOptDefVal == "" {
			p.says(c, name+" needs a value", see, name)
		}
		if w, ok := wrong[f.Value.Type()]; ok {
			p.says(c, fmt.Sprintf("%s %q: %s", name, w[0], w[1]), see, name+"="+w[0])
		}
		if f.Value.Type() == "int" {
			p.says(c, name+` "99999999999999999999": this number is too large`, see, name+"=99999999999999999999")
		}
	})
}

// arguments runs c with fewer and with more arguments than its usage line has.
func (p *program) arguments(c *cobra.Command, see string) {
	var required []string
	most, many := 0, false
	for _, word := range strings.Fields(c.Use)[1:] {
		if strings.HasPrefix(word, "-") || strings.HasPrefix(word, "(") || strings.HasPrefix(word, "[-") {
			break // flags
		}
		most++
		many = strings.HasSuffix(word, "...")
		if !strings.HasPrefix(word, "[") {
			required = append(required, strings.TrimSuffix(word, "..."))
		}
	}
	for n := range required {
		missing := strings.Join(required[n:], ", ")
		if i := strings.LastIndex(missing, ", "); i >= 0 {
			missing = missing[:i] + " and " + missing[i+2:]
		}
		p.says(c, "missing "+missing, see, required[:n]...)
	}
	if !many {
		p.says(c, `unexpected argument "stray"`, see, append(make([]string, most), "stray")...)
	}
}

// says runs c with args and wants an error, a hint and nothing else.
func (p *program) says(c *cobra.Command, text, hint string, args ...string) {
	p.t.Helper()
	p.count++
	path := strings.Fields(c.CommandPath())
	where := strings.Join(path[1:], " ")
	if where != "" {
		where += ": "
	}
	want := fmt.Sprintf("%s: error: %s%s\n%[1]s: hint: %[4]s\n", path[0], where, text, hint)
	args = append(path[1:], args...)
	var stdout, stderr bytes.Buffer
	code := cli.Run(p.t.Context(), p.newRoot(), args, &stdout, &stderr)
	if code != cli.Misused || stdout.Len() > 0 || stderr.String() != want || library.MatchString(stderr.String()) {
		p.t.Errorf("%s %q: exit code %d, stdout %q, stderr\n%swant\n%s", path[0], args, code, &stdout, &stderr, want)
	}
}
