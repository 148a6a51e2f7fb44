package docs

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// hardware stands above a block of commands that need a station.
const hardware = "<!-- hardware -->"

// block is a block of code of a document.
type block struct {
	lines    []string
	hardware bool
}

// blocks returns the blocks of code, indented or fenced, with continued lines joined.
func blocks(text string) []block {
	var out []block
	var b *block
	above, fenced := "", false // the last line of prose
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		line = strings.TrimRight(line, "\n")
		isFence := strings.HasPrefix(line, "```")
		inList := strings.HasPrefix(above, "- ") || strings.HasPrefix(above, "  ")
		indented := strings.HasPrefix(line, "    ") && (b != nil || !inList)
		switch {
		case isFence:
			fenced = !fenced
			b = nil
			if fenced {
				out = append(out, block{hardware: above == hardware})
				b = &out[len(out)-1]
			}
		case fenced:
			b.lines = append(b.lines, line)
		case indented && b == nil:
			out = append(out, block{hardware: above == hardware})
			b = &out[len(out)-1]
			fallthrough
		case indented:
			b.lines = append(b.lines, strings.TrimPrefix(line, "    "))
		case line != "":
			b, above = nil, line
		}
	}
	return out
}

var (
	ours    = regexp.MustCompile(`^(?:sudo )?(?:bin/)?((?:tirewatch|tirewatch-agent|make)( .*)?)$`)
	comment = regexp.MustCompile(`\s+# .*$`)
	word    = regexp.MustCompile(`^[a-z]+$`)
	inline  = regexp.MustCompile("`((?:tirewatch|tirewatch-agent|make) [^`]+)`")
)

// The commands in the documents exist, with their flags: those in blocks of code and those in a
// line of text.
func TestCommands(t *testing.T) {
	c := newCommands(t)
	onHardware, total := 0, 0
	for _, name := range documents(t) {
		text := read(t, name)
		var found []string
		for _, b := range blocks(text) {
			if b.hardware {
				onHardware++
			}
			for _, line := range b.lines {
				if m := ours.FindStringSubmatch(comment.ReplaceAllString(line, "")); m != nil && m[2] != "" {
					found = append(found, m[1])
				}
			}
		}
		for _, m := range inline.FindAllStringSubmatch(text, -1) {
			found = append(found, m[1])
		}
		for _, command := range found {
			total++
			if err := c.check(command); err != nil {
				t.Errorf("%s: %q: %v", name, command, err)
			}
		}
	}
	if total == 0 || onHardware == 0 {
		t.Errorf("found %d commands and %d blocks that need hardware", total, onHardware)
	}
	t.Logf("%d commands; %d blocks need hardware", total, onHardware)
}

// commands knows which commands exist.
type commands struct {
	t       *testing.T
	targets map[string]bool // of make
	help    map[string]string
}

func newCommands(t *testing.T) *commands {
	c := &commands{t: t, targets: map[string]bool{}, help: map[string]string{}}
	c.readMakefile("Makefile")
	return c
}

// readMakefile adds the targets of a makefile and of those that it includes.
func (c *commands) readMakefile(name string) {
	target := regexp.MustCompile(`^([a-z][a-z0-9%-]*(?: [a-z][a-z0-9%-]*)*)\s*:(?:[^=]|$)`)
	for line := range strings.Lines(read(c.t, name)) {
		if file, ok := strings.CutPrefix(line, "include "); ok {
			c.readMakefile(strings.TrimSpace(file))
		} else if m := target.FindStringSubmatch(line); m != nil {
			for _, t := range strings.Fields(m[1]) {
				c.targets[t] = true
			}
		}
	}
}

func (c *commands) check(command string) error {
	words := strings.Fields(strings.TrimPrefix(command, "/usr/bin/time -v "))
	if len(words) < 2 {
		return fmt.Errorf("want make TARGET, go test or tirewatch COMMAND")
	}
	switch {
	case words[0] == "make":
		for t := range c.targets {
			if prefix, suffix, ok := strings.Cut(t, "%"); t == words[1] ||
				ok && strings.HasPrefix(words[1], prefix) && strings.HasSuffix(words[1], suffix) {
				return nil
			}
		}
		return fmt.Errorf("the Makefile has no target %s", words[1])
	case words[0] == "go" && words[1] == "test":
		return c.checkTest(words[2:])
	case words[0] == "tirewatch" || words[0] == "tirewatch-agent":
		return c.checkProgram(words[0], words[1:])
	default:
		return fmt.Errorf("unknown program %s", words[0])
	}
}

// checkTest finds the tests or benchmarks of a `go test` command in its package.
func (c *commands) checkTest(args []string) error {
	folder := filepath.Join(root, filepath.FromSlash(args[len(args)-1]))
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no tests in %s", args[len(args)-1])
	}
	var source strings.Builder
	for _, f := range files {
		name, err := filepath.Rel(root, f)
		if err != nil {
			return err
		}
		source.WriteString(read(c.t, filepath.ToSlash(name)))
	}
	for i, a := range args[:len(args)-1] {
		kind, ok := map[string]string{"-run": "Test", "-bench": "Benchmark"}[a]
		if name := args[i+1]; ok && name != "-" {
			found := regexp.MustCompile(`(?m)^func (`+kind+`\w*)\(`).FindAllStringSubmatch(source.String(), -1)
			if !slices.ContainsFunc(found, func(m []string) bool { return regexp.MustCompile(name).MatchString(m[1]) }) {
				return fmt.Errorf("no %s matches %s in %s", strings.ToLower(kind), name, args[len(args)-1])
			}
		}
	}
	return nil
}

// checkProgram looks for the flags of a command in its help. Short tests do not build the programs.
func (c *commands) checkProgram(program string, args []string) error {
	if testing.Short() {
		return nil
	}
	key := program
	help, err := c.helpOf(program)
	for err == nil && len(args) > 0 && word.MatchString(args[0]) && strings.Contains(help, "Available Commands:") {
		if !regexp.MustCompile(`(?m)^  ` + args[0] + ` `).MatchString(help) {
			return fmt.Errorf("%s has no command %s", key, args[0])
		}
		key += " " + args[0]
		help, err = c.helpOf(program, strings.Fields(key)[1:]...)
		args = args[1:]
	}
	if err != nil {
		return err
	}
	for _, a := range args {
		flag, _, _ := strings.Cut(strings.Trim(a, "[],.;"), "=")
		listed := regexp.MustCompile(`(?m)^\s+(-\w, )?` + flag + `\b|^\s+` + flag + `, `)
		if strings.HasPrefix(flag, "-") && !listed.MatchString(help) {
			return fmt.Errorf("%s has no flag %s", key, flag)
		}
	}
	return nil
}

// helpOf returns the help of a command.
func (c *commands) helpOf(program string, command ...string) (string, error) {
	key := program + " " + strings.Join(command, " ")
	if help, known := c.help[key]; known {
		return help, nil
	}
	path, err := build(program)
	if err != nil {
		return "", err
	}
	out, err := exec.Command(path, append(command, "--help")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s --help: %w\n%s", key, err, out)
	}
	c.help[key] = string(out)
	return string(out), nil
}

// The checks of this file find what is missing.
func TestMissingCommands(t *testing.T) {
	if testing.Short() {
		t.Skip("short tests do not build the programs")
	}
	c := newCommands(t)
	for _, command := range []string{
		"make nothing", "go test -run - -bench Nothing ./trainer/nn", "go test -run TestNothing ./vision/infer",
		"go test ./nothing", "tirewatch nothing", "tirewatch bench model.tire --nothing", "nothing at all", "make",
	} {
		if c.check(command) == nil {
			t.Errorf("%q passes as a command", command)
		}
	}
	if err := c.check("tirewatch bench model.tire --threads 2"); err != nil {
		t.Error(err)
	}
}
