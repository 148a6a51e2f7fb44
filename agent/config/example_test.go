package config_test

import (
	"fmt"

	"tirewatch/agent/config"
)

// Every problem is reported at once, each with its line.
func ExampleParse() {
	_, err := config.Parse([]byte(`[station]
site = "plant-1"
line = "belt-2"
nam = "station-3"

[camera]
preset = "usb"
fps = -1

[model]
keys = ["maker.pub"]
`), "station.toml")
	fmt.Println(err)
	// Output:
	// station.toml:4: station.nam: unknown key: did you mean "name"?
	// station.toml:8: camera.fps: -1 is out of range: want 0 to 1000
	// station.toml: station.name: missing: want a name without / + # $ and control characters
}
