package report_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"tirewatch/trainer/pixels"
	"tirewatch/trainer/report"
)

// A report on two test images: one crack that is found and one sound tire that passes.
func ExampleReport_Write() {
	dir, err := os.MkdirTemp("", "report")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	pix := pixels.Of(make([]byte, 4*4))
	r := report.Report{
		Title: "Evaluation of runs/monday", Part: report.Test, Threshold: 0.5, Width: 4, Height: 4,
		Images: []report.Image{
			{Name: "crack/1.jpg", Pix: pix, Crack: true, Score: 0.9},
			{Name: "normal/2.jpg", Pix: pix, Crack: false, Score: 0.1},
		},
	}
	if err := r.Write(dir); err != nil {
		log.Fatal(err)
	}
	pictures, err := filepath.Glob(filepath.Join(dir, "*.png"))
	fmt.Println(len(pictures), "pictures", err)
	// Output: 6 pictures <nil>
}
