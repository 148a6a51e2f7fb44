package models_test

import (
	"fmt"
	"log"
	"log/slog"
	"os"

	"tirewatch/agent/models"
	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
)

func Example() {
	dir, err := os.MkdirTemp("", "models")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	store, err := models.Open(models.Options{
		Dir: dir, Probation: models.Probation{Verdicts: 200}, Log: slog.New(slog.DiscardHandler),
		Verify: models.Verifier(bundletest.Public(1), "plant/line/1", nil),
	})
	if err != nil {
		log.Fatal(err)
	}
	for serial := range uint64(2) {
		data, _ := bundle.Encode(bundletest.Small(serial+1), bundletest.Key(1))
		if _, err := store.Install(data); err != nil {
			log.Fatal(err)
		}
	}
	s := store.Snapshot()
	fmt.Println("serial", s.Active.Bundle.Serial, "is on probation for", s.Trial.Of, "verdicts")
	fmt.Println("serial", s.Active.Shadow.Bundle.Serial, "is its shadow")
	// Output:
	// serial 2 is on probation for 200 verdicts
	// serial 1 is its shadow
}
