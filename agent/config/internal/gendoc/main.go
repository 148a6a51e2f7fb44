// Gendoc writes the two texts about station.toml that are made from the comments of package config:
// example.toml, the file to start from, and station.toml.5.md, the man page.
//
//	config.go -> GENDOC -> example.toml, station.toml.5.md
//
// It runs in the folder of the package: go generate ./agent/config
//
// The comment of a field is the text of its key. It begins with the name of the field and says
// `Default VALUE.` or `Example VALUE.`, with the value in TOML. SITE, LINE and NAME in a default
// stand for the station's names.
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "gendoc:", err)
		os.Exit(1)
	}
}

func run() error {
	texts, err := generate("config.go")
	if err != nil {
		return err
	}
	for name, text := range texts {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate returns the files, by name, that the comments of a Go file make.
func generate(source string) (map[string]string, error) {
	m, err := read(source)
	if err != nil {
		return nil, err
	}
	return map[string]string{"example.toml": m.example(), "station.toml.5.md": m.page()}, nil
}
