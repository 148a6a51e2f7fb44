package manual_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"tirewatch/cmd/internal/manual"
)

// Examples keep their lines, and the same sources make the same page.
func TestWrite(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	pages := map[string]string{}
	for range 2 {
		root := &cobra.Command{Use: "belt", Short: "Watch a belt", Long: "Watch a belt.\n\n  belt run --fast\n  belt stop"}
		root.AddCommand(&cobra.Command{Use: "run", Short: "Run the belt", Run: func(*cobra.Command, []string) {}})
		dir := t.TempDir()
		if err := manual.Write(root, "8", dir); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"man8/belt.8", "man8/belt-run.8", "belt", "_belt", "belt.fish"} {
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if before, ok := pages[name]; ok && before != string(data) {
				t.Errorf("%s differs in the second run", name)
			}
			pages[name] = string(data)
		}
	}
	page := pages["man8/belt.8"]
	if !strings.Contains(page, "Nov 2023") || !strings.Contains(page, "\nbelt run --fast\nbelt stop\n") {
		t.Errorf("the date is wrong, or the examples are in one line:\n%s", page)
	}
}
