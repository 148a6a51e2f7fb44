package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const operations = "docs/operations.md"

// literals are the texts in the code below a folder, without tests. The levels of a text are those
// of the log calls that have it as their message; a text may have none.
func literals(t *testing.T, folder string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				if text, ok := literal(n); ok {
					found[text] = append(found[text], "")
				}
			case *ast.CallExpr:
				if text, level := logged(n); level != "" {
					found[text] = append(found[text], level)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func literal(e ast.Expr) (string, bool) {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(l.Value)
	return text, err == nil
}

var levels = map[string]string{"Info": "info", "Warn": "warning", "Error": "error"}

// logged returns the message and the level of a log call; an empty level for other calls.
func logged(call *ast.CallExpr) (text, level string) {
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) == 0 {
		return "", ""
	}
	if owner, ok := f.X.(*ast.SelectorExpr); ok && !strings.EqualFold(owner.Sel.Name, "log") {
		return "", ""
	}
	text, ok = literal(call.Args[0])
	if !ok {
		return "", ""
	}
	return text, levels[f.Sel.Name]
}

// event is a row of a table of events.
var event = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ((?:info|warning|error)(?: or warning)?) \\|")

// Each event of the tables is in the code, with this level, and each warning and error of the agent
// is in a table.
func TestEvents(t *testing.T) {
	code := literals(t, "agent")
	listed := map[string]bool{}
	for _, m := range event.FindAllStringSubmatch(read(t, operations), -1) {
		text, level := m[1], m[2]
		if listed[text] {
			t.Errorf("%s lists %q twice", operations, text)
		}
		listed[text] = true
		have, ok := code[text]
		if _, suffix, cut := strings.Cut(text, ": "); !ok && cut {
			_, ok = code[": "+suffix] // "metrics" + ": serve failed"
		}
		if !ok {
			t.Errorf("%s lists %q, which the agent never logs", operations, text)
		}
		for _, l := range have {
			if l != "" && !slices.Contains(strings.Split(level, " or "), l) {
				t.Errorf("%s: %q has level %s, the code logs it as %s", operations, text, level, l)
			}
		}
	}
	for text, have := range code {
		if (slices.Contains(have, "error") || slices.Contains(have, "warning")) && !listed[text] {
			t.Errorf("%s does not list %q", operations, text)
		}
	}
}

// The parts of the problem table are texts of the agent.
func TestProblems(t *testing.T) {
	code := literals(t, "agent")
	_, table, _ := strings.Cut(read(t, operations), "\n## Problems in the status\n")
	table, _, _ = strings.Cut(table, "\n## ")
	rows := regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(table, -1)
	if len(rows) == 0 {
		t.Fatalf("%s has no table of problems", operations)
	}
	for _, m := range rows {
		if _, ok := code[m[1]]; !ok {
			t.Errorf("%s: no part of the agent is named %q", operations, m[1])
		}
	}
}

// The document names all metrics of the station and no others.
func TestMetrics(t *testing.T) {
	name := regexp.MustCompile(`\btirewatch_[a-z_]+\b`)
	named := map[string]bool{}
	for _, m := range name.FindAllString(read(t, operations), -1) {
		named[m] = true
	}
	code := literals(t, "agent/metrics")
	for m := range named {
		if _, ok := code[m]; !ok {
			t.Errorf("%s names the metric %s, which does not exist", operations, m)
		}
	}
	for text := range code {
		if name.FindString(text) == text && text != "" && !named[text] {
			t.Errorf("%s does not name the metric %s", operations, text)
		}
	}
}
