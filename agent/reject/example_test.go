package reject_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"

	"tirewatch/agent/reject"
)

func Example() {
	sent := make(chan struct{}, 1)
	lamp := reject.New(reject.Options{ // no Delay: a pulse begins at once
		Pin: &gpiotest.Pin{}, Active: gpio.High, Width: 10 * time.Millisecond,
		Log: slog.New(slog.DiscardHandler), Sent: func() { sent <- struct{}{} },
		Missed: func(o reject.Order, reason string) { fmt.Println("missed", o.Part+":", reason) },
	})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { lamp.Run(ctx); close(ended) }()

	lamp.Order(reject.Order{Middle: time.Now(), Part: "A1"})
	<-sent
	fmt.Println("sent A1")
	stop()
	<-ended
	lamp.Order(reject.Order{Middle: time.Now(), Part: "A2"})
	// Output:
	// sent A1
	// missed A2: the reject output has stopped
}
