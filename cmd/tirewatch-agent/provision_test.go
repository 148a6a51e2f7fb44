package main

import (
	"os"
	"strings"
	"testing"
)

// The documentation and provision name the same command to open the GPIO chips.
func TestOpenChips(t *testing.T) {
	guide, err := os.ReadFile("../../docs/station.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(guide), "\n    "+openChips+"\n") {
		t.Errorf("docs/station.md does not say: %s", openChips)
	}
}
