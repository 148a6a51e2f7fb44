package imagefile_test

import (
	"fmt"
	"image"
	"image/png"
	"log"
	"os"
	"path/filepath"
	"strings"

	"tirewatch/vision/imagefile"
)

func ExampleRead() {
	dir, err := os.MkdirTemp("", "photos")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "tire.png")
	file, err := os.Create(path)
	if err != nil {
		log.Fatal(err)
	}
	if err := png.Encode(file, image.NewGray(image.Rect(0, 0, 640, 480))); err != nil {
		log.Fatal(err)
	}
	file.Close()

	f, err := imagefile.Read(path)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(f.Name, f.Width, "x", f.Height, f.Format)
	// Output: tire.png 640 x 480 gray
}

func ExampleDecode() {
	_, err := imagefile.Decode(strings.NewReader(""), "photos/tire.jpg")
	fmt.Println(err)
	// Output: photos/tire.jpg: empty file; copy it again from the camera, or remove it
}
