package locate_test

import (
	"fmt"
	"math"

	"tirewatch/vision/frame"
	"tirewatch/vision/locate"
)

func ExampleNewRound() {
	// a dark disc on a bright belt
	f := frame.NewGray(640, 480)
	for i := range f.Pix {
		f.Pix[i] = 180
		if math.Hypot(float64(i%640-300), float64(i/640-240)) < 150 {
			f.Pix[i] = 40
		}
	}
	locator := locate.NewRound(locate.RoundOptions{})
	for _, tire := range locator.Find(f) {
		fmt.Printf("centre %.0f, %.0f px, radius %.0f px\n", tire.Centre.X, tire.Centre.Y, tire.Radius)
		fmt.Println("crop", tire.Crop(f.Bounds(), 0.05))
	}
	// Output:
	// centre 300, 240 px, radius 150 px
	// crop (135,75)-(465,405)
}
