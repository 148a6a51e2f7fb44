package contact_test

import (
	"fmt"
	"image"
	"image/color"
	"log"

	"tirewatch/trainer/contact"
)

// A sheet with one image in a red frame and a line of text.
func ExampleDraw() {
	tile := contact.Tile{
		Image:  image.NewGray(image.Rect(0, 0, 379, 379)),
		Lines:  []string{"crack/IMG_0001.jpg"},
		Colour: color.RGBA{R: 200, A: 255},
	}
	sheet, err := contact.Draw([]contact.Tile{tile})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sheet.Bounds().Size())
	// Output: (192,206)
}
