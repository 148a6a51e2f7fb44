package provision_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"tirewatch/agent/provision"
	"tirewatch/vision/bundle"
)

func ExampleWrite() {
	dir, err := os.MkdirTemp("", "provision")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if _, err := bundle.GenerateKey(filepath.Join(dir, "plant.key")); err != nil {
		log.Fatal(err)
	}
	path := filepath.Join(dir, "station.toml")
	answers := provision.Answers{Station: "plant-1/belt-2/station-3", Camera: "usb", Key: filepath.Join(dir, "plant.key.pub")}
	if err := provision.Write(path, answers, false); err != nil {
		log.Fatal(err)
	}
	text, err := os.ReadFile(path)
	fmt.Print(string(text), err)
	// Output:
	// # The configuration of this station, written by `tirewatch-agent provision`.
	// # All other keys have their defaults: see `man station.toml`.
	//
	// [station]
	// site = "plant-1"
	// line = "belt-2"
	// name = "station-3"
	//
	// [camera]
	// preset = "usb"
	//
	// [model]
	// # The bundles of these keys are accepted.
	// keys = ["maker.pub"]
	// <nil>
}
