package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpioreg"
	"periph.io/x/conn/v3/gpio/gpiotest"

	"tirewatch/cmd/internal/cli"
)

// lamp is a pin that records its levels.
type lamp struct {
	gpiotest.Pin
	levels []gpio.Level
}

func (l *lamp) Out(level gpio.Level) error {
	l.levels = append(l.levels, level)
	return l.Pin.Out(level)
}

func TestLampTest(t *testing.T) {
	pin := &lamp{Pin: gpiotest.Pin{N: "TEST_LAMP", Num: 9002}}
	if err := gpioreg.Register(pin); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { gpioreg.Unregister("TEST_LAMP") })
	const station = `
[station]
site = "a"
line = "b"
name = "c"
[camera]
source = "folder:photos"
[model]
keys = ["k.pub"]
`
	for _, c := range []struct {
		name, reject string
		flags        []string
		code         int
		says         string
		levels       []gpio.Level
	}{
		{"a pulse", "gpio = \"TEST_LAMP\"\nwidth = \"1ms\"", nil, cli.OK, "TEST_LAMP was high for 1ms", []gpio.Level{gpio.Low, gpio.High, gpio.Low}},
		{"active low", "gpio = \"TEST_LAMP\"\nwidth = \"1ms\"\nactive = \"low\"", nil, cli.OK, "was low", []gpio.Level{gpio.High, gpio.Low, gpio.High}},
		{"off", "gpio = \"TEST_LAMP\"\nactive = \"low\"", []string{"--off"}, cli.OK, "", []gpio.Level{gpio.High}},
		{"off, without a line", "", []string{"--off"}, cli.OK, "", nil},
		{"no line", "", nil, cli.Failed, "in the configuration, reject.gpio", nil},
		{"a line that does not exist", "gpio = \"NOWHERE99\"", nil, cli.Failed, "gpioinfo", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			pin.levels = nil
			path := filepath.Join(t.TempDir(), "station.toml")
			if err := os.WriteFile(path, []byte(station+"[reject]\n"+c.reject+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			code := cli.Run(t.Context(), newRootCmd(), append([]string{"lamptest", "--config", path}, c.flags...), &out, &out)
			if code != c.code || !strings.Contains(out.String(), c.says) || !slices.Equal(pin.levels, c.levels) {
				t.Errorf("code %d, levels %v, %s; want %d, %v, %q", code, pin.levels, &out, c.code, c.levels, c.says)
			}
		})
	}
}
