package trigger_test

import (
	"context"
	"fmt"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"

	"tirewatch/agent/trigger"
)

func ExampleEye_Watch() {
	pin := &gpiotest.Pin{EdgesChan: make(chan gpio.Level, 1)}
	pin.In(gpio.PullDown, gpio.BothEdges)
	eye := trigger.Eye{Pin: pin, Active: gpio.High, Debounce: time.Millisecond}
	ctx, stop := context.WithCancel(context.Background())
	pin.EdgesChan <- gpio.High // a tire arrives
	eye.Watch(ctx, func(t trigger.Trigger) {
		fmt.Println(t.Kind)
		stop()
	})
	// Output: photo-eye
}
