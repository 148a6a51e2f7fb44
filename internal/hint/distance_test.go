package hint_test

import (
	"testing"

	"tirewatch/internal/hint"
)

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "epochs", 6},
		{"epochs", "epochs", 0},
		{"epoks", "epochs", 2},
		{"epochss", "epochs", 1},
		{"brocker", "broker", 1},
		{"form", "from", 2}, // two letters that change places are two replacements
	} {
		if got := hint.Distance(c.a, c.b); got != c.want {
			t.Errorf("%q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
		if got := hint.Distance(c.b, c.a); got != c.want {
			t.Errorf("%q to %q: %d, want %d", c.b, c.a, got, c.want)
		}
	}
}
