package reject_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"

	"tirewatch/agent/reject"
)

// recorder is a pin that records the changes of its level, in ms since the start.
type recorder struct {
	gpiotest.Pin
	start   time.Time
	changes []string
	fails   bool
}

func (r *recorder) Out(l gpio.Level) error {
	if r.fails {
		return errors.New("broken wire")
	}
	if l != r.Read() {
		r.changes = append(r.changes, fmt.Sprintf("%d %s", time.Since(r.start).Milliseconds(), l))
	}
	return r.Pin.Out(l)
}

const ms = time.Millisecond

func TestPulses(t *testing.T) {
	for _, c := range []struct {
		name   string
		delay  time.Duration
		active gpio.Level
		linger time.Duration
		stop   time.Duration // after the start
		// gives the orders; middle(at) decides now on a tire that was in the middle at ms at
		run    func(middle func(at int), u *reject.Output)
		want   []string
		missed int
	}{
		{"one tire", 500 * ms, gpio.High, 0, 2 * time.Second, func(middle func(int), _ *reject.Output) {
			time.Sleep(300 * ms)
			middle(100)
		}, []string{"600 High", "700 Low"}, 0},
		{"an active low ejector", 500 * ms, gpio.Low, 0, 2 * time.Second, func(middle func(int), _ *reject.Output) {
			middle(0)
		}, []string{"500 Low", "600 High"}, 0},
		{"three on their way, decided on out of order", time.Second, gpio.High, 0, 3 * time.Second, func(middle func(int), _ *reject.Output) {
			time.Sleep(900 * ms)
			middle(400)
			middle(0)
			middle(800)
		}, []string{"1000 High", "1100 Low", "1400 High", "1500 Low", "1800 High", "1900 Low"}, 0},
		{"two overlapping pulses are one long pulse", 500 * ms, gpio.High, 0, 2 * time.Second, func(middle func(int), _ *reject.Output) {
			middle(0)
			middle(60)
		}, []string{"500 High", "660 Low"}, 0},
		{"a lamp", 0, gpio.High, 0, 2 * time.Second, func(middle func(int), _ *reject.Output) {
			time.Sleep(300 * ms)
			middle(0)
		}, []string{"300 High", "400 Low"}, 0},
		{"decided on too late", 500 * ms, gpio.High, 0, 2 * time.Second, func(middle func(int), _ *reject.Output) {
			time.Sleep(501 * ms)
			middle(0)
		}, nil, 1},
		{"a lamp test", 500 * ms, gpio.High, 0, 2 * time.Second, func(_ func(int), u *reject.Output) {
			time.Sleep(50 * ms)
			u.Test()
		}, []string{"50 High", "150 Low"}, 0},
		{"stopped during a pulse and before another", 500 * ms, gpio.High, 0, 550 * ms, func(middle func(int), _ *reject.Output) {
			middle(0)
			middle(400)
		}, []string{"500 High", "550 Low"}, 1},
		{"stopped, with time for tires on their way", 500 * ms, gpio.High, 5 * time.Second, 550 * ms, func(middle func(int), _ *reject.Output) {
			middle(0)
			middle(400)
		}, []string{"500 High", "600 Low", "900 High", "1000 Low"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				pin := &recorder{start: start, Pin: gpiotest.Pin{L: !c.active}}
				missed, sent := 0, 0
				u := reject.New(reject.Options{Pin: pin, Active: c.active, Width: 100 * ms, Delay: c.delay, Linger: c.linger, Log: quiet,
					Sent: func() { sent++ }, Missed: func(reject.Order, string) { missed++ }})
				ctx, cancel := context.WithTimeout(t.Context(), c.stop)
				defer cancel()
				ended := make(chan struct{})
				go func() { u.Run(ctx); close(ended) }()
				orders := 0
				c.run(func(at int) {
					orders++
					u.Order(reject.Order{Middle: start.Add(time.Duration(at) * ms)})
				}, u)
				<-ended
				if !slices.Equal(pin.changes, c.want) || missed != c.missed {
					t.Errorf("pulses %q, %d missed; want %q, %d", pin.changes, missed, c.want, c.missed)
				}
				if pin.Read() == c.active {
					t.Error("the pin stays active")
				}
				if u.Order(reject.Order{}); missed != c.missed+1 {
					t.Error("an order after the end is not reported as missed")
				}
			})
		})
	}
}

// In its own thread, with the real clock: pulses are in order and never early, and a lamp test and
// the end wake the waiting thread.
func TestPromptPulses(t *testing.T) {
	pin := &timed{began: make(chan time.Time, 3)}
	u := reject.New(reject.Options{Pin: pin, Active: gpio.High, Width: time.Hour, Delay: 30 * ms, Prompt: true, Log: quiet,
		Missed: func(_ reject.Order, reason string) { t.Error(reason) }})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { u.Run(ctx); close(ended) }()
	u.Test()
	<-pin.began
	first := time.Now().Add(2 * time.Second) // enough time for a busy machine
	u.Order(reject.Order{Middle: first.Add(100 * ms)})
	u.Order(reject.Order{Middle: first})
	for _, due := range []time.Time{first.Add(30 * ms), first.Add(130 * ms)} {
		if at := <-pin.began; at.Before(due) {
			t.Errorf("a pulse came %v early", due.Sub(at))
		}
	}
	cancel()
	<-ended
	if pin.Read() != gpio.Low {
		t.Error("the pin stays active")
	}
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func TestOutputThatDoesNotWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reasons []string
		u := reject.New(reject.Options{Pin: &recorder{fails: true}, Active: gpio.High, Width: 100 * ms, Log: quiet,
			Missed: func(_ reject.Order, reason string) { reasons = append(reasons, reason) }})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		u.Order(reject.Order{Middle: time.Now()})
		u.Run(ctx)
		if len(reasons) != 1 || !strings.Contains(reasons[0], "output failed") {
			t.Errorf("missed: %q", reasons)
		}
	})
}

// The belt gives a pulse every 10 ms, stops from 200 to 1200 ms, and continues with a pulse every 5
// ms. A tire in the middle at 100 ms (pulse 10), with the ejector 30 pulses away, is there at pulse
// 40: the 20th after the stop.
func TestEncoder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		line := &gpiotest.Pin{N: "BELT", EdgesChan: make(chan gpio.Level)}
		pin := &recorder{start: start}
		var missed []string
		e := reject.NewEncoder(line)
		u := reject.New(reject.Options{Pin: pin, Active: gpio.High, Width: 100 * ms, Encoder: e, Pulses: 30, Log: quiet,
			Missed: func(o reject.Order, reason string) { missed = append(missed, o.Part+": "+reason) }})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{}, 2)
		go func() { e.Run(ctx); ended <- struct{}{} }()
		go func() { u.Run(ctx); ended <- struct{}{} }()
		at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
		for i := 1; i <= 80; i++ {
			when := 10 * i
			if i > 20 {
				when = 1200 + 5*(i-20)
			}
			time.Sleep(time.Until(at(when)))
			line.EdgesChan <- gpio.High
			synctest.Wait()
			switch i {
			case 18:
				u.Order(reject.Order{Middle: at(104), Part: "a"})
			case 60:
				u.Order(reject.Order{Middle: at(104), Part: "too late"})
			}
		}
		time.Sleep(time.Second)
		cancel()
		<-ended
		<-ended
		if want := []string{"1300 High", "1400 Low"}; !slices.Equal(pin.changes, want) {
			t.Errorf("pulses %q; want %q", pin.changes, want)
		}
		if len(missed) != 1 || missed[0] != "too late: the decision came when the tire was 20 pulses past the ejector" {
			t.Errorf("missed %q", missed)
		}
	})
}

// The encoder knows the pulse at a past time, as far back as a tire may be, and loses no pulse.
func TestEncoderRemembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line := &gpiotest.Pin{N: "BELT", EdgesChan: make(chan gpio.Level)}
		e := reject.NewEncoder(line)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { e.Run(ctx); close(ended) }()
		start := time.Now()
		const pulses = 40_000
		for range pulses {
			time.Sleep(ms)
			line.EdgesChan <- gpio.High
		}
		synctest.Wait()
		if e.Count() != pulses {
			t.Errorf("counted %d of %d", e.Count(), pulses)
		}
		for _, back := range []int{0, 1, 5000, 8000} {
			if got := e.At(start.Add(time.Duration(pulses-back) * ms)); got != uint64(pulses-back) {
				t.Errorf("%d pulses back it is pulse %d", back, got)
			}
		}
		if got := e.At(start); got == 0 || got > pulses-8192 {
			t.Errorf("long ago is pulse %d", got)
		}
		cancel()
		<-ended
	})
}
