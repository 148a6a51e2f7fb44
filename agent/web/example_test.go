package web_test

import (
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"

	"tirewatch/agent/config"
	"tirewatch/agent/journal"
	"tirewatch/agent/web"
)

// A page for viewers at the station itself needs no password. Its journal has no verdicts yet.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "page")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	j, err := journal.Open(filepath.Join(dir, "journal.db"), stationName)
	if err != nil {
		panic(err)
	}
	defer j.Close()
	page, err := web.New(web.Options{
		Page:    config.Page{Listen: "127.0.0.1:8080", Shifts: []string{"06:00", "14:00", "22:00"}},
		Station: stationName, Journal: j, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		panic(err)
	}
	w := httptest.NewRecorder()
	page.Handler().ServeHTTP(w, httptest.NewRequest("GET", "http://localhost/api/verdicts?label=crack", nil))
	fmt.Println(w.Code, w.Body)
	// Output: 200 {"verdicts":null}
}
