package sparkplug

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"tirewatch/agent/sparkplug/spb"
)

// The table in docs/scada.md lists the metrics that the station sends, in the same order.
func TestScadaNamesTheMetrics(t *testing.T) {
	scada, err := os.ReadFile("../../docs/scada.md")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{row(bdSeqName, spb.DataType_Int64), row(rebirthName, spb.DataType_Boolean)}
	for _, m := range nodeMetrics {
		want = append(want, row(m.name, m.kind))
	}
	for _, m := range deviceMetrics {
		want = append(want, row(m.name, m.kind))
	}
	var got []string
	for line := range strings.Lines(string(scada)) {
		c := strings.Split(line, "|")
		if len(c) != 5 || !strings.HasPrefix(c[1], " `") {
			continue
		}
		if strings.Contains(c[1], "/") || strings.Contains(c[1], bdSeqName) {
			got = append(got, c[1]+"|"+c[2])
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("docs/scada.md has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func row(name string, kind spb.DataType) string { return fmt.Sprintf(" `%s` | %v ", name, kind) }
