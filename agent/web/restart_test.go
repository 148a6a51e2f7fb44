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

// The counts of trigger errors survive a restart of the station.
func TestTriggerErrorsOutliveTheStation(t *testing.T) {
	eye := &gpiotest.Pin{N: "PAGE_EYE", Num: 9021, EdgesChan: make(chan gpio.Level)}
	if err := gpioreg.Register(eye); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { gpioreg.Unregister(eye.N) })
	dir := prepareStation(t)
	const duplicates = `
[locate]
mode = "region"
region = [0, 0, 400, 400]
[trigger]
mode = "photo-eye"
gpio = "PAGE_EYE"
min_gap = "1m"
`
	t.Run("first", func(t *testing.T) {
		s := start(t, dir, duplicates)
		for triggerErrors(t, s) == 0 { // the second trigger within a minute is a duplicate
			for _, level := range []gpio.Level{gpio.High, gpio.Low} {
				eye.EdgesChan <- level
				time.Sleep(20 * time.Millisecond) // longer than a bounce
			}
		}
	})
	text, err := os.ReadFile(filepath.Join(dir, "journal.db-shifts"))
	if err != nil {
		t.Fatal(err)
	}
	var saved struct {
		TriggerErrors map[string]int `json:"trigger_errors"`
	}
	if err := json.Unmarshal(text, &saved); err != nil {
		t.Fatal(err)
	}
	want := 0
	for _, n := range saved.TriggerErrors {
		want += n
	}
	if got := triggerErrors(t, start(t, dir, duplicates)); got != want || want == 0 {
		t.Errorf("after the restart the page has %d trigger errors, the file has %d", got, want)
	}
}

// triggerErrors returns the trigger errors of all shifts that the page shows.
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
