package report

import (
	"fmt"
	"image/color"
	"image/png"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"tirewatch/trainer/metrics"
)

// column is an answer of the model: how many tires of each class have it, and what that means.
type column struct {
	name  string
	count [2]int // sound, cracked
	says  [2]string
	base  [2]color.NRGBA
}

// columns are the answers, with unsure between the others if there is such an answer.
func columns(m *metrics.Report) []column {
	x := m.Matrix
	c := []column{
		{"sound", [2]int{x.TN, x.FN}, [2]string{"passed, correct", "missed"}, [2]color.NRGBA{blue, orange}},
		{"cracked", [2]int{x.FP, x.TP}, [2]string{"rejected, but sound", "found"}, [2]color.NRGBA{orange, blue}},
	}
	if u := m.Unsure; u != nil {
		unsure := column{"unsure", [2]int{u.Sound, u.Cracks}, [2]string{"no decision", "no decision"},
			[2]color.NRGBA{middle, middle}}
		c = slices.Insert(c, 1, unsure)
	}
	return c
}

// confusion draws the confusion matrix: rows are the true class, columns the model's answer.
func confusion(m *metrics.Report) ([]byte, error) {
	answers := columns(m)
	c, dc := canvas(width, height)
	const (
		left   = 0.85 * vg.Inch // space for the names of the rows
		top    = 0.75 * vg.Inch
		margin = 0.15 * vg.Inch
		gap    = 4
	)
	n := vg.Length(len(answers))
	w, h := (width-left-margin-(n-1)*gap)/n, (height-top-margin-gap)/2
	centreX := func(column int) vg.Length { return left + vg.Length(column)*(w+gap) + w/2 }
	centreY := func(row int) vg.Length { return height - top - vg.Length(row)*(h+gap) - h/2 }

	above := vg.Point{X: (centreX(0) + centreX(len(answers)-1)) / 2, Y: height - 0.24*vg.Inch}
	dc.FillText(bold(letters(12, ink)), above, "the model calls it")
	names := [2]string{"sound", "cracked"}
	for i, a := range answers {
		dc.FillText(letters(12, ink), vg.Point{X: centreX(i), Y: height - top + 11}, a.name)
	}
	for row := range 2 {
		of := 0
		for _, a := range answers {
			of += a.count[row]
		}
		dc.FillText(bold(letters(12, ink)), vg.Point{X: left / 2, Y: centreY(row) + 16}, "it is")
		dc.FillText(letters(12, ink), vg.Point{X: left / 2, Y: centreY(row)}, names[row])
		dc.FillText(letters(10, middle), vg.Point{X: left / 2, Y: centreY(row) - 16}, fmt.Sprintf("%d tires", of))
		for i, a := range answers {
			n, share := a.count[row], 0.0
			if of > 0 {
				share = float64(n) / float64(of)
			}
			x, y := centreX(i), centreY(row)
			fill(dc, x-w/2, y-h/2, x+w/2, y+h/2, fade(a.base[row], 0.08+0.77*share))
			on := ink
			if share > 0.55 {
				on = fade(ink, 0)
			}
			dc.FillText(bold(letters(26, on)), vg.Point{X: x, Y: y + 14}, fmt.Sprint(n))
			dc.FillText(letters(12, on), vg.Point{X: x, Y: y - 12}, percent(share))
			dc.FillText(letters(11, on), vg.Point{X: x, Y: y - 30}, a.says[row])
		}
	}
	return encode(c, png.DefaultCompression)
}

// fill paints a rectangle.
func fill(dc draw.Canvas, x0, y0, x1, y1 vg.Length, c color.Color) {
	dc.FillPolygon(c, []vg.Point{{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1}, {X: x0, Y: y1}})
}
