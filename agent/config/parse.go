package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"tirewatch/internal/hint"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// Problem is one thing that is wrong in a file.
type Problem struct {
	File string
	Line int    // from 1; 0 for a key that is missing
	Key  string // section.key; empty when the file is not TOML
	Text string // what is wrong, and what is wanted
}

func (p Problem) Error() string {
	where := p.File
	if p.Line > 0 {
		where = fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	if p.Key != "" {
		where += ": " + p.Key
	}
	return where + ": " + p.Text
}

// Problems is everything that is wrong in a file, in the order of its lines. Missing keys are last.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Hint tells where the keys are described.
func (ps Problems) Hint() string {
	return "`man station.toml` describes every key; `tirewatch-agent example` prints them"
}

// reader collects the problems of one file.
type reader struct {
	file     string
	lines    map[string]int // of every section and section.key in the file
	problems Problems
}

func (r *reader) problem(key, format string, args ...any) {
	r.problems = append(r.problems, Problem{r.file, r.lines[key], key, fmt.Sprintf(format, args...)})
}

// broken reports whether key already has a problem: one for each value is enough.
func (r *reader) broken(key string) bool {
	return slices.ContainsFunc(r.problems, func(p Problem) bool { return p.Key == key })
}

// Parse reads a configuration from memory. name is the path that problems show; relative paths
// start at its folder. The error is [Problems].
func Parse(data []byte, name string) (*Config, error) {
	r := &reader{file: name}
	var tree map[string]any
	if err := toml.Unmarshal(data, &tree); err != nil {
		return nil, Problems{malformed(name, err)}
	}
	r.lines = lines(data)

	c := defaults()
	r.fill(reflect.ValueOf(&c).Elem(), tree)
	r.expand(&c.Camera)
	r.check(&c)
	if len(r.problems) > 0 {
		slices.SortStableFunc(r.problems, inFileOrder)
		return nil, r.problems
	}
	c.derive(filepath.Dir(name))
	return &c, nil
}

// inFileOrder puts problems without a line last, in the order of the checks.
func inFileOrder(a, b Problem) int {
	switch {
	case a.Line == 0 || b.Line == 0:
		return cmp.Compare(b.Line, a.Line)
	case a.Line != b.Line:
		return cmp.Compare(a.Line, b.Line)
	}
	return cmp.Compare(a.Key, b.Key)
}

// fill decodes the tree into the sections of c key by key, because a decoder of the whole file
// would stop at its first wrong value.
func (r *reader) fill(c reflect.Value, tree map[string]any) {
	for section, value := range tree {
		field, ok := fieldOf(c, section)
		if !ok {
			r.problem(section, "unknown section%s", suggest(section, c.Type()))
			continue
		}
		keys, ok := value.(map[string]any)
		if !ok {
			r.problem(section, "is a section: write [%s] and its keys below it", section)
			continue
		}
		for key, value := range keys {
			name := section + "." + key
			target, ok := fieldOf(field, key)
			if !ok {
				r.problem(name, "unknown key%s", suggest(key, field.Type()))
				continue
			}
			if err := decode(target, value); err != nil {
				r.problem(name, "%v has the wrong type: want %s", quote(value), accepts(target.Type()))
			}
		}
	}
}

// decode stores one TOML value in target, as strictly as the TOML library does.
func decode(target reflect.Value, value any) error {
	if _, text := value.(string); !text && target.Type() == reflect.TypeFor[Duration]() {
		return errors.New("no unit") // the library would take a number for nanoseconds
	}
	text, err := toml.Marshal(map[string]any{"value": value})
	if err != nil {
		return err
	}
	holder := reflect.New(reflect.StructOf([]reflect.StructField{{
		Name: "Value", Type: target.Type(), Tag: `toml:"value"`,
	}}))
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(holder.Interface()); err != nil {
		return err
	}
	target.Set(holder.Elem().Field(0))
	return nil
}

// fieldOf finds a field by its name in the file.
func fieldOf(s reflect.Value, name string) (reflect.Value, bool) {
	for i := range s.NumField() {
		if s.Type().Field(i).Tag.Get("toml") == name {
			return s.Field(i), true
		}
	}
	return reflect.Value{}, false
}

// accepts describes the type of a key in words.
func accepts(t reflect.Type) string {
	if t == reflect.TypeFor[Duration]() {
		return `a duration like "90s", "30m" or "90d"`
	}
	switch t.Kind() {
	case reflect.Pointer: // a key without a default
		return accepts(t.Elem())
	case reflect.String:
		return "text in quotes"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list of values, each " + accepts(t.Elem())
	}
	panic("internal error: configuration key of type " + t.String())
}

func quote(value any) string {
	if s, ok := value.(string); ok {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprint(value)
}

// suggest names what a typo probably meant, or all known names.
func suggest(name string, known reflect.Type) string {
	var names []string
	for i := range known.NumField() {
		names = append(names, known.Field(i).Tag.Get("toml"))
	}
	best, distance := "", 1+len(name)/3
	for _, n := range names {
		if d := hint.Distance(strings.ToLower(name), n); d <= distance {
			best, distance = n, d-1
		}
	}
	if best != "" {
		return fmt.Sprintf(": did you mean %q?", best)
	}
	return ": want " + strings.Join(names, ", ")
}

// lines finds the line of every section and key of a valid document.
func lines(data []byte) map[string]int {
	at := map[string]int{}
	var p unstable.Parser
	p.Reset(data)
	note := func(prefix []string, n *unstable.Node) []string {
		path := slices.Clone(prefix)
		for key := n.Key(); key.Next(); {
			path = append(path, string(key.Node().Data))
			name := strings.Join(path, ".")
			if _, seen := at[name]; !seen {
				at[name] = p.Shape(key.Node().Raw).Start.Line
			}
		}
		return path
	}
	var table []string
	for p.NextExpression() {
		switch n := p.Expression(); n.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = note(nil, n)
		case unstable.KeyValue:
			path := note(table, n)
			if v := n.Value(); v.Kind == unstable.InlineTable {
				for inner := v.Children(); inner.Next(); {
					note(path, inner.Node())
				}
			}
		}
	}
	return at
}
