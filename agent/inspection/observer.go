package inspection

import (
	"time"

	"tirewatch/agent/trigger"
	"tirewatch/vision/frame"
	"tirewatch/vision/locate"
	"tirewatch/vision/verdict"
)

// Observer is called in the goroutine of the loop, so no function may block. Each may be nil.
type Observer struct {
	Progress func()                  // the loop is alive: for the watchdog
	Problem  func(part, text string) // a part of the station fails; "" when it works again
	Frame    func()                  // a frame arrived
	// Located gets the frame and the tires found in it; both are valid until it returns.
	Located func(f *frame.Frame, tires []locate.Tire)
	Uncut   func() // a chosen frame could not be cut into tiles

	Triggered    func(trigger.Kind)
	TriggerFault func(trigger.Fault)

	// Decided is called before the verdict is stored, because an ejector cannot wait for the disk.
	// middle is when the tire was in the middle of the frame.
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
