package main

import (
	"os"
	"strings"
	"testing"
)

// The README and provision give access to the GPIO chips with the same command.
func TestOpenChips(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "\n    "+openChips+" ") {
		t.Errorf("the README does not say: %s", openChips)
	}
}
