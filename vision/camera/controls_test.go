package camera

import (
	"errors"
	"strings"
	"syscall"
	"testing"
)

// drawnCamera is a driver that behaves like UVC cameras: it refuses a value while its automatic
// mode is on.
type drawnCamera struct {
	controls map[uint32]control
	values   map[uint32]int32
	stubborn bool // accepts a value and keeps its own
	calls    []string
}

func newDrawnCamera(locks ...lock) *drawnCamera {
	c := &drawnCamera{controls: map[uint32]control{}, values: map[uint32]int32{}}
	for _, l := range locks {
		c.controls[l.automatic] = control{l.name + " automatic", 0, 3, 1}
		c.values[l.automatic] = l.on[0]
		c.controls[l.value] = control{l.name + " absolute", 10, 1000, 5}
		c.values[l.value] = 100
	}
	return c
}

func (c *drawnCamera) query(id uint32) (control, error) {
	known, ok := c.controls[id]
	if !ok {
		return control{}, errNoControl
	}
	return known, nil
}

func (c *drawnCamera) get(id uint32) (int32, error) { return c.values[id], nil }

func (c *drawnCamera) set(id uint32, value int32) error {
	for _, l := range []lock{lockExposure, lockGain, lockWhiteBalance, lockFocus} {
		if _, has := c.controls[l.automatic]; id == l.value && has && c.values[l.automatic] != l.off {
			return syscall.EACCES
		}
	}
	c.calls = append(c.calls, c.controls[id].name)
	if !c.stubborn || strings.HasSuffix(c.controls[id].name, "automatic") {
		c.values[id] = value
	}
	return nil
}

func TestControlsAreLocked(t *testing.T) {
	cam := newDrawnCamera(lockExposure, lockWhiteBalance, lockFocus)
	exposure, balance := 155, 500
	if err := (Controls{Exposure: &exposure, WhiteBalance: &balance}).apply("/dev/video0", cam); err != nil {
		t.Fatal(err)
	}
	for what, got := range map[string][2]int32{
		"exposure":                       {cam.values[lockExposure.value], 155},
		"exposure's automatic mode":      {cam.values[lockExposure.automatic], 1},
		"white balance":                  {cam.values[lockWhiteBalance.value], 500},
		"white balance's automatic mode": {cam.values[lockWhiteBalance.automatic], 0},
		"the focus, which is not set,":   {cam.values[lockFocus.automatic], 1},
	} {
		if got[0] != got[1] {
			t.Errorf("%s is %d, want %d", what, got[0], got[1])
		}
	}
	// Without the keys, the camera chooses the values again.
	if err := (Controls{}).apply("/dev/video0", cam); err != nil ||
		cam.values[lockExposure.automatic] != 3 || cam.values[lockWhiteBalance.automatic] != 1 {
		t.Errorf("%v, %v", cam.values, err)
	}
}

// A camera without automatic gain still has a gain.
func TestControlWithoutAutomatic(t *testing.T) {
	cam := newDrawnCamera(lockGain)
	delete(cam.controls, lockGain.automatic)
	gain := 15
	if err := (Controls{Gain: &gain}).apply("/dev/video0", cam); err != nil || cam.values[lockGain.value] != 15 {
		t.Errorf("%v, %v", cam.values, err)
	}
}

func TestControlsThatCannotBe(t *testing.T) {
	number := func(n int) *int { return &n }
	for _, test := range []struct {
		name       string
		c          Controls
		stubborn   bool
		want, hint string
	}{
		{"too much", Controls{Exposure: number(5000)}, false,
			"/dev/video0: set exposure to 5000: exposure absolute accepts 10 to 1000 in steps of 5",
			"the nearest value is exposure = 1000"},
		{"too little", Controls{Exposure: number(0)}, false,
			"/dev/video0: set exposure to 0: exposure absolute accepts 10 to 1000 in steps of 5",
			"the nearest value is exposure = 10"},
		{"between two steps", Controls{Exposure: number(158)}, false,
			"/dev/video0: set exposure to 158: exposure absolute accepts 10 to 1000 in steps of 5",
			"the nearest value is exposure = 155"},
		{"not there", Controls{Focus: number(20)}, false,
			"/dev/video0: set focus to 20: the camera has no such control",
			"v4l2-ctl -d /dev/video0 --list-ctrls-menus shows"},
		{"not kept", Controls{Exposure: number(200)}, true,
			"/dev/video0: set exposure to 200: the camera set 100 instead",
			"use exposure = 100, or find the camera setting"},
	} {
		cam := newDrawnCamera(lockExposure)
		cam.stubborn = test.stubborn
		err := test.c.apply("/dev/video0", cam)
		failure, ok := errors.AsType[*ControlError](err)
		if !ok || err.Error() != test.want || !strings.HasPrefix(failure.Hint(), test.hint) {
			t.Errorf("%s: %v; hint %q", test.name, err, failure.Hint())
		}
	}
}
