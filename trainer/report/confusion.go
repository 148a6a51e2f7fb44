package report

import (
	"fmt"
	"image/color"
	"image/png"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"tirewatch/trainer/metrics"
)

// confusion draws the confusion matrix: rows are the true class, columns the model's answer.
func confusion(m metrics.Matrix) ([]byte, error) {
	c, dc := canvas(width, height)
	const (
		left   = 0.85 * vg.Inch // space for the names of the rows
		top    = 0.75 * vg.Inch
		margin = 0.15 * vg.Inch
		gap    = 4
	)
	w, h := (width-left-margin-gap)/2, (height-top-margin-gap)/2
	centreX := func(column int) vg.Length { return left + vg.Length(column)*(w+gap) + w/2 }
	centreY := func(row int) vg.Length { return height - top - vg.Length(row)*(h+gap) - h/2 }

	above := vg.Point{X: (centreX(0) + centreX(1)) / 2, Y: height - 0.24*vg.Inch}
	dc.FillText(bold(letters(12, ink)), above, "the model calls it")
	names := [2]string{"sound", "cracked"}
	cells := [2][2]int{{m.TN, m.FP}, {m.FN, m.TP}}
	said := [2][2]string{{"passed, correct", "rejected, but sound"}, {"missed", "found"}}
	for row := range 2 {
		of := cells[row][0] + cells[row][1]
		dc.FillText(letters(12, ink), vg.Point{X: centreX(row), Y: height - top + 11}, names[row])
		dc.FillText(bold(letters(12, ink)), vg.Point{X: left / 2, Y: centreY(row) + 16}, "it is")
		dc.FillText(letters(12, ink), vg.Point{X: left / 2, Y: centreY(row)}, names[row])
		dc.FillText(letters(10, middle), vg.Point{X: left / 2, Y: centreY(row) - 16}, fmt.Sprintf("%d tires", of))
		for column := range 2 {
			n := cells[row][column]
			share := 0.0
			if of > 0 {
				share = float64(n) / float64(of)
			}
			base := blue
			if row != column {
				base = orange
			}
			x, y := centreX(column), centreY(row)
			fill(dc, x-w/2, y-h/2, x+w/2, y+h/2, fade(base, 0.08+0.77*share))
			on := ink
			if share > 0.55 {
				on = fade(ink, 0)
			}
			dc.FillText(bold(letters(26, on)), vg.Point{X: x, Y: y + 14}, fmt.Sprint(n))
			dc.FillText(letters(12, on), vg.Point{X: x, Y: y - 12}, percent(share))
			dc.FillText(letters(11, on), vg.Point{X: x, Y: y - 30}, said[row][column])
		}
	}
	return encode(c, png.DefaultCompression)
}

// fill paints a rectangle.
func fill(dc draw.Canvas, x0, y0, x1, y1 vg.Length, c color.Color) {
	dc.FillPolygon(c, []vg.Point{{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1}, {X: x0, Y: y1}})
}
