package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tirewatch/agent/config"
)

// TestSaveLocate changes two keys of files that people write in different ways, and nothing beside
// them.
func TestSaveLocate(t *testing.T) {
	for name, c := range map[string]struct{ old, want string }{
		"keys that are there": {
			minimal + "[locate] # where\n  mode   =  \"round\"  # for now\nregion = [\n  1, 2, # upper left\n  3, 4,\n] # px\nmargin = 0.1\n",
			minimal + "[locate] # where\n  mode   = \"region\"  # for now\nregion = [10, 20, 300, 400] # px\nmargin = 0.1\n"},
		"a section without them": {
			"[locate]\nmargin = 0.1\n" + minimal, "[locate]\nregion = [10, 20, 300, 400]\nmode = \"region\"\nmargin = 0.1\n" + minimal},
		"defaults in comments": {
			"[locate]\n# mode = \"round\"\n# px\n# region = [1, 2, 3, 4]\n# margin = 0.02\n" + minimal,
			"[locate]\n# mode = \"round\"\nmode = \"region\"\n# px\n# region = [1, 2, 3, 4]\nregion = [10, 20, 300, 400]\n# margin = 0.02\n" + minimal},
		"no section, no last line break": {
			strings.TrimSpace(minimal), strings.TrimSpace(minimal) + "\n\n[locate]\nregion = [10, 20, 300, 400]\nmode = \"region\"\n"},
		"an empty section at the end": {
			minimal + "[locate]", minimal + "[locate]\nregion = [10, 20, 300, 400]\nmode = \"region\"\n"},
		"dotted keys": {
			"locate.mode = 'round'\nlocate.region=[1,2,3,4]\n" + minimal, "locate.mode = \"region\"\nlocate.region= [10, 20, 300, 400]\n" + minimal},
		"an inline table": {
			"locate = {region = [1, 2, 3, 4], mode = \"round\", margin = 0.1}\n" + minimal,
			"locate = {region = [10, 20, 300, 400], mode = \"region\", margin = 0.1}\n" + minimal},
		"line ends of Windows": {
			strings.ReplaceAll(minimal+"[locate]\nmode = \"round\"\nregion = [1, 2, 3, 4]\n", "\n", "\r\n"),
			strings.ReplaceAll(minimal+"[locate]\nmode = \"region\"\nregion = [10, 20, 300, 400]\n", "\n", "\r\n")},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "station.toml")
			if err := os.WriteFile(path, []byte(c.old), 0o640); err != nil {
				t.Fatal(err)
			}
			link := path + ".link"
			if err := os.Symlink(path, link); err != nil {
				t.Fatal(err)
			}
			if err := config.SaveLocate(link, config.LocateRegion, []int{10, 20, 300, 400}); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(got)); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
			if info, err := os.Lstat(path); err != nil || info.Mode() != 0o640 {
				t.Errorf("the file is %v, %v", info.Mode(), err)
			}
			if err := config.SaveLocate(path, config.LocateRound, nil); err != nil {
				t.Fatal(err)
			}
			if cfg, err := config.Load(path); err != nil || cfg.Locate.Mode != config.LocateRound || len(cfg.Locate.Region) != 4 {
				t.Errorf("back to the outline: %+v, %v", cfg.Locate, err)
			}
		})
	}
}

// A change that cannot be made leaves the file as it was and says what to write by hand.
func TestSaveLocateFails(t *testing.T) {
	for name, text := range map[string]string{
		"a broken file":              minimal + "[locate\n",
		"an inline table without it": "locate = {margin = 0.1}\n" + minimal,
	} {
		path := filepath.Join(t.TempDir(), "station.toml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := config.SaveLocate(path, config.LocateRegion, []int{1, 2, 3, 4})
		failed, ok := errors.AsType[*config.SaveError](err)
		if !ok || !strings.Contains(failed.Hint(), `mode = "region", region = [1, 2, 3, 4]`) {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%s: the file is now %q, %v", name, got, err)
		}
	}
}

func TestPageReach(t *testing.T) {
	for listen, want := range map[string]bool{
		"127.0.0.1:8080": true, "localhost:80": true, "[::1]:8080": true, "127.9.9.9:1": true,
		"0.0.0.0:8080": false, ":8080": false, "[::]:8080": false, "192.168.1.5:80": false, "station:80": false, "": false,
	} {
		if got := (config.Page{Listen: listen}).Local(); got != want {
			t.Errorf("%q: local %v, want %v", listen, got, want)
		}
	}
}
