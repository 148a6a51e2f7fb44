package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The committed files are what the comments of config.go make.
func TestUpToDate(t *testing.T) {
	texts, err := generate("../../config.go")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range texts {
		got, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s is out of date, run go generate ./agent/config; want -, got +:\n%s", name, diff)
		}
	}
}

func TestColumns(t *testing.T) {
	texts, err := generate("../../config.go")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(texts["example.toml"]) {
		if line = strings.TrimSuffix(line, "\n"); len(line) > 100 {
			t.Errorf("%d columns, want at most 100: %s", len(line), line)
		}
	}
}

const source = `package config

// Config describes a belt.
type Config struct {
	Station Station ` + "`toml:\"station\"`" + `
	Belt    Belt    ` + "`toml:\"belt\"`" + `
}

// Station names the station.
type Station struct {
	// Site is the plant. Required. Example "p".
	Site string ` + "`toml:\"site\"`" + `
}

// Belt is the belt.
type Belt struct {
	// ID is its name. Default "SITE-belt".
	ID string ` + "`toml:\"id\"`" + `
	// Speed is in mm/s:
	//
	//	0   the belt stands
	//
	// Default 0; with a motor 100.
	Speed int ` + "`toml:\"speed\"`" + `
}
`

func TestGenerate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.go")
	generateFrom := func(text string) (map[string]string, error) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return generate(path)
	}
	texts, err := generateFrom(source)
	if err != nil {
		t.Fatal(err)
	}
	want := `
[station]
# Station names the station.

# site is the plant. Required.
site = "p"

[belt]
# Belt is the belt.

# id is its name.
# id = "p-belt"

# speed is in mm/s:
#
#   0   the belt stands
#
# Default 0; with a motor 100.
# speed = 0
`
	if diff := cmp.Diff(want, strings.TrimPrefix(texts["example.toml"], exampleHead)); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	for _, want := range []string{"station.toml describes a belt.", "# [belt]\n", "### id (text)\nid is its name. Default \"SITE-belt\".\n"} {
		if !strings.Contains(texts["station.toml.5.md"], want) {
			t.Errorf("the page lacks %q:\n%s", want, texts["station.toml.5.md"])
		}
	}

	for _, c := range []struct{ name, old, new, want string }{
		{"no value", ` Default "SITE-belt".`, "", "belt.id: the comment says `Default VALUE` or `Example VALUE` 0 times, want once"},
		{"no name", "// ID is", "// It is", "belt.id: the comment must begin with ID"},
		{"a type without words", "Speed int", "Speed uint", "belt.speed: no words for type uint"},
	} {
		if _, err := generateFrom(strings.Replace(source, c.old, c.new, 1)); err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
}
