package config

import _ "embed"

//go:embed example.toml
var example string

// Example is a complete file with every key: defaults and optional keys as comments. It is ready to
// be edited.
func Example() string { return example }

//go:embed station.toml.5.md
var manual string

// Manual is the man page station.toml(5) in Markdown, without its title.
func Manual() string { return manual }
