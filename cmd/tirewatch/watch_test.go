package main

import (
	"fmt"
	"strings"
	"testing"

	"tirewatch/agent/message"
	"tirewatch/vision/verdict"
)

// For people an unsure tire has the word unsure, and its number is beside those of the health. A
// tire that could not be judged has no such word.
func TestUnsureInWords(t *testing.T) {
	for reason, want := range map[string]string{verdict.Unsure: "  unsure  0.420  ", "late": "  no_decision  0.420  "} {
		var out strings.Builder
		v := &verdict.Verdict{Station: "a/b/c", Label: verdict.NoDecision, Reason: reason, Probability: 0.42}
		if err := printVerdict(&out, v, false); err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("%q, %v; want %q", out.String(), err, want)
		}
	}
	var rows []string
	row := func(name, format string, args ...any) { rows = append(rows, name+" "+fmt.Sprintf(format, args...)) }
	h := &message.Health{Verdicts: map[string]uint64{"normal": 5, "crack": 1, "no_decision": 3}, Unsure: 2}
	if writeHealth(row, h); !strings.HasSuffix(rows[1], "5 verdicts normal, 1 crack, 3 no decision (2 unsure)") {
		t.Errorf("%q", rows)
	}
}
