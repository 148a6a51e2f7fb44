package metrics_test

import (
	"fmt"
	"net/http/httptest"
	"strings"

	"tirewatch/agent/metrics"
)

func Example() {
	m := metrics.New("v1.2.3", sources(&queue{}))
	m.Frame()
	m.Frame()

	page := httptest.NewRecorder()
	m.Handler().ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(page.Body.String()) {
		if strings.Contains(line, "tirewatch_frames_total") {
			fmt.Print(line)
		}
	}
	// Output:
	// # HELP tirewatch_frames_total Frames that the station examined.
	// # TYPE tirewatch_frames_total counter
	// tirewatch_frames_total 2
}
