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

// belt connects the station to the belt: the triggers, and the outputs for rejects.
type belt struct {
	cfg      *config.Config
	counts   *metrics.Metrics
	problem  func(part, text string)
	log      *slog.Logger
	triggers chan trigger.Trigger // nil: each tire that passes is judged
	eye      *trigger.Eye         // nil: none
	output   *reject.Output       // nil: none
	encoder  *reject.Encoder      // nil: none
	publish  func(message.Reject) // nil: rejects are not published
}

// waitingTriggers is how many triggers may wait while the loop stores a verdict on a slow card.
const waitingTriggers = 64

// openBelt opens the configured lines. From here on the ejector's line is inactive.
func openBelt(d *daemon) (*belt, error) {
	b := &belt{cfg: d.cfg, counts: d.counts, problem: d.problems.set, log: d.log}
	if d.cfg.Reject.MQTT && d.link != nil {
		b.publish = d.link.uplink.PublishReject
	}
	t := d.cfg.Trigger
	if t.External() {
		b.triggers = make(chan trigger.Trigger, waitingTriggers)
	}
	if t.Mode == config.TriggerPhotoEye {
		active := level(t.Active)
		pin, err := lines.Input(t.GPIO, pullTo(!active), gpio.BothEdges)
		if err != nil {
			return nil, fmt.Errorf("photo-eye: %w", err)
		}
		b.eye = &trigger.Eye{
			Pin: pin, Active: active, Debounce: t.Debounce.Std(),
			Bounced: func() { d.counts.TriggerFault(trigger.Bounce) },
		}
	}
	if d.cfg.Reject.GPIO == "" {
		return b, nil
	}
	return b, b.openOutput(d.DrainTimeout)
}

// openOutput opens the line of the ejector, and of the encoder if there is one.
func (b *belt) openOutput(linger time.Duration) error {
	r := b.cfg.Reject
	pin, err := RejectLine(r)
	if err != nil {
		return err
	}
	options := reject.Options{
		Pin: pin, Active: level(r.Active), Width: r.Width.Std(), Delay: r.Delay.Std(), Pulses: r.Pulses,
		Linger: linger, Prompt: true, Sent: b.counts.RejectSent,
		Missed: func(order reject.Order, reason string) { b.missed(order.Part, order.Middle, reason) },
		Log:    b.log,
	}
	if r.Encoder != "" {
		pin, err := lines.Input(r.Encoder, gpio.PullNoChange, gpio.RisingEdge)
		if err != nil {
			return fmt.Errorf("encoder: %w", err)
		}
		b.encoder = reject.NewEncoder(pin)
		options.Encoder = b.encoder
	}
	b.output = reject.New(options)
	return nil
}

// start runs the lines until ctx ends; the ejector goes on for the tires on their way to it.
func (b *belt) start(ctx context.Context, background *sync.WaitGroup) {
	if b.eye != nil {
		background.Go(func() { b.eye.Watch(ctx, func(t trigger.Trigger) { b.trigger(t) }) })
	}
	if b.encoder != nil {
		// the encoder counts for as long as the ejector needs it
		encoding, stop := context.WithCancel(context.WithoutCancel(ctx))
		background.Go(func() { b.encoder.Run(encoding) })
		background.Go(func() { defer stop(); b.output.Run(ctx) })
	} else if b.output != nil {
		background.Go(func() { b.output.Run(ctx) })
	}
}

// options returns the triggers for the loop.
func (b *belt) options() inspection.Triggers {
	t := b.cfg.Trigger
	return inspection.Triggers{
		Source: b.triggers, Delay: t.Delay.Std(), Window: t.Window.Std(), MinGap: t.MinGap.Std(),
		Tracked: b.cfg.Locate.Mode == config.LocateRound,
	}
}

// errTooMany answers a trigger for which there is no room.
var errTooMany = errors.New("too many triggers wait: the station does not keep up")

// trigger passes a trigger to the loop. It does not block.
func (b *belt) trigger(t trigger.Trigger) {
	select {
	case b.triggers <- t:
	default:
		b.log.Error("trigger: dropped", "reason", errTooMany, "kind", t.Kind, "part", t.Part)
		b.counts.TriggerFault(trigger.Late)
		b.problem(inspection.TriggerPart, errTooMany.Error())
		if t.Reply != nil {
			t.Reply(errTooMany)
		}
	}
}

// latestAhead is how far the clock of a PLC may be ahead of the station's.
const latestAhead = time.Minute

// command takes a trigger that arrived through MQTT.
func (b *belt) command(c message.Command) {
	now := time.Now()
	t := trigger.Trigger{Kind: trigger.Command, Time: c.Time, Part: c.Part, Reply: c.Reply}
	switch {
	case c.Time.IsZero():
		t.Time = now
	case c.Time.Sub(now) > latestAhead:
		c.Reply(fmt.Errorf("the time of the trigger is %v in the future: one of the two clocks is wrong", c.Time.Sub(now).Round(time.Second)))
		return
	}
	b.trigger(t)
}

// decided lets the ejector act on a verdict.
func (b *belt) decided(v *verdict.Verdict, middle time.Time) {
	if b.output != nil && v.Reject == (b.cfg.Reject.On == config.OnReject) {
		b.output.Order(reject.Order{Middle: middle, Part: v.Part})
	}
}

// stored publishes a reject, whose number is known now.
func (b *belt) stored(v *verdict.Verdict, middle time.Time) {
	if b.publish == nil || !v.Reject {
		return
	}
	b.publish(message.Reject{
		Station: v.Station, Seq: v.Seq, Middle: middle.UTC(), Label: v.Label, Reason: v.Reason, Trigger: v.Trigger, Part: v.Part,
		Missed: func(err error) {
			b.log.Error("reject: missed", "reason", "not published", "seq", v.Seq, "part", v.Part, "error", err)
			b.missed(v.Part, middle, "not published: "+err.Error())
		},
	})
	if b.output == nil {
		b.counts.RejectSent()
	}
}

// missed reports a tire that should have left the belt and did not. The problem stays until the
// agent starts again: somebody must look for the tire.
func (b *belt) missed(part string, middle time.Time, reason string) {
	b.counts.RejectMissed()
	if part != "" {
		part = " " + part
	}
	b.problem("reject", fmt.Sprintf("missed the tire%s of %s: %s", part, middle.UTC().Format(time.RFC3339), reason))
}
