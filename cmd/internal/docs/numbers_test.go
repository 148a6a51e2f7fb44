package docs

import (
	"strconv"
	"strings"
	"testing"
)

const numbers = "docs/numbers.md"

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
		if r["what it is"] != "" {
			machines[r["machine"]] = true
		}
	}
	commands := newCommands(t)
	checked := map[string]error{}
	for _, r := range all {
		if _, figure := r["value"]; !figure {
			if r["what it is"] == "" && r["operator"] == "" { // the two tables without figures
				t.Errorf("%s has a row without a value: %v", numbers, r)
			}
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
