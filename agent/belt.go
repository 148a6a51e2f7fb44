package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"periph.io/x/conn/v3/gpio"

	"tirewatch/agent/config"
	lines "tirewatch/agent/gpio"
	"tirewatch/agent/inspection"
	"tirewatch/agent/message"
	"tirewatch/agent/metrics"
	"tirewatch/agent/reject"
	"tirewatch/agent/trigger"
	"tirewatch/vision/verdict"
)

// outside joins the station to the belt: what asks for verdicts, and what rejects act on.
type outside struct {
	cfg      *config.Config
	counts   *metrics.Metrics
	tell     *problems
	log      *slog.Logger
	triggers chan trigger.Trigger // nil: tires ask for themselves
	eye      *trigger.Eye         // nil: none
	output   *reject.Output       // nil: none
	encoder  *reject.Encoder      // nil: none
	publish  func(message.Reject) // nil: rejects are not published
}

// waitingTriggers is room for what comes while the loop stores a verdict on a slow card.
const waitingTriggers = 64

// openOutside opens the lines that the configuration names. The ejector's is inactive from here on.
func openOutside(cfg *config.Config, linger time.Duration, counts *metrics.Metrics, tell *problems, log *slog.Logger) (*outside, error) {
	o := &outside{cfg: cfg, counts: counts, tell: tell, log: log}
	t, r := cfg.Trigger, cfg.Reject
	if t.Asked() {
		o.triggers = make(chan trigger.Trigger, waitingTriggers)
	}
	if t.Mode == config.TriggerPhotoEye {
		active := level(t.Active)
		pin, err := lines.Input(t.GPIO, pullTo(!active), gpio.BothEdges)
		if err != nil {
			return nil, fmt.Errorf("photo-eye: %w", err)
		}
		o.eye = &trigger.Eye{Pin: pin, Active: active, Debounce: t.Debounce.Std(), Bounced: func() { counts.TriggerFault(trigger.Bounce) }}
	}
	if r.GPIO != "" {
		pin, err := RejectLine(r)
		if err != nil {
			return nil, err
		}
		options := reject.Options{Pin: pin, Active: level(r.Active), Width: r.Width.Std(), Delay: r.Delay.Std(), Pulses: r.Pulses, Linger: linger, Prompt: true,
			Sent: counts.RejectSent, Missed: func(order reject.Order, reason string) { o.missed(order.Part, order.Middle, reason) }, Log: log}
		if r.Encoder != "" {
			pin, err := lines.Input(r.Encoder, gpio.PullNoChange, gpio.RisingEdge)
			if err != nil {
				return nil, fmt.Errorf("encoder: %w", err)
			}
			o.encoder = reject.NewEncoder(pin)
			options.Encoder = o.encoder
		}
		o.output = reject.New(options)
	}
	return o, nil
}

// RejectLine opens the line of the ejector and makes it inactive.
func RejectLine(r config.Reject) (gpio.PinIO, error) {
	pin, err := lines.Output(r.GPIO, !level(r.Active))
	if err != nil {
		return nil, fmt.Errorf("reject output: %w", err)
	}
	return pin, nil
}

func level(active string) gpio.Level { return active == config.ActiveHigh }

func pullTo(l gpio.Level) gpio.Pull {
	if l {
		return gpio.PullUp
	}
	return gpio.PullDown
}

// run works the lines until ctx ends, the ejector until done does too.
func (o *outside) run(ctx context.Context, background *sync.WaitGroup) {
	if o.eye != nil {
		background.Go(func() { o.eye.Watch(ctx, func(t trigger.Trigger) { o.trigger(t) }) })
	}
	if o.encoder != nil {
		// tires under way are counted to the end
		encoding, stop := context.WithCancel(context.WithoutCancel(ctx))
		background.Go(func() { o.encoder.Run(encoding) })
		background.Go(func() { defer stop(); o.output.Run(ctx) })
	} else if o.output != nil {
		background.Go(func() { o.output.Run(ctx) })
	}
}

// errTooMany answers a trigger for which there is no room.
var errTooMany = errors.New("too many triggers wait: the station does not keep up")

// trigger hands a trigger to the station's loop. It does not block.
func (o *outside) trigger(t trigger.Trigger) {
	select {
	case o.triggers <- t:
	default:
		o.log.Error("A TRIGGER IS LOST: too many wait", "kind", t.Kind, "part", t.Part)
		o.counts.TriggerFault(trigger.Late)
		o.tell.set(inspection.TriggerPart, errTooMany.Error())
		if t.Reply != nil {
			t.Reply(errTooMany)
		}
	}
}

// latestAhead is how far a PLC's clock may be ahead of the station's.
const latestAhead = time.Minute

// command is a trigger that came through MQTT.
func (o *outside) command(c message.Command) {
	now := time.Now()
	t := trigger.Trigger{Kind: trigger.Command, Time: c.Time, Part: c.Part, Reply: c.Reply}
	switch {
	case c.Time.IsZero():
		t.Time = now
	case c.Time.Sub(now) > latestAhead:
		c.Reply(fmt.Errorf("the trigger is of %v from now: one of the two clocks is wrong", c.Time.Sub(now).Round(time.Second)))
		return
	}
	o.trigger(t)
}

// asked are the options of a station that is asked for verdicts. wrong is told when something was
// wrong with a trigger.
func (o *outside) asked(wrong func(at time.Time)) inspection.Asked {
	t := o.cfg.Trigger
	return inspection.Asked{
		Triggers: o.triggers, Delay: t.Delay.Std(), Window: t.Window.Std(), MinGap: t.MinGap.Std(),
		Witness: o.cfg.Locate.Mode == config.LocateRound, Came: o.counts.Trigger,
		Fault: func(f trigger.Fault) { o.counts.TriggerFault(f); wrong(time.Now()) },
	}
}

// decided lets the ejector act on a verdict.
func (o *outside) decided(v *verdict.Verdict, middle time.Time) {
	if o.output != nil && v.Reject == (o.cfg.Reject.On == config.OnReject) {
		o.output.Order(reject.Order{Middle: middle, Part: v.Part})
	}
}

// stored publishes a reject, whose number is known now.
func (o *outside) stored(v *verdict.Verdict, middle time.Time) {
	if o.publish == nil || !v.Reject {
		return
	}
	o.publish(message.Reject{
		Station: v.Station, Seq: v.Seq, Middle: middle.UTC(), Label: v.Label, Reason: v.Reason, Trigger: v.Trigger, Part: v.Part,
		Missed: func(err error) {
			o.log.Error("MISSED REJECT: it was not published", "seq", v.Seq, "part", v.Part, "error", err)
			o.missed(v.Part, middle, "not published: "+err.Error())
		},
	})
	if o.output == nil {
		o.counts.RejectSent()
	}
}

// missed reports a tire that should have been thrown off the belt and was not. It stays among the
// problems until the agent starts anew: somebody must have looked for the tire.
func (o *outside) missed(part string, middle time.Time, reason string) {
	o.counts.RejectMissed()
	if part != "" {
		part = " " + part
	}
	o.tell.set("reject", fmt.Sprintf("missed the tire%s of %s: %s", part, middle.UTC().Format(time.RFC3339), reason))
}
