// Package report shows a person what a model can do: pictures, and one page with all of them.
//
//	train, evaluate -> scores -> metrics -> REPORT -> a technician decides
//
// The page, report.html, stands alone: pictures and style are inside, nothing is fetched, no script
// runs, and a phone shows it. The same input gives the same bytes. Newcomers need Report, which
// says what to show, and Report.Write.
package report

import (
	"fmt"
	"os"
	"path/filepath"

	"tirewatch/internal/durable"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/metrics"
	"tirewatch/trainer/nn"
	"tirewatch/trainer/pixels"
)

// Report is what there is to show.
type Report struct {
	Title string // "Training runs/monday"
	Part  string // what the images are: Validation, Test, or Given when that is not known
	Facts []Fact // how the model came about, in the order of the page

	Tables []Table // what else is known of the model, in the order of the page

	History []checkpoint.Epoch // of the training; empty when it is not known, as for a bundle
	// the epoch that the weights are from, counted from 1; 0 when not known
	Best int

	Threshold     float64 // a probability of at least this means crack
	Width, Height int     // of each image, px
	Images        []Image
	// nil when the model cannot be asked for its gradients
	Explain func(pix []byte) (nn.Heat, error)
}

// What the images of a report may be.
const (
	Validation = "validation" // the weights were chosen by them
	Test       = "test"       // nobody has seen them before
	Given      = ""           // not known
)

// Fact is one line about the model.
type Fact struct{ Name, Value string }

// Table is a table with a heading. Header may be empty.
type Table struct {
	Title  string
	Note   string // how to read it, in plain words
	Header []string
	Rows   [][]string
}

// Image is one image that was scored.
type Image struct {
	Name string // for a person to find the file by
	// (Height, Width), as the network saw it; only those that are shown are loaded
	Pix   pixels.Image
	Crack bool    // the truth
	Score float64 // probability of a crack
}

// missed tells whether the model's answer is wrong.
func (r *Report) missed(im Image) bool { return (im.Score >= r.Threshold) != im.Crack }

// picture is one picture of the report, made.
type picture struct {
	file  string // its name in the folder
	title string
	read  string // how to read it, in plain words
	data  []byte
}

// page is all that the HTML template sees.
type page struct {
	*Report
	Verdict  Verdict
	Figures  []figure
	Pictures []picture
	Mistakes []tile
	Wrong    int // mistakes in all
	Heats    []heatPair
	HeatOf   string // the layer
}

// Write makes dir when it is missing and writes curves.png (with a history), confusion.png,
// roc.png, pr.png, calibration.png, scores.png, mistakes.png, gradcam.png (with Explain) and
// report.html, which goes last. Errors about the scores wrap metrics.ErrInput.
func (r *Report) Write(dir string) error {
	scores, labels := r.scores()
	m, err := metrics.New(scores, labels, r.Threshold)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	p := page{Report: r, Verdict: Judge(r.Part, m, scores, labels)}
	p.Figures = figures(m, scores, labels)
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

func (r *Report) scores() (scores []float64, labels []bool) {
	for _, im := range r.Images {
		scores, labels = append(scores, im.Score), append(labels, im.Crack)
	}
	return scores, labels
}
