package health

import (
	"os"
	"path/filepath"
	"testing"
)

func TestHottest(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"zone0": "41000\n", "zone1": "63500\n", "zone2": "off\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if c, ok := hottest(filepath.Join(dir, "zone*")); !ok || c != 63.5 {
		t.Errorf("%g, %v; want 63.5", c, ok)
	}
	if _, ok := hottest(filepath.Join(dir, "none*")); ok {
		t.Error("a machine without a sensor has a temperature")
	}
}
