// Package trigger is what asks for a verdict:
//
//	photo-eye on a GPIO, MQTT command -> TRIGGER -> station loop: gather frames, vote, one verdict
//
// A tire gets one verdict, whatever its triggers do: come twice, late or not at all. Newcomers need
// Trigger, what the station loop gets, and Eye, which makes triggers of a photo-eye's edges.
package trigger

import (
	"errors"
	"time"
)

// Kind is what asked for a verdict; it stands there.
type Kind string

const (
	Presence Kind = "presence"  // the camera saw a tire pass
	Frame    Kind = "frame"     // each picture is a tire
	PhotoEye Kind = "photo-eye" // a photo-eye beside the belt
	Command  Kind = "command"   // a PLC, through MQTT
	Missing  Kind = "missing"   // nothing: the camera saw a tire pass that no trigger came for
)

// Trigger asks for the verdict on one tire.
type Trigger struct {
	Kind Kind
	Time time.Time // when the tire was at the photo-eye
	Part string    // the PLC's name for it; may be empty

	// Reply is told once what became of it: nil when its verdict is stored, or why it gets none. It
	// does not block; nil: nobody asks.
	Reply func(err error)
}

// Fault is what can be wrong with a trigger.
type Fault string

const (
	Double Fault = "double" // a second one for the same tire: no second verdict
	Late   Fault = "late"   // its tire has passed
	Absent Fault = "missing"
	Bounce Fault = "bounce" // an edge that the debouncing took away
)

// Faults are all faults, in the order of reports.
func Faults() []Fault { return []Fault{Double, Late, Absent, Bounce} }

// Replies to triggers that get no verdict of their own.
var (
	ErrDouble = errors.New("double trigger: this tire has its verdict already, or is about to get it")
	ErrLate   = errors.New("late trigger: this tire has passed and got a verdict without it")
)
