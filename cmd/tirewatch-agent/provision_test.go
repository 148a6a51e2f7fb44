package main

import (
	"os"
	"strings"
	"testing"
)

// The README and provision open the GPIO chips alike.
func TestOpenChips(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "\n    "+openChips+" ") {
		t.Errorf("the README does not say: %s", openChips)
	}
}
