// Package report shows a person how good a model is: images, and one page with all of them.
//
//	train, evaluate -> scores -> metrics -> REPORT -> a technician decides
//
// The page, report.html, is complete: images and style are inside, it loads nothing, runs no
// script, and fits on a phone. The same input gives the same bytes. Start with [Report], which says
// what to show, and [Report.Write].
package report

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"tirewatch/internal/durable"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/metrics"
	"tirewatch/trainer/nn"
	"tirewatch/trainer/pixels"
)

// Report is the content of a report.
type Report struct {
	Title string // "Training runs/monday"
	Part  string // kind of the images: Validation, Test, or Given when it is not known
	Facts []Fact // facts about the model, in the order of the page

	Tables []Table // more tables about the model, in the order of the page

	History []checkpoint.Epoch // of the training; empty when unknown, as for a bundle
	// epoch of the weights, counted from 1; 0 when unknown
	Best int

	Threshold float64 // a probability of at least this means crack
	// a probability below this means sound; 0: one below Threshold does
	SoundBelow    float64
	Width, Height int // of each image, px
	Images        []Image
	// nil when the model has no gradients
	Explain func(pix []byte) (nn.Heat, error)
}

// Kinds of images in a report.
const (
	Validation = "validation" // the weights were chosen by their result on these images
	Test       = "test"       // not used in training
	// each was scored by a network that was not trained on it, and the threshold follows from the
	// scores
	OutOfFold = "out-of-fold"
	Given     = "" // unknown
)

// Fact is one line about the model.
type Fact struct{ Name, Value string }

// Table is a table with a heading. Header may be empty.
type Table struct {
	Title  string
	Note   string // how to read it
	Header []string
	Rows   [][]string
}

// Image is one image that was scored.
type Image struct {
	Name string // helps a person to find the file
	// images with the same name belong together; empty: with no other
	Group string
	// (Height, Width), as the network saw it; loaded only when shown
	Pix   pixels.Image
	Crack bool    // true class
	Score float64 // probability of a crack
}

// band returns the thresholds.
func (r *Report) band() metrics.Band {
	return metrics.Band{SoundBelow: r.SoundBelow, Threshold: r.Threshold}
}

// missed reports whether the model's answer is wrong. Unsure is neither right nor wrong.
func (r *Report) missed(im Image) bool {
	return !r.band().Unsure(im.Score) && (im.Score >= r.Threshold) != im.Crack
}

// picture is one finished image of the report.
type picture struct {
	file  string // name in the folder
	title string
	read  string // how to read it
	data  []byte
}

// page is everything that the HTML template can use.
type page struct {
	*Report
	Tables   []Table // the price of unsure answers, then those of the report
	Verdict  Verdict
	Figures  []figure
	Pictures []picture
	Mistakes []tile
	Wrong    int // number of all mistakes
	Heats    []heatPair
	HeatOf   string // layer of the heat maps
}

// Write creates dir if needed and writes curves.png (with a history), confusion.png, roc.png,
// pr.png, calibration.png, scores.png, mistakes.png, gradcam.png (with Explain) and, last,
// report.html. Errors about the scores wrap metrics.ErrInput.
func (r *Report) Write(dir string) error {
	scores, labels := r.scores()
	m, err := metrics.NewBanded(scores, labels, r.band())
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	p := page{Report: r, Verdict: Judge(r.Part, m, scores, labels)}
	p.Tables = slices.Concat(prices(scores, labels), r.Tables)
	p.Figures = figures(m, scores, labels, r.groups())
	p.Pictures, err = r.plots(m, scores, labels)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if p.Mistakes, p.Wrong, err = r.mistakes(); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if p.Heats, p.HeatOf, err = r.heats(); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	grids, err := p.grids()
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	html, err := p.html()
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}

	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	files := append(p.Pictures[:len(p.Pictures):len(p.Pictures)], grids...)
	for _, f := range append(files, picture{file: "report.html", data: html}) {
		if err := durable.WriteFile(filepath.Join(dir, f.file), f.data, 0o644); err != nil {
			return fmt.Errorf("write report: %w", err)
		}
	}
	return nil
}

// groups returns the group of each image, nil if nothing says which images belong together.
func (r *Report) groups() (groups []string) {
	known := false
	for _, im := range r.Images {
		known = known || im.Group != ""
		groups = append(groups, cmp.Or(im.Group, im.Name))
	}
	if !known {
		return nil
	}
	return groups
}

func (r *Report) scores() (scores []float64, labels []bool) {
	for _, im := range r.Images {
		scores, labels = append(scores, im.Score), append(labels, im.Crack)
	}
	return scores, labels
}
