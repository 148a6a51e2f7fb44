package cli

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"tirewatch/internal/hint"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// misuse makes a UsageError that names the command, without the program: "dataset split: ...".
func misuse(c *cobra.Command, format string, args ...any) error {
	where := ""
	if c.HasParent() {
		where = strings.TrimPrefix(c.CommandPath(), c.Root().Name()+" ") + ": "
	}
	return Usagef("%s%s", where, fmt.Sprintf(format, args...))
}

// Args checks the arguments of a command. names are those of its usage line: DIR is required, [DIR]
// may be left out, and IMAGE..., which must be the last, stands for one or more.
func Args(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		var missing []string
		most := len(names)
		for i, name := range names {
			name, many := strings.CutSuffix(name, "...")
			if many {
				most = math.MaxInt
			}
			if i >= len(args) && !strings.HasPrefix(name, "[") {
				missing = append(missing, name)
			}
		}
		switch {
		case len(missing) > 0:
			return misuse(c, "missing %s", list(missing))
		case len(args) > most:
			return misuse(c, "unexpected argument %q", args[most])
		}
		return nil
	}
}

// Require checks that flags were given, and not as an empty text.
func Require(c *cobra.Command, names ...string) error {
	var missing []string
	for _, name := range names {
		if f := c.Flags().Lookup(name); !f.Changed || f.Value.String() == "" {
			missing = append(missing, "--"+name)
		}
	}
	if len(missing) > 0 {
		return misuse(c, "missing %s", list(missing))
	}
	return nil
}

// list is "a, b and c".
func list(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

func noUnknownCommand(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return unknownCommand(c, args[0])
	}
	return nil
}

// unknownCommand reports a word that is not a command below c, with the most similar one.
func unknownCommand(c *cobra.Command, word string) error {
	err := misuse(c, "unknown command %q", word)
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	if best := nearest(word, names); best != "" {
		return Hint(err, fmt.Sprintf("did you mean %s %s?", c.CommandPath(), best))
	}
	return Hint(err, "see "+c.CommandPath()+" --help")
}

// flagError words what pflag finds wrong.
func flagError(c *cobra.Command, err error) error {
	// pflag stops at the first unknown flag. If there is a word before it, that word is the
	// mistake: tirewatch trian --epochs 3.
	if c.HasSubCommands() && c.Flags().NArg() > 0 {
		return unknownCommand(c, c.Flags().Arg(0))
	}
	var (
		unknown *pflag.NotExistError
		empty   *pflag.ValueRequiredError
		invalid *pflag.InvalidValueError
		syntax  *pflag.InvalidSyntaxError
	)
	switch {
	case errors.As(err, &unknown):
		return unknownFlag(c, unknown)
	case errors.As(err, &empty):
		return misuse(c, "--%s needs a value", empty.GetFlag().Name)
	case errors.As(err, &invalid):
		f := invalid.GetFlag()
		return misuse(c, "--%s %q: %s", f.Name, invalid.GetValue(), want(f.Value.Type(), err))
	case errors.As(err, &syntax):
		return misuse(c, "invalid flag %q", syntax.GetSpecifiedFlag())
	}
	return &UsageError{err}
}

// unknownFlag reports a flag that c does not have, with the most similar one.
func unknownFlag(c *cobra.Command, unknown *pflag.NotExistError) error {
	name := unknown.GetSpecifiedName()
	if unknown.GetSpecifiedShortnames() != "" {
		return misuse(c, "unknown flag -%s", name)
	}
	err := misuse(c, "unknown flag --%s", name)
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	best := nearest(name, names)
	if best == "" {
		return err
	}
	return Hint(err, fmt.Sprintf("did you mean --%s?", best))
}

// want says what a flag of a type accepts, in the place of strconv's and time's own errors.
func want(kind string, err error) string {
	number := strings.HasPrefix(kind, "int") || strings.HasPrefix(kind, "uint") || strings.HasPrefix(kind, "float")
	switch {
	case number && errors.Is(err, strconv.ErrRange):
		return "this number is too large"
	case strings.HasPrefix(kind, "int"):
		return "want a whole number"
	case strings.HasPrefix(kind, "uint"):
		return "want a whole number, 0 or more"
	case strings.HasPrefix(kind, "float"):
		return "want a number"
	case kind == "bool":
		return "want true or false"
	case kind == "duration":
		return "want a time such as 500ms, 30s or 2m"
	}
	return "want a " + kind
}

// nearest returns the name that was probably meant by a word: one that begins with it, or differs
// in at most two letters. It is empty if there is none.
func nearest(word string, names []string) string {
	best, least := "", 3
	for _, name := range names {
		n := hint.Distance(word, name)
		if strings.HasPrefix(name, word) {
			n = min(n, 1)
		}
		if n < least {
			best, least = name, n
		}
	}
	return best
}
