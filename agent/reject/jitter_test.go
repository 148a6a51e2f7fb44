package reject_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"

	"tirewatch/agent/reject"
	"tirewatch/vision/bundle/bundletest"
	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
)

// timed is a pin that reports when each pulse begins.
type timed struct {
	gpiotest.Pin
	began chan time.Time
}

func (p *timed) Out(l gpio.Level) error {
	if l == gpio.High {
		p.began <- time.Now()
	}
	return p.Pin.Out(l)
}

// BenchmarkJitter measures how late a pulse begins, alone and during inference at full rate.
func BenchmarkJitter(b *testing.B) {
	for _, c := range []struct {
		name   string
		beside bool
	}{{"alone", false}, {"beside the network", true}} {
		b.Run(c.name, func(b *testing.B) {
			var background sync.WaitGroup
			defer background.Wait()
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			var passes atomic.Int64
			if c.beside {
				model := bundletest.Model(*graph.Thesis(), 1)
				r, err := infer.NewRunner(&model)
				if err != nil {
					b.Fatal(err)
				}
				pix := make([]byte, model.Graph.Input.Size())
				background.Go(func() {
					for ctx.Err() == nil {
						if _, err := r.Run(pix); err != nil {
							b.Error(err)
							return
						}
						passes.Add(1)
					}
				})
			}
			pin := &timed{began: make(chan time.Time, 1)}
			missed := 0 // the machine was so busy that the order itself was late
			const delay = 20 * time.Millisecond
			u := reject.New(reject.Options{Pin: pin, Active: gpio.High, Width: time.Second, Delay: delay, Prompt: true, Log: quiet,
				Missed: func(reject.Order, string) { missed++; pin.began <- time.Now() }})
			background.Go(func() { u.Run(ctx) })
			var behind []time.Duration
			for range b.N {
				middle := time.Now()
				u.Order(reject.Order{Middle: middle})
				behind = append(behind, (<-pin.began).Sub(middle.Add(delay)))
			}
			slices.Sort(behind)
			for _, p := range []struct {
				share float64
				unit  string
			}{{0.5, "ms-p50"}, {0.99, "ms-p99"}, {1, "ms-max"}} {
				b.ReportMetric(behind[int(p.share*float64(len(behind)-1))].Seconds()*1000, p.unit)
			}
			b.ReportMetric(float64(missed), "missed")
			b.ReportMetric(0, "ns/op")
			if c.beside {
				b.ReportMetric(float64(passes.Load())/b.Elapsed().Seconds(), "passes/s")
			}
		})
	}
}
