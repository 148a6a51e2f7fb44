package web_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpioreg"
	"periph.io/x/conn/v3/gpio/gpiotest"
)

// What was wrong with triggers is counted on when the station starts again, as its verdicts are.
func TestTriggerErrorsOutliveTheStation(t *testing.T) {
	eye := &gpiotest.Pin{N: "PAGE_EYE", Num: 9021, EdgesChan: make(chan gpio.Level)}
	if err := gpioreg.Register(eye); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { gpioreg.Unregister(eye.N) })
	dir := prepareStation(t)
	const doubles = `
[locate]
mode = "region"
region = [0, 0, 400, 400]
[trigger]
mode = "photo-eye"
gpio = "PAGE_EYE"
min_gap = "1m"
`
	t.Run("first", func(t *testing.T) {
		s := start(t, dir, doubles)
		for triggerErrors(t, s) == 0 { // the second within a minute is a double
			for _, level := range []gpio.Level{gpio.High, gpio.Low} {
				eye.EdgesChan <- level
				time.Sleep(20 * time.Millisecond) // no bounce
			}
		}
	})
	text, err := os.ReadFile(filepath.Join(dir, "journal.db-shifts"))
	if err != nil {
		t.Fatal(err)
	}
	var noted struct {
		TriggerErrors map[string]int `json:"trigger_errors"`
	}
	if err := json.Unmarshal(text, &noted); err != nil {
		t.Fatal(err)
	}
	want := 0
	for _, n := range noted.TriggerErrors {
		want += n
	}
	if got := triggerErrors(t, start(t, dir, doubles)); got != want || want == 0 {
		t.Errorf("after the restart the page has %d trigger errors, %d were noted", got, want)
	}
}

// triggerErrors are those of all shifts, as the page shows them.
func triggerErrors(t *testing.T, s *testStation) (n int) {
	t.Helper()
	answer, err := http.Get(s.url + "/api/state")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var state struct {
		Shifts []struct {
			TriggerErrors int `json:"trigger_errors"`
		} `json:"shifts"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&state); err != nil {
		t.Fatal(err)
	}
	for _, shift := range state.Shifts {
		n += shift.TriggerErrors
	}
	return n
}
