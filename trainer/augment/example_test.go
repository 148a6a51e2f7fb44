package augment_test

import (
	"fmt"
	"math/rand/v2"

	"tirewatch/trainer/augment"
)

// Doubles the brightness of an image of 2 x 2 px; values above white become white.
func ExampleRanges_Draw() {
	r := augment.Ranges{BrightnessLow: 2, BrightnessHigh: 2}
	t := r.Draw(rand.New(rand.NewPCG(1, 1)), 2, 2)
	changed := make([]float32, 4)
	t.Apply(changed, 2, 2, []byte{0, 51, 102, 255})
	fmt.Printf("%.1f\n", changed)
	// Output: [0.0 0.4 0.8 1.0]
}
