package checkpoint

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits for the texts about the origin, in bytes. A bundle holds the same line.
const (
	MaxOrigin  = 256
	MaxLicence = 16 << 10
)

// checkTexts refuses texts that could control the terminal that shows them.
func (c *Checkpoint) checkTexts() error {
	for _, t := range []struct {
		name, text, allowed string
		limit               int
	}{
		{"origin", c.Origin, "", MaxOrigin},
		{"licence", c.Licence, "\n", MaxLicence},
	} {
		unprintable := func(r rune) bool { return !unicode.IsPrint(r) && !strings.ContainsRune(t.allowed, r) }
		if len(t.text) > t.limit || !utf8.ValidString(t.text) || strings.ContainsFunc(t.text, unprintable) {
			return fmt.Errorf("the %s is not printable or longer than %d bytes", t.name, t.limit)
		}
	}
	return nil
}

// Inherit copies origin and licence from the checkpoint that gave the first weights: what is
// trained from another's weights is a work derived from them.
func (c *Checkpoint) Inherit(from *Checkpoint) { c.Origin, c.Licence = from.Origin, from.Licence }
