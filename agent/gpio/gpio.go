// Package gpio opens the GPIO lines of photo-eyes, encoders and ejectors:
//
//	photo-eye, encoder -> GPIO -> trigger, reject -> GPIO -> ejector, lamp
//
// It uses the kernel's /dev/gpiochip*, which every board has, and no driver for the registers of
// one board. Start with [Input] and [Output]. A test registers a gpiotest.Pin with periph's
// gpioreg.
package gpio

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"periph.io/x/conn/v3/driver/driverreg"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpioreg"
	_ "periph.io/x/host/v3/gpioioctl" // the driver of /dev/gpiochip*
)

// ErrNoLine means that no chip that this process may open has a line with this name.
var ErrNoLine = errors.New("no such line, or no permission to open its chip")

// LineError reports a line that cannot be used.
type LineError struct {
	Line string
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("GPIO line %s: %v", e.Line, e.Err) }
func (e *LineError) Unwrap() error { return e.Err }

// Hint returns what to do.
func (e *LineError) Hint() string {
	return "`gpioinfo` lists the lines and their users; " +
		"the service needs its drop-in gpio.conf, a person the group gpio"
}

// chips finds the chips once.
var chips = sync.OnceValue(func() error {
	state, err := driverreg.Init()
	if err != nil {
		return err
	}
	for _, failed := range state.Failed {
		err = errors.Join(err, failed.Err)
	}
	return err
})

// Open returns the line with this name. Its errors are *LineError.
func Open(line string) (gpio.PinIO, error) {
	err := chips()
	if p := gpioreg.ByName(line); p != nil {
		return p, nil
	}
	if err == nil {
		err = ErrNoLine
	}
	return nil, &LineError{line, err}
}

// Input opens a line to wait for its edges; pull sets its level when nothing is connected.
func Input(line string, pull gpio.Pull, edge gpio.Edge) (gpio.PinIO, error) {
	p, err := Open(line)
	if err != nil {
		return nil, err
	}
	if err := p.In(pull, edge); err != nil {
		return nil, &LineError{line, err}
	}
	return p, nil
}

// Output opens a line and sets its level.
func Output(line string, l gpio.Level) (gpio.PinIO, error) {
	p, err := Open(line)
	if err != nil {
		return nil, err
	}
	if err := p.Out(l); err != nil {
		return nil, &LineError{line, err}
	}
	return p, nil
}

// lookAgain is the longest wait for one edge, so that callers can check whether to stop.
const lookAgain = time.Second

// Wait waits at most a second for an edge of an Input and reports whether there was one. A failed
// line does not block; Wait then sleeps, so that a loop around it does not use the CPU.
func Wait(p gpio.PinIn) bool {
	start := time.Now()
	if p.WaitForEdge(lookAgain) {
		return true
	}
	if time.Since(start) < lookAgain/2 {
		time.Sleep(lookAgain)
	}
	return false
}
