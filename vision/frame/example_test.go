package frame_test

import (
	"fmt"
	"image"
	"image/color"

	"tirewatch/vision/frame"
)

func ExampleFromImage() {
	img := image.NewRGBA(image.Rect(0, 0, 2, 1))
	img.Set(0, 0, color.White)
	img.Set(1, 0, color.RGBA{R: 255, A: 255})

	f := frame.FromImage(img)
	fmt.Println(f.Width, "x", f.Height, f.Format)
	fmt.Println(f.Gray(nil, f.Bounds())) // luma of white and of red
	// Output:
	// 2 x 1 rgba
	// [255 76]
}
