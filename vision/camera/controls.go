package camera

import (
	"errors"
	"fmt"
)

// Controls are settings of a V4L2 camera that must not follow the image. A tire on a belt fills the
// frame for a moment and leaves it. A camera that adapts shows each tire differently from the
// images that the network was trained on. nil leaves a setting to the camera's automatic mode, even
// if an earlier run has locked it: cameras keep their settings until they are unplugged.
type Controls struct {
	Exposure     *int // 100 microseconds
	Gain         *int // the camera's own unit
	WhiteBalance *int // K
	Focus        *int // the camera's own unit
}

// lock is one of Controls. Its automatic mode must be off before the value has an effect.
type lock struct {
	name      string // of the key in the configuration
	automatic uint32
	off       int32
	on        []int32 // tried in order; the camera accepts at least one
	value     uint32
}

// Control ids and values of the kernel's v4l2-controls.h.
var (
	// EXPOSURE_AUTO: 1 manual, 3 aperture priority, 0 auto
	lockExposure     = lock{"exposure", 0x009a0901, 1, []int32{3, 0}, 0x009a0902}
	lockGain         = lock{"gain", 0x00980912, 0, []int32{1}, 0x00980913}
	lockWhiteBalance = lock{"white_balance", 0x0098090c, 0, []int32{1}, 0x0098091a}
	lockFocus        = lock{"focus", 0x009a090c, 0, []int32{1}, 0x009a090a}
)

// control is a driver's description of one of its settings.
type control struct {
	name           string
	min, max, step int32
}

// errNoControl means that the camera does not have the setting.
var errNoControl = errors.New("the camera has no such control")

// controller is an open V4L2 device. Its errors are errNoControl or those of the system.
type controller interface {
	query(id uint32) (control, error)
	get(id uint32) (int32, error)
	set(id uint32, value int32) error
}

// ControlError is a setting that the camera does not have or does not accept.
type ControlError struct {
	Device string
	Key    string // in the configuration
	Want   int
	Err    error
	Advice string
}

func (e *ControlError) Error() string {
	return fmt.Sprintf("%s: set %s to %d: %v", e.Device, e.Key, e.Want, e.Err)
}
func (e *ControlError) Unwrap() error { return e.Err }

// Hint returns what to do about it.
func (e *ControlError) Hint() string { return e.Advice }

// apply locks the settings in c, returns the others to automatic mode, and reads each value back.
func (c Controls) apply(device string, dev controller) error {
	for _, s := range []struct {
		lock lock
		want *int
	}{{lockExposure, c.Exposure}, {lockGain, c.Gain}, {lockWhiteBalance, c.WhiteBalance}, {lockFocus, c.Focus}} {
		if s.want == nil {
			s.lock.release(dev)
			continue
		}
		if err := s.lock.set(dev, *s.want); err != nil {
			err.Device = device
			if err.Advice == "" {
				err.Advice = fmt.Sprintf("v4l2-ctl -d %s --list-ctrls-menus shows what the camera supports; "+
					"without the key, the camera chooses the value", device)
			}
			return err
		}
	}
	return nil
}

// release returns a setting to its automatic mode. It is not an error that many cameras have none.
func (l lock) release(dev controller) {
	if _, err := dev.query(l.automatic); err != nil {
		return
	}
	for _, on := range l.on {
		if dev.set(l.automatic, on) == nil {
			return
		}
	}
}

// set first switches the automatic mode off, then sets the value. With the mode on, a driver
// refuses the value or loses it with the next image.
func (l lock) set(dev controller, want int) *ControlError {
	failed := func(advice, format string, args ...any) *ControlError {
		return &ControlError{Key: l.name, Want: want, Err: fmt.Errorf(format, args...), Advice: advice}
	}
	known, err := dev.query(l.value)
	if err != nil {
		return failed("", "%w", err)
	}
	step := max(1, int64(known.step))
	if below := int64(want) - int64(known.min); below < 0 || want > int(known.max) || below%step != 0 {
		nearest := min(max(int64(want), int64(known.min)), int64(known.max))
		nearest -= (nearest - int64(known.min)) % step
		return failed(fmt.Sprintf("the nearest value is %s = %d", l.name, nearest),
			"%s accepts %d to %d in steps of %d", known.name, known.min, known.max, step)
	}
	if _, err := dev.query(l.automatic); err == nil {
		if err := dev.set(l.automatic, l.off); err != nil {
			return failed("", "switch off its automatic mode: %w", err)
		}
		if got, err := dev.get(l.automatic); err != nil || got != l.off {
			return failed("", "switch off its automatic mode: it stays at %d, %v", got, err)
		}
	} else if !errors.Is(err, errNoControl) {
		return failed("", "%w", err)
	}
	if err := dev.set(l.value, int32(want)); err != nil {
		return failed("", "%w", err)
	}
	got, err := dev.get(l.value)
	if err != nil {
		return failed("", "read it back: %w", err)
	}
	if got != int32(want) {
		return failed(fmt.Sprintf("use %s = %d, or find the camera setting that overrides it", l.name, got),
			"the camera set %d instead", got)
	}
	return nil
}
