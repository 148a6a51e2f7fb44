package cut_test

import (
	"fmt"
	"log"

	"tirewatch/vision/cut"
	"tirewatch/vision/frame"
	"tirewatch/vision/locate"
)

func ExampleCutter_Cut() {
	f := frame.NewGray(640, 480)
	tire := locate.Tire{Centre: locate.Point{X: 320, Y: 240}, Radius: 200}
	cutter := cut.New(cut.Options{View: cut.Tiles, Tile: 0.4, Overlap: 0.25})

	c, err := cutter.Cut(f, tire)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(c.Pieces), "tiles of", c.Crop)
	for i, p := range c.Pieces[:3] {
		fmt.Printf("%v at %.0f degrees\n", p.Region, c.Angle(i))
	}
	// Output:
	// 9 tiles of (120,40)-(520,440)
	// (120,40)-(280,200) at 315 degrees
	// (240,40)-(400,200) at 0 degrees
	// (360,40)-(520,200) at 45 degrees
}
