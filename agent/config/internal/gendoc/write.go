package main

import (
	"fmt"
	"go/doc/comment"
	"strings"
)

const exampleHead = `# The configuration of one tire inspection station: edit a copy as /etc/tirewatch/station.toml.
#
# A key that is commented out shows its default; if its text says "Optional" or "Required", it shows
# an example. ` + "`tirewatch-agent check --config FILE`" + ` reports every problem with its line.
#
# Generated from the comments of agent/config/config.go by ` + "`go generate ./agent/config`" + `.
`

// example is the file to start from. Columns end at 100.
func (m manual) example() string {
	var b strings.Builder
	b.WriteString(exampleHead)
	out := comment.Printer{TextPrefix: "# ", TextCodePrefix: "#   ", TextWidth: 98}
	names := m.names()
	for _, s := range m.sections {
		fmt.Fprintf(&b, "\n[%s]\n%s", s.name, out.Text(s.text))
		for _, k := range s.keys {
			line := fmt.Sprintf("%s = %s\n", k.name, names.Replace(k.value))
			if !k.given {
				line = "# " + line
			}
			fmt.Fprintf(&b, "\n%s%s", out.Text(k.brief), line)
		}
	}
	return b.String()
}

// names puts the station's names of the example in the place of SITE, LINE and NAME.
func (m manual) names() *strings.Replacer {
	var pairs []string
	for _, k := range m.sections[0].keys {
		pairs = append(pairs, strings.ToUpper(k.name), strings.Trim(k.value, `"`))
	}
	return strings.NewReplacer(pairs...)
}

const pageHead = `<!-- Generated from the comments of config.go by go generate. -->

# NAME
station.toml - configuration of a tire inspection station

# SYNOPSIS
/etc/tirewatch/station.toml

# DESCRIPTION
`

const pageTail = `# FILES
**/etc/tirewatch/station.toml**: the configuration of the station.

**/etc/tirewatch/examples/station.toml**: every key with its default, to start from.

# SEE ALSO
**tirewatch-agent-check(8)** reports every problem of a configuration with its line.

**tirewatch-agent-provision(8)** writes a configuration from a few answers.

**tirewatch-agent-example(8)** prints every key with its default.
`

const pageTypes = `
A text is written in quotes. A duration is a text too: "90s", "30m", "1h30m" or "90d". SITE, LINE and
NAME in a default are the names of section station.

`

// page is the man page, without its title.
func (m manual) page() string {
	var b strings.Builder
	b.WriteString(pageHead)
	b.Write(markdown(m.text))
	b.WriteString(pageTypes)
	for _, s := range m.sections {
		fmt.Fprintf(&b, "# [%s]\n", s.name)
		b.Write(markdown(s.text))
		for _, k := range s.keys {
			fmt.Fprintf(&b, "\n### %s (%s)\n", strings.ReplaceAll(k.name, "_", `\_`), k.kind)
			b.Write(markdown(k.text))
		}
		b.WriteString("\n")
	}
	b.WriteString(pageTail)
	return b.String()
}

func markdown(d *comment.Doc) []byte { return (&comment.Printer{}).Markdown(d) }
