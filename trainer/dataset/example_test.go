package dataset_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"regexp"

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

// A pattern of the file names says which photographs show one tire.
func ExampleSet_Group() {
	dir, err := os.MkdirTemp("", "photos")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for _, name := range []string{"crack/tire7-left.jpg", "crack/tire7-right.jpg", "normal/tire8.jpg"} {
		path := filepath.Join(dir, name)
		os.MkdirAll(filepath.Dir(path), 0o755)
		os.WriteFile(path, nil, 0o644)
	}
	set, err := dataset.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	groups, err := set.Group(dataset.Grouping{Pattern: regexp.MustCompile(`(tire\d+)`)})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(groups)
	// Output: 2 groups by the pattern "(tire\\d+)"
}
