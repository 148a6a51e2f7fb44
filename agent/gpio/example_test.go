package gpio_test

import (
	"fmt"
	"log"

	periph "periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpioreg"
	"periph.io/x/conn/v3/gpio/gpiotest"

	"tirewatch/agent/gpio"
)

func ExampleOutput() {
	// a board has its lines already
	if err := gpioreg.Register(&gpiotest.Pin{N: "EXAMPLE_LAMP", Num: 9002}); err != nil {
		log.Fatal(err)
	}
	lamp, err := gpio.Output("EXAMPLE_LAMP", periph.High)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(lamp.Read())
	// Output: High
}
