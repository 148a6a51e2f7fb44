package gpio_test

import (
	"errors"
	"testing"

	periph "periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpioreg"
	"periph.io/x/conn/v3/gpio/gpiotest"

	"tirewatch/agent/gpio"
)

func TestLines(t *testing.T) {
	pin := &gpiotest.Pin{N: "TEST_LAMP", Num: 9001}
	if err := gpioreg.Register(pin); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { gpioreg.Unregister("TEST_LAMP") })
	if _, err := gpio.Output("TEST_LAMP", periph.High); err != nil || pin.Read() != periph.High {
		t.Errorf("%v, level %v; want high", err, pin.Read())
	}
	_, err := gpio.Input("TEST_LAMP", periph.PullUp, periph.BothEdges) // this pin has no edges
	var line *gpio.LineError
	if !errors.As(err, &line) || line.Line != "TEST_LAMP" || line.Hint() == "" {
		t.Errorf("a line without edges: %v", err)
	}
	if _, err := gpio.Open("NOWHERE99"); !errors.Is(err, gpio.ErrNoLine) || !errors.As(err, &line) {
		t.Errorf("a missing line: %v", err)
	}
}
