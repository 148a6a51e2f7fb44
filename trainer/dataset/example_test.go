package dataset_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"tirewatch/trainer/dataset"
)

// Finds the images of two class folders. The files are not read yet.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "photos")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for _, name := range []string{"crack/1.jpg", "crack/2.jpg", "normal/3.jpg"} {
		path := filepath.Join(dir, name)
		os.MkdirAll(filepath.Dir(path), 0o755)
		os.WriteFile(path, nil, 0o644)
	}
	set, err := dataset.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	n := dataset.Count(set.Train)
	fmt.Println(n[dataset.Normal], "normal,", n[dataset.Crack], "crack")
	// Output: 1 normal, 2 crack
}
