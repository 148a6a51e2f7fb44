//go:build !linux

package kernel

import (
	"slices"
	"testing"
)

type guardPages struct{}

func guards(*testing.T) (free func(), g *guardPages) { return func() {}, nil }

// guarded returns a copy without guard pages.
func guarded[T any](_ *guardPages, s []T, _ bool) []T { return slices.Clone(s) }
