package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"tirewatch/internal/durable"
)

// SaveError means that a change could not be written into the file. The running station may have
// taken it all the same.
type SaveError struct {
	Path string
	Want []string // the lines that section [locate] should have
	Err  error
}

func (e *SaveError) Error() string { return fmt.Sprintf("save %s: %v", e.Path, e.Err) }
func (e *SaveError) Unwrap() error { return e.Err }

// Hint tells what to do about it.
func (e *SaveError) Hint() string {
	lines := "write into [locate] of " + e.Path + ": " + strings.Join(e.Want, ", ")
	if errors.Is(e.Err, fs.ErrPermission) || errors.Is(e.Err, errReadOnlyDisk) {
		return lines + "; or let the service write its configuration: see /etc/tirewatch/examples/page.conf"
	}
	return lines
}

// change is a new value of a key in section [locate], in TOML.
type change struct{ key, value string }

// SaveLocate writes mode and, unless it is nil, region into section [locate] of the file at path.
// Nothing else in the file changes, comments included, and a power cut leaves the old file or the
// new one. The error is a *SaveError.
func SaveLocate(path, mode string, region []int) error {
	changes := []change{{"mode", fmt.Sprintf("%q", mode)}}
	if region != nil {
		changes = append(changes, change{"region", list(region)})
	}
	err := save(path, changes, func(c *Config) {
		c.Locate.Mode = mode
		if region != nil {
			c.Locate.Region = region
		}
	})
	if err == nil {
		return nil
	}
	failed := &SaveError{Path: path, Err: err}
	for _, c := range changes {
		failed.Want = append(failed.Want, c.key+" = "+c.value)
	}
	return failed
}

// save makes the changes if they turn the configuration of the file into what apply makes of it.
func save(path string, changes []change, apply func(*Config)) error {
	path, err := filepath.EvalSymlinks(path) // replace the file, not the link to it
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	want, err := Parse(before, path)
	if err != nil {
		return err
	}
	apply(want)
	after := before
	for _, c := range changes {
		if after, err = set(after, "locate", c.key, c.value); err != nil {
			return err
		}
	}
	if got, err := Parse(after, path); err != nil || !reflect.DeepEqual(got, want) {
		return errors.Join(errors.New("this program cannot change a file that is written in this way"), err)
	}
	if bytes.Equal(before, after) {
		return nil
	}
	return durable.WriteFile(path, after, info.Mode().Perm())
}

// set returns the document with a new value of a key, and nothing else changed. A missing key is
// added below the comment that shows its default, or below the head of its section.
func set(text []byte, section, key, value string) ([]byte, error) {
	at, err := find(text, section, key)
	if err != nil {
		return nil, err
	}
	if at.valueEnd > 0 {
		return bytes.Join([][]byte{text[:at.valueStart], []byte(" " + value), text[at.valueEnd:]}, nil), nil
	}
	line := key + " = " + value + "\n"
	if at.head < 0 {
		return fmt.Appendf(bytes.TrimRight(bytes.Clone(text), "\n"), "\n\n[%s]\n%s", section, line), nil
	}
	to := at.head
	if i := bytes.Index(text[at.head-1:at.end], []byte("\n# "+key+" = ")); i >= 0 {
		to = lineEnd(text, at.head+i)
	}
	if to > 0 && text[to-1] != '\n' { // the last line of the file has no line break
		line = "\n" + line
	}
	return bytes.Join([][]byte{text[:to], []byte(line), text[to:]}, nil), nil
}

// place is where a document has a key, or could have it. Offsets in bytes.
type place struct {
	valueStart, valueEnd int // after the = and after the value; 0, 0: the key is missing
	head, end            int // of the section: after the line of its head, or -1, and after its last line
}

// find looks for a key in all its notations: below the head of its section, dotted, and in an
// inline table.
func find(text []byte, section, key string) (place, error) {
	var p unstable.Parser
	p.Reset(text)
	var table []string // that the parser is in
	at := place{head: -1, end: len(text)}
	found := func(prefix []string, n *unstable.Node) bool {
		path, last := keyPath(prefix, n)
		if strings.Join(path, ".") != section+"."+key {
			return false
		}
		from := int(last.Offset + last.Length)
		at.valueStart = from + bytes.IndexByte(text[from:], '=') + 1
		at.valueEnd = int(n.Raw.Offset + n.Raw.Length)
		return true
	}
	for p.NextExpression() {
		switch n := p.Expression(); n.Kind {
		case unstable.Table, unstable.ArrayTable:
			var last unstable.Range
			table, last = keyPath(nil, n)
			offset := int(last.Offset + last.Length)
			if at.head >= 0 && at.end == len(text) {
				at.end = bytes.LastIndexByte(text[:offset], '\n') + 1
			}
			if strings.Join(table, ".") == section {
				at.head = lineEnd(text, offset)
			}
		case unstable.KeyValue:
			if found(table, n) {
				return at, nil
			}
			if n.Value().Kind != unstable.InlineTable {
				continue
			}
			path, _ := keyPath(table, n)
			for inner := n.Value().Children(); inner.Next(); {
				if inner.Node().Kind == unstable.KeyValue && found(path, inner.Node()) {
					return at, nil
				}
			}
		}
	}
	return at, p.Error()
}

// keyPath is the whole name of a node below prefix, and where its last part is.
func keyPath(prefix []string, n *unstable.Node) (path []string, last unstable.Range) {
	path = append(path, prefix...)
	for it := n.Key(); it.Next(); {
		path = append(path, string(it.Node().Data))
		last = it.Node().Raw
	}
	return path, last
}

// lineEnd is the offset after the line break that follows at, or the end.
func lineEnd(text []byte, at int) int {
	if i := bytes.IndexByte(text[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(text)
}
