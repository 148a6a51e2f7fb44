package manual_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tirewatch/cmd/internal/manual"
)

// A page that describes no command has the same title and date as those that do.
func TestPage(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	dir := t.TempDir()
	const text = "<!-- generated -->\n\n# NAME\nbelt.toml - a belt\n\n# [belt]\n\n### max\\_speed (number)\nHow fast.\n"
	if err := manual.WritePage(dir, "belt.toml", "5", text); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "man5/belt.toml.5"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`.TH "BELT.TOML" "5" "Nov 2023" "tirewatch" "tirewatch"`, `belt.toml \- a belt`, ".SH [belt]", ".SS max_speed (number)",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("no %q in:\n%s", want, page)
		}
	}

	t.Setenv("SOURCE_DATE_EPOCH", "yesterday")
	if err := manual.WritePage(dir, "belt.toml", "5", text); err == nil || !strings.Contains(err.Error(), `invalid SOURCE_DATE_EPOCH "yesterday"`) {
		t.Errorf("got %v", err)
	}
}
