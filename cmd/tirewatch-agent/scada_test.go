package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"testing"
	"time"

	"tirewatch/agent/doctor"
)

// The example of the topic selfcheck in docs/scada.md is what doctor publishes.
func TestSelfCheckExample(t *testing.T) {
	scada, err := os.ReadFile("../../docs/scada.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)<!-- example: selfcheck -->\n```json\n(.*?)```\n").FindSubmatch(scada)
	if m == nil {
		t.Fatal("docs/scada.md has no example selfcheck")
	}
	var got bytes.Buffer
	if err := json.Compact(&got, m[1]); err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal(findings{
		Time: time.Date(2026, 3, 1, 5, 12, 40, 0, time.UTC), Well: true,
		Findings: []doctor.Finding{
			{Look: "files", State: doctor.OK, Found: "journal and models are writable"},
			{
				Look: "heat", State: doctor.Warning, Found: fmt.Sprintf("%.0f °C: the machine slows down to cool", 84.0),
				Do: "add a heat sink or a fan, then check with: cat /sys/class/thermal/thermal_zone*/temp (1/1000 °C)",
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the example is\n%s\nthe code encodes\n%s", got.Bytes(), want)
	}
}
