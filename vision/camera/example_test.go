package camera_test

import (
	"context"
	"fmt"
	"image"
	"image/png"
	"log"
	"os"
	"path/filepath"

	"tirewatch/vision/camera"
)

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "belt")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	file, err := os.Create(filepath.Join(dir, "tire1.png"))
	if err != nil {
		log.Fatal(err)
	}
	if err := png.Encode(file, image.NewGray(image.Rect(0, 0, 640, 480))); err != nil {
		log.Fatal(err)
	}
	file.Close()

	location, err := camera.ParseLocation("folder:" + dir)
	if err != nil {
		log.Fatal(err)
	}
	source, err := camera.Open(camera.Options{Source: location})
	if err != nil {
		log.Fatal(err)
	}
	defer source.Close()
	for {
		f, err := source.Next(context.Background())
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Println(f.Seq, f.Name, f.Width, "x", f.Height)
	}
	// Output:
	// 1 tire1.png 640 x 480
	// EOF
}

// The password of a network camera is not shown in logs.
func ExampleLocation_String() {
	location, err := camera.ParseLocation("rtsp://admin:secret@camera1/stream")
	fmt.Println(location, err)
	// Output: rtsp://admin:xxxxx@camera1/stream <nil>
}
