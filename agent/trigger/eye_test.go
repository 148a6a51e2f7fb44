package trigger_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"

	"tirewatch/agent/trigger"
)

// In each case the line changes its level at these milliseconds; it is low at first.
func TestEye(t *testing.T) {
	for _, c := range []struct {
		name    string
		active  gpio.Level
		edges   []int
		want    []int // ms of the triggers
		bounced int
	}{
		{"two tires", gpio.High, []int{100, 400, 1000, 1300}, []int{100, 1000}, 0},
		{"a tire makes the line low", gpio.Low, []int{100, 400, 1000, 1300}, []int{400, 1300}, 0},
		{"contacts bounce at both ends", gpio.High, []int{100, 101, 103, 400, 402, 403}, []int{100}, 4},
		{"two tires six milliseconds apart", gpio.High, []int{100, 400, 406, 700}, []int{100, 406}, 0},
		{"two tires closer than the debounce time are one", gpio.High, []int{100, 400, 403, 700}, []int{100}, 2},
		{"spikes", gpio.High, []int{100, 101, 500, 501, 502, 503}, nil, 6},
		{"a tire long after the start", gpio.High, []int{5000, 5300}, []int{5000}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pin := &gpiotest.Pin{N: "EYE", EdgesChan: make(chan gpio.Level)}
				if err := pin.In(gpio.PullDown, gpio.BothEdges); err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				var got []int
				bounced := 0
				eye := trigger.Eye{Pin: pin, Active: c.active, Debounce: 5 * time.Millisecond, Bounced: func() { bounced++ }}
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					eye.Watch(ctx, func(tr trigger.Trigger) {
						if tr.Kind != trigger.PhotoEye {
							t.Errorf("kind %q", tr.Kind)
						}
						got = append(got, int(tr.Time.Sub(start).Milliseconds()))
					})
				}()
				level := gpio.Low
				for _, at := range c.edges {
					time.Sleep(time.Until(start.Add(time.Duration(at) * time.Millisecond)))
					level = !level
					pin.EdgesChan <- level
				}
				time.Sleep(time.Second)
				cancel()
				<-ended
				if !slices.Equal(got, c.want) || bounced != c.bounced {
					t.Errorf("triggers at %v ms, %d bounces; want %v, %d", got, bounced, c.want, c.bounced)
				}
			})
		})
	}
}
