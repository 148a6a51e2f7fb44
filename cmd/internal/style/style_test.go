// Package style_test holds the rules of the house that a program can check: functions are short,
// comments end at column 100, and texts use plain words.
package style_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../../.."

// generated is the line by which Go tools know generated sources.
var generated = regexp.MustCompile(`(?m)^// Code generated .*DO NOT EDIT\.$`)

// files returns the sources below the root whose names end in one of the suffixes. Generated files
// and data are not among them.
func files(t *testing.T, suffixes ...string) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			hidden := strings.HasPrefix(name, ".") && path != root
			if hidden || name == "bin" || name == "testdata" || name == "node_modules" || name == "runs" {
				return filepath.SkipDir
			}
			return nil
		}
		for _, suffix := range suffixes {
			if !strings.HasSuffix(name, suffix) {
				continue
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if !generated.Match(data) {
				found[strings.TrimPrefix(path, root+"/")] = data
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Fatalf("no file ends in %v", suffixes)
	}
	return found
}

// longest is the limit for a function, in lines.
const longest = 60

// tooLong returns the functions of a file that are longer than the limit.
func tooLong(t *testing.T, path string, source []byte) (names []string) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, source, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if ok && set.Position(f.End()).Line-set.Position(f.Pos()).Line+1 > longest {
			names = append(names, f.Name.Name)
		}
	}
	return names
}

func TestFunctionsAreShort(t *testing.T) {
	for path, source := range files(t, ".go") {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		for _, name := range tooLong(t, path, source) {
			t.Errorf("%s: %s has more than %d lines", path, name, longest)
		}
	}
	long := "package p\n\nfunc f() {" + strings.Repeat("\n", longest) + "}\n"
	if got := tooLong(t, "long.go", []byte(long)); len(got) != 1 {
		t.Errorf("a function of %d lines was not found", longest+1)
	}
}

var (
	// comment finds a comment that has a line of its own. Directives have no space after //.
	comment = regexp.MustCompile(`(?m)^[ \t]*//[ \t].*$`)
	// output finds what an example prints: the program decides how long these lines are.
	output = regexp.MustCompile(`(?m)^[ \t]*// Output:\n([ \t]*//.*\n)*`)
)

func TestCommentsEndAtColumn100(t *testing.T) {
	for path, source := range files(t, ".go", ".s", ".h", ".c", ".cpp") {
		for _, line := range comment.FindAllString(output.ReplaceAllString(string(source), ""), -1) {
			if len([]rune(line)) > 100 {
				t.Errorf("%s: %d columns: %s", path, len([]rune(line)), line)
			}
		}
	}
}

// dialect lists turns of phrase that readers with English as a second language do not know, and
// what to write instead.
var dialect = map[string]string{
	`(?i)newcomers need`:                               "a runnable example",
	`\b(told|asked) of\b`:                              "called with, requested from",
	`(?i)\bno \w+ any more\b`:                          "no longer",
	`\bof before\b|\bof now\b`:                         "earlier, current",
	`(?i)\bwho has no \w+ finds\b`:                     "without",
	`" is no \w+`:                                      "invalid, not a",
	`^[^"]*log\w*\.(Info|Warn|Error)\("[A-Z]`:          "a log text in lower case",
	`\.(Info|Warn|Error)\("[^"]*\b[A-Z]{2,} [A-Z]{2,}`: "the level says how serious an event is",
}

func TestPlainWords(t *testing.T) {
	rules := map[*regexp.Regexp]string{}
	for pattern, instead := range dialect {
		rules[regexp.MustCompile(pattern)] = instead
	}
	for path, source := range files(t, ".go", ".s", ".js", ".html") {
		if path == "cmd/internal/style/style_test.go" {
			continue
		}
		for i, line := range strings.Split(string(source), "\n") {
			for rule, instead := range rules {
				if rule.MatchString(line) {
					t.Errorf("%s:%d: %q; write: %s", path, i+1, rule.FindString(line), instead)
				}
			}
		}
	}
}
