package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Messages of the TOML library about a file that is not TOML.
var (
	saysTwice = regexp.MustCompile(`^(?:key|table) (\S+) .*(?:already|should be a)`)
	saysUTF8  = regexp.MustCompile(`UTF-8`)
	saysValue = regexp.MustCompile(`start of value|expected value|must be quoted|keyword|digit|number|leading zero|` +
		`incomplete|array value|inline table`)
	saysText = regexp.MustCompile(`string|escape|quotes|\\`)
)

// malformed says in plain words why a file is not TOML. The library's words are about grammar, and
// its picture of the line could show a password.
func malformed(file string, err error) Problem {
	p := Problem{File: file}
	column := 0
	if at, ok := errors.AsType[*toml.DecodeError](err); ok {
		p.Line, column = at.Position()
	}
	reason := strings.TrimPrefix(err.Error(), "toml: ")
	if m := saysTwice.FindStringSubmatch(reason); m != nil {
		p.Text = m[1] + " is in the file twice: remove one"
		return p
	}
	switch {
	case saysUTF8.MatchString(reason):
		p.Text = "invalid character: save the file as UTF-8"
	case saysValue.MatchString(reason):
		p.Text = fmt.Sprintf(`invalid value at column %d: want "TEXT" in quotes, a number, true, false or [LIST]`, column)
	case saysText.MatchString(reason):
		p.Text = fmt.Sprintf(`invalid text at column %d: want "TEXT" on one line, with \\ for a backslash`, column)
	default:
		p.Text = fmt.Sprintf("invalid line at column %d: want [SECTION] or KEY = VALUE", column)
	}
	return p
}
