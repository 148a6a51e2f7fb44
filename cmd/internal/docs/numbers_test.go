package docs

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const numbers = "docs/numbers.md"

// withoutFigures are the first columns of tables that hold no figures.
var withoutFigures = []string{"machine", "operator"}

// row is a row of a table, by column.
type row map[string]string

// rows returns the rows of all tables in a text.
func rows(text string) []row {
	var out []row
	var header []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			header = nil
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i, c := range cells {
			cells[i] = strings.TrimSpace(c)
		}
		switch {
		case header == nil:
			header = cells
		case strings.Trim(cells[0], "-") != "":
			r := row{}
			for i, c := range cells[:min(len(cells), len(header))] {
				r[header[i]] = c
			}
			out = append(out, r)
		}
	}
	return out
}

// A row has one value, a known machine, and a command that exists.
func TestNumbers(t *testing.T) {
	all := rows(read(t, numbers))
	machines := map[string]bool{}
	for _, r := range all {
		machines[r["machine"]] = r["what it is"] != "" || machines[r["machine"]]
	}
	commands := newCommands(t)
	checked := map[string]error{}
	for _, r := range all {
		if slices.ContainsFunc(withoutFigures, func(column string) bool { return r[column] != "" && r["command"] == "" && r["what"] == "" }) {
			continue
		}
		if _, err := strconv.ParseFloat(strings.ReplaceAll(r["value"], ",", ""), 64); err != nil {
			t.Errorf("%q has the value %q, want one number", r["what"], r["value"])
		}
		if !machines[r["machine"]] {
			t.Errorf("%q was measured on %q, which is not in the table of machines", r["what"], r["machine"])
		}
		command := strings.Trim(r["command"], "`")
		err, known := checked[command]
		if !known {
			err = commands.check(command)
			checked[command] = err
		}
		if err != nil {
			t.Errorf("%q: command %q: %v", r["what"], command, err)
		}
	}
	if len(checked) == 0 {
		t.Errorf("%s has no figures", numbers)
	}
}

// commands knows which commands exist.
type commands struct {
	t       *testing.T
	targets map[string]bool // of make
	help    map[string]string
	bin     string // folder of the built programs; empty before the first
}

func newCommands(t *testing.T) *commands {
	c := &commands{t: t, targets: map[string]bool{}, help: map[string]string{}}
	c.readMakefile("Makefile")
	return c
}

// readMakefile adds the targets of a makefile and of those that it includes.
func (c *commands) readMakefile(name string) {
	target := regexp.MustCompile(`^([a-z][a-z0-9-]*(?: [a-z][a-z0-9-]*)*)\s*:(?:[^=]|$)`)
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
		if !c.targets[words[1]] {
			return fmt.Errorf("the Makefile has no target %s", words[1])
		}
	case words[0] == "go" && words[1] == "test":
		return c.checkTest(words[2:])
	case words[0] == "tirewatch" || words[0] == "tirewatch-agent":
		return c.checkProgram(words[0], words[1], words[2:])
	default:
		return fmt.Errorf("unknown program %s", words[0])
	}
	return nil
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
func (c *commands) checkProgram(program, command string, args []string) error {
	if testing.Short() {
		return nil
	}
	key := program + " " + command
	if _, known := c.help[key]; !known {
		if c.bin == "" {
			c.bin = c.t.TempDir()
		}
		path := filepath.Join(c.bin, program)
		if out, err := exec.Command("go", "build", "-o", path, "tirewatch/cmd/"+program).CombinedOutput(); err != nil {
			return fmt.Errorf("build: %w\n%s", err, out)
		}
		out, err := exec.Command(path, command, "--help").CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s --help: %w\n%s", key, err, out)
		}
		c.help[key] = string(out)
	}
	if !strings.Contains(c.help[key], "\n  "+key+" ") { // an unknown command shows the help of the program
		return fmt.Errorf("%s has no command %s", program, command)
	}
	for _, a := range args {
		if flag, _, _ := strings.Cut(a, "="); strings.HasPrefix(flag, "--") && !strings.Contains(c.help[key], " "+flag+" ") {
			return fmt.Errorf("%s has no flag %s", key, flag)
		}
	}
	return nil
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
