package inspection

import (
	"time"

	"tirewatch/agent/trigger"
	"tirewatch/vision/frame"
	"tirewatch/vision/locate"
	"tirewatch/vision/verdict"
)

// Observer is called with what the loop does, always in the loop's goroutine: no function may block.
// Each may be nil.
type Observer struct {
	Progress func()                                    // the loop is alive: the proof for the watchdog
	Problem  func(part, text string)                   // what stops a part of the station; "" when it works again
	Frame    func()                                    // a frame is looked at
	Located  func(f *frame.Frame, tires []locate.Tire) // the tires in it; both are valid until it returns
	Uncut    func()                                    // a chosen frame could not be cut into tiles

	Triggered    func(trigger.Kind)
	TriggerFault func(trigger.Fault)

	// Decided is called before the verdict is stored, with the time when the tire was in the middle
	// of the picture: an ejector waits for no disk.
	Decided func(v *verdict.Verdict, middle time.Time)
	Stored  func(Judgement)
}

// complete fills the fields that are nil with functions that do nothing.
func (o *Observer) complete() {
	if o.Progress == nil {
		o.Progress = func() {}
	}
	if o.Problem == nil {
		o.Problem = func(string, string) {}
	}
	if o.Frame == nil {
		o.Frame = func() {}
	}
	if o.Located == nil {
		o.Located = func(*frame.Frame, []locate.Tire) {}
	}
	if o.Uncut == nil {
		o.Uncut = func() {}
	}
	if o.Triggered == nil {
		o.Triggered = func(trigger.Kind) {}
	}
	if o.TriggerFault == nil {
		o.TriggerFault = func(trigger.Fault) {}
	}
	if o.Decided == nil {
		o.Decided = func(*verdict.Verdict, time.Time) {}
	}
	if o.Stored == nil {
		o.Stored = func(Judgement) {}
	}
}
