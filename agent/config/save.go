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

// SaveError is a change that could not be written into the file; the running station may have taken
// it all the same.
type SaveError struct {
	Path string
	Want []string // the lines that should be in section [locate]
	Err  error
}

func (e *SaveError) Error() string { return fmt.Sprintf("save %s: %v", e.Path, e.Err) }
func (e *SaveError) Unwrap() error { return e.Err }

// Hint is what to do about it.
func (e *SaveError) Hint() string {
	lines := "write into [locate] of " + e.Path + ": " + strings.Join(e.Want, ", ")
	if errors.Is(e.Err, fs.ErrPermission) || errors.Is(e.Err, errReadOnlyDisk) {
		return lines + "; or let the service write its configuration: /etc/tirewatch/examples/page.conf"
	}
	return lines
}

// SaveLocate writes mode and, unless it is nil, region into section [locate] of the file at path.
// Nothing else in the file changes, comments least of all, and a power cut leaves the old file or
// the new one. The error is a *SaveError.
func SaveLocate(path, mode string, region []int) error {
	type change struct{ key, value string }
	changes := []change{{"mode", fmt.Sprintf("%q", mode)}}
	if region != nil {
		changes = append(changes, change{"region", strings.ReplaceAll(fmt.Sprint(region), " ", ", ")})
	}
	failed := &SaveError{Path: path}
	for _, c := range changes {
		failed.Want = append(failed.Want, c.key+" = "+c.value)
	}
	failed.Err = func() error {
		path, err := filepath.EvalSymlinks(path) // the file is replaced, not the link to it
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
		after := before
		for _, c := range changes {
			if after, err = set(after, "locate", c.key, c.value); err != nil {
				return err
			}
		}
		want.Locate.Mode = mode
		if region != nil {
			want.Locate.Region = region
		}
		if got, err := Parse(after, path); err != nil || !reflect.DeepEqual(got, want) {
			return errors.Join(errors.New("the file is written in a way that this program cannot change"), err)
		}
		if bytes.Equal(before, after) {
			return nil
		}
		return durable.WriteFile(path, after, info.Mode().Perm())
	}()
	if failed.Err == nil {
		return nil
	}
	return failed
}

// set gives a document in which key of section has the value, and nothing else is other than it
// was. A key that is not there yet comes below the comment that shows its default, or else below
// the head of the section.
func set(text []byte, section, key, value string) ([]byte, error) {
	var p unstable.Parser
	p.Reset(text)
	var table []string
	names := func(prefix []string, n *unstable.Node) (path []string, last unstable.Range) {
		path = append(path, prefix...)
		for it := n.Key(); it.Next(); {
			path = append(path, string(it.Node().Data))
			last = it.Node().Raw
		}
		return path, last
	}
	head := -1 // where the line of the section's head ends
	end := len(text)
	replaced := func(prefix []string, n *unstable.Node) []byte {
		path, last := names(prefix, n)
		if strings.Join(path, ".") != section+"."+key {
			return nil
		}
		from := int(last.Offset + last.Length)
		from += bytes.IndexByte(text[from:], '=') + 1
		to := int(n.Raw.Offset + n.Raw.Length)
		return bytes.Join([][]byte{text[:from], []byte(" " + value), text[to:]}, nil)
	}
	for p.NextExpression() {
		switch n := p.Expression(); n.Kind {
		case unstable.Table, unstable.ArrayTable:
			var last unstable.Range
			table, last = names(nil, n)
			at := int(last.Offset + last.Length)
			if head >= 0 && end == len(text) {
				end = bytes.LastIndexByte(text[:at], '\n') + 1
			}
			if strings.Join(table, ".") == section {
				head = lineEnd(text, at)
			}
		case unstable.KeyValue:
			if out := replaced(table, n); out != nil {
				return out, nil
			}
			if v := n.Value(); v.Kind == unstable.InlineTable {
				path, _ := names(table, n)
				for inner := v.Children(); inner.Next(); {
					if inner.Node().Kind != unstable.KeyValue {
						continue
					}
					if out := replaced(path, inner.Node()); out != nil {
						return out, nil
					}
				}
			}
		}
	}
	if err := p.Error(); err != nil {
		return nil, err
	}
	line := key + " = " + value + "\n"
	if head < 0 {
		return fmt.Appendf(bytes.TrimRight(bytes.Clone(text), "\n"), "\n\n[%s]\n%s", section, line), nil
	}
	at := head
	if i := bytes.Index(text[head-1:end], []byte("\n# "+key+" = ")); i >= 0 {
		at = lineEnd(text, head+i)
	}
	if at > 0 && text[at-1] != '\n' { // the file ends without one
		line = "\n" + line
	}
	return bytes.Join([][]byte{text[:at], []byte(line), text[at:]}, nil), nil
}

// lineEnd is behind the line break after at, or the end.
func lineEnd(text []byte, at int) int {
	if i := bytes.IndexByte(text[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(text)
}
