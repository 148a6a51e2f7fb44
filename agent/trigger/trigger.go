// Package trigger defines what requests a verdict:
//
//	photo-eye on a GPIO, MQTT command -> TRIGGER -> station loop: gather frames, vote, one verdict
//
// A tire gets exactly one verdict, even if its trigger is repeated, late or missing. Start with
// [Trigger], the input of the station loop, and [Eye], which makes triggers from a photo-eye.
package trigger

import (
	"errors"
	"time"
)

// Kind is the source of a trigger. The verdict contains it.
type Kind string

const (
	Presence Kind = "presence"  // the camera saw a tire pass
	Frame    Kind = "frame"     // each frame is a tire
	PhotoEye Kind = "photo-eye" // a photo-eye beside the belt
	Command  Kind = "command"   // a PLC, through MQTT
	Missing  Kind = "missing"   // none: the camera saw a tire pass without a trigger
)

// Trigger requests the verdict for one tire.
type Trigger struct {
	Kind Kind
	Time time.Time // when the tire was at the photo-eye
	Part string    // the PLC's name for it; may be empty

	// Reply is called once with the result: nil when the verdict is stored, otherwise why there is
	// none. It must not block. It may be nil.
	Reply func(err error)
}

// Fault is a fault of a trigger.
type Fault string

const (
	Double Fault = "double"  // a second trigger for the same tire: no second verdict
	Late   Fault = "late"    // its tire has already passed
	Absent Fault = "missing" // a tire passed without a trigger
	Bounce Fault = "bounce"  // an edge that debouncing removed
)

// Faults returns all faults, in the order of reports.
func Faults() []Fault { return []Fault{Double, Late, Absent, Bounce} }

// Replies to triggers that get no verdict of their own.
var (
	ErrDouble = errors.New("double trigger: this tire already has its verdict or is about to get it")
	ErrLate   = errors.New("late trigger: this tire has passed and got a verdict without it")
)
