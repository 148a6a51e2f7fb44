// Package gpio opens the lines of photo-eyes, encoders and ejectors:
//
//	photo-eye, encoder -> GPIO -> trigger, reject -> GPIO -> ejector, lamp
//
// It goes through the kernel's /dev/gpiochip*, which every board has, and through no driver of one
// board's registers. Newcomers need Open; tests put a gpiotest.Pin into periph's register under a
// name of its own.
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

// ErrNoLine says that no chip that this process may open has a line of this name.
var ErrNoLine = errors.New("no such GPIO line, or no right to open its chip")

// LineError says which line cannot be used.
type LineError struct {
	Line string
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("GPIO line %s: %v", e.Line, e.Err) }
func (e *LineError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *LineError) Hint() string {
	return "`gpioinfo` lists the lines and who uses them; the service needs its drop-in gpio.conf, a person the group gpio"
}

// chips looks for the chips once.
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

// Open finds a line. Errors are *LineError.
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

// Input opens a line to wait for its edges; pull is what it reads when nothing is connected.
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

// Output opens a line and gives it the level.
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

// lookAgain is how often a line without edges is asked whether to go on.
const lookAgain = time.Second

// Wait waits for an edge of an Input for a second at most, and says whether one came. A line that
// fails does not block: then Wait sleeps, so that who asks again and again takes no processor.
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
