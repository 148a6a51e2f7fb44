package synth_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"tirewatch/trainer/synth"
)

// A tire with and without cracks: everything else in the two pictures is the same.
func ExampleDraw() {
	sound := synth.Draw(synth.Side, 379, 1, 0, false)
	cracked := synth.Draw(synth.Side, 379, 1, 0, true)
	fmt.Println(sound.Bounds(), cracked.RGBAAt(5, 5) == sound.RGBAAt(5, 5))
	// Output: (0,0)-(379,379) true
}

func ExampleWriteDataset() {
	dir, err := os.MkdirTemp("", "synth")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	o := synth.Options{View: synth.CloseUp, Size: 128, Seed: 1, Train: 4, Test: 2, CrackFraction: 0.5}
	if err := synth.WriteDataset(context.Background(), dir, o, nil); err != nil {
		log.Fatal(err)
	}
	for _, class := range []string{"training/crack", "training/normal", "testing/crack", "testing/normal"} {
		files, err := os.ReadDir(filepath.Join(dir, class))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(class, len(files))
	}
	// Output:
	// training/crack 2
	// training/normal 2
	// testing/crack 1
	// testing/normal 1
}
