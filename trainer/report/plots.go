package report

import (
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/metrics"
)

// bins is the number of columns of the reliability diagram. Ten is usual; with the few hundred
// images of a plant more would hold too little each.
const bins = 10

// plots draws every picture of the scores, in the order of the page.
func (r *Report) plots(m *metrics.Report, scores []float64, labels []bool) ([]picture, error) {
	var pictures []picture
	var failed error
	add := func(file, title, read string, png []byte, err error) {
		if err != nil && failed == nil {
			failed = fmt.Errorf("%s: %w", file, err)
		}
		pictures = append(pictures, picture{file, title, read, png})
	}
	drawn, err := confusion(m.Matrix)
	add("confusion.png", "What it calls them",
		"Each row is what the tires are, each column what the model calls them. Blue is right, vermilion is wrong; the stronger, the more of the row.",
		drawn, err)
	drawn, err = roc(m, scores, labels)
	add("roc.png", "Found against rejected",
		"Each point of the line is a threshold: how many cracks it finds for how many sound tires rejected. The line should hug the upper left corner; the dashes are guessing.",
		drawn, err)
	drawn, err = precisionRecall(m, scores, labels)
	add("pr.png", "Precision and recall",
		"How many of the rejected tires are cracked, for how many of the cracks found. The line should hug the upper right corner.",
		drawn, err)
	drawn, err = calibration(scores, labels)
	add("calibration.png", "Can the probability be believed?",
		"Of the tires with a score near 70 %, 70 % should be cracked: then the dots lie on the dashes. The bars are 95 % intervals, the numbers above count the images.",
		drawn, err)
	drawn, err = histogram(r.Threshold, scores, labels)
	add("scores.png", "How sure it is",
		"How many tires got which score. The further apart the two crowds, the better; vermilion is on the wrong side of the threshold.",
		drawn, err)
	if len(r.History) > 0 {
		drawn, err = curves(r.History, r.Best)
		add("curves.png", "How it learned",
			"Loss should fall and accuracy rise. When validation turns worse while training still improves, the network begins to learn images by heart; the best epoch is kept. Training images are changed at random and units are dropped, so training may look worse than validation.",
			drawn, err)
	}
	return pictures, failed
}

// curves draws loss, accuracy and learning rate over the epochs. best is marked; 0 is none.
func curves(history []checkpoint.Epoch, best int) ([]byte, error) {
	series := func(value func(e checkpoint.Epoch) float64) (xy plotter.XYs) {
		for _, e := range history {
			xy = append(xy, plotter.XY{X: float64(e.Epoch), Y: value(e)})
		}
		return xy
	}
	panel := func(label string) *plot.Plot {
		p := newPlot("", "", label)
		p.X.Min, p.X.Max = float64(history[0].Epoch), float64(history[len(history)-1].Epoch)
		if p.X.Min == p.X.Max {
			p.X.Min, p.X.Max = p.X.Min-1, p.X.Max+1
		}
		return p
	}
	draw := func(p *plot.Plot, train, val plotter.XYs) {
		first, last := p.X.Min, p.X.Max
		for _, l := range []*plotter.Line{line(p, "training", blue, train), line(p, "validation", orange, val)} {
			// few epochs are points, and one alone makes no line
			if len(l.XYs) > 0 && len(history) <= 25 {
				marks(p, "", l.Color, 2, l.XYs)
			}
		}
		p.X.Min, p.X.Max = first, last
	}

	loss := panel("loss")
	title := fmt.Sprintf("%d epochs", len(history))
	if best > 0 {
		title += fmt.Sprintf(", the best is epoch %d", best)
	}
	loss.Title.Text = title
	draw(loss, series(func(e checkpoint.Epoch) float64 { return e.TrainLoss }), series(func(e checkpoint.Epoch) float64 { return e.ValLoss }))
	loss.Y.Min, loss.Y.Max = 0, highest(history)
	loss.Legend.Top = true

	accuracy := panel("accuracy")
	draw(accuracy, series(func(e checkpoint.Epoch) float64 { return e.TrainAccuracy }), series(func(e checkpoint.Epoch) float64 { return e.ValAccuracy }))
	accuracy.Legend = plot.NewLegend()
	lowest := 1.0
	for _, e := range history {
		lowest = min(lowest, e.TrainAccuracy, e.ValAccuracy)
	}
	shareAxis(&accuracy.Y)
	accuracy.Y.Min = math.Floor(lowest*5) / 5
	if accuracy.Y.Min == 1 {
		accuracy.Y.Min = 0.8
	}

	rate := panel("learning rate")
	rate.X.Label.Text = "epoch"
	rates := series(func(e checkpoint.Epoch) float64 { return e.Rate })
	first, last, top := rate.X.Min, rate.X.Max, 0.0
	for _, e := range history {
		top = max(top, e.Rate)
	}
	line(rate, "", blue, rates)
	rate.X.Min, rate.X.Max, rate.Y.Min, rate.Y.Max = first, last, 0, 1.15*top

	plots := []*plot.Plot{loss, accuracy, rate}
	for _, p := range plots {
		countAxis(&p.X)
		if best > 0 {
			top := p.Y.Max
			if p == loss {
				top *= 0.65 // below the legend
			}
			dashed(p, plotter.XYs{{X: float64(best), Y: p.Y.Min}, {X: float64(best), Y: top}})
		}
	}
	return stacked(plots...)
}

// highest is the top of the loss axis: the largest loss, but no more than four times the median, so
// that one wild epoch does not press all others flat.
func highest(history []checkpoint.Epoch) float64 {
	var losses []float64
	for _, e := range history {
		for _, v := range []float64{e.TrainLoss, e.ValLoss} {
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				losses = append(losses, v)
			}
		}
	}
	if len(losses) == 0 {
		return 1
	}
	slices.Sort(losses)
	return 1.08 * max(min(losses[len(losses)-1], 4*losses[len(losses)/2]), 1e-6)
}

// oneClass is the picture in place of a curve that needs both classes.
func oneClass(title string) ([]byte, error) {
	p := newPlot(title, "", "")
	p.HideAxes()
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1, 0, 1
	words(p, letters(12, ink), 0.5, 0.5, 0, 0, "these images show one class only")
	return stacked(p)
}

func roc(m *metrics.Report, scores []float64, labels []bool) ([]byte, error) {
	if m.Crack.Support == 0 || m.Normal.Support == 0 {
		return oneClass("ROC")
	}
	p := newPlot(fmt.Sprintf("ROC: area %.4f", m.ROCAUC), "sound tires rejected", "cracks found")
	dashed(p, plotter.XYs{{X: 0, Y: 0}, {X: 1, Y: 1}})
	points := plotter.XYs{{X: 0, Y: 0}}
	for _, c := range metrics.Cuts(scores, labels) {
		points = append(points, plotter.XY{X: c.FalseRejectRate(), Y: c.Crack().Recall})
	}
	line(p, "", blue, points)
	marks(p, fmt.Sprintf("threshold %.3g", m.Threshold), orange, 4, plotter.XYs{{X: m.FalseRejectRate, Y: m.Crack.Recall}})
	p.Legend.XOffs, p.Legend.YOffs = -8, 6
	shareAxis(&p.X)
	shareAxis(&p.Y)
	return stacked(p)
}

func precisionRecall(m *metrics.Report, scores []float64, labels []bool) ([]byte, error) {
	if m.Crack.Support == 0 || m.Normal.Support == 0 {
		return oneClass("Precision and recall")
	}
	p := newPlot(fmt.Sprintf("Precision-recall: area %.4f", metrics.AveragePrecision(scores, labels)), "cracks found (recall)", "cracked among the rejected")
	guess := float64(m.Crack.Support) / float64(m.Matrix.Total())
	dashed(p, plotter.XYs{{X: 0, Y: guess}, {X: 1, Y: guess}})
	var points plotter.XYs
	last := 0.0
	for _, c := range metrics.Cuts(scores, labels) { // steps, as the area is counted
		s := c.Crack()
		points = append(points, plotter.XY{X: last, Y: s.Precision}, plotter.XY{X: s.Recall, Y: s.Precision})
		last = s.Recall
	}
	line(p, "", blue, points)
	if m.Matrix.TP+m.Matrix.FP > 0 { // else there is no precision
		marks(p, fmt.Sprintf("threshold %.3g", m.Threshold), orange, 4, plotter.XYs{{X: m.Crack.Recall, Y: m.Crack.Precision}})
	}
	p.Legend.Left, p.Legend.XOffs, p.Legend.YOffs = true, 8, 6
	shareAxis(&p.X)
	shareAxis(&p.Y)
	return stacked(p)
}

func calibration(scores []float64, labels []bool) ([]byte, error) {
	columns := metrics.Calibration(scores, labels, bins)
	p := newPlot(fmt.Sprintf("Calibration: off by %s on average", percent(metrics.CalibrationError(columns))), "score", "really cracked")
	dashed(p, plotter.XYs{{X: 0, Y: 0}, {X: 1, Y: 1}})
	var dots plotter.XYs
	for _, b := range columns {
		if b.Images == 0 {
			continue
		}
		lo, hi := metrics.Wilson(b.Cracks, b.Images, metrics.Z95)
		line(p, "", fade(blue, 0.5), plotter.XYs{{X: b.Mean, Y: lo}, {X: b.Mean, Y: hi}}).Width = 2
		dots = append(dots, plotter.XY{X: b.Mean, Y: float64(b.Cracks) / float64(b.Images)})
	}
	marks(p, "", blue, 3.5, dots)
	for i, b := range columns {
		if b.Images > 0 {
			words(p, letters(9, ink), (float64(i)+0.5)/bins, 1.06, 0, 0, fmt.Sprint(b.Images))
		}
	}
	shareAxis(&p.X)
	shareAxis(&p.Y)
	p.Y.Max = 1.1 // room for the counts
	return stacked(p)
}

// histogram draws how many tires of each class have which score.
func histogram(threshold float64, scores []float64, labels []bool) ([]byte, error) {
	const columns = 20
	panel := func(crack bool) *plot.Plot {
		name := "sound tires"
		if crack {
			name = "cracked tires"
		}
		p := newPlot("", "", name)
		var right, wrong [columns]int
		most := 1
		for i, s := range scores {
			if labels[i] != crack {
				continue
			}
			k := min(int(s*columns), columns-1)
			if (s >= threshold) == crack {
				right[k]++
			} else {
				wrong[k]++
			}
			most = max(most, right[k]+wrong[k])
		}
		for k := range columns {
			bar(p, blue, k, columns, 0, right[k])
			bar(p, orange, k, columns, right[k], right[k]+wrong[k])
			if n := right[k] + wrong[k]; n > 0 {
				words(p, letters(8, ink), (float64(k)+0.5)/columns, float64(n), 0, 6, fmt.Sprint(n))
			}
		}
		shareAxis(&p.X)
		p.Y.Min, p.Y.Max = 0, 1.2*float64(most)
		countAxis(&p.Y)
		dashed(p, plotter.XYs{{X: threshold, Y: 0}, {X: threshold, Y: p.Y.Max}})
		return p
	}
	sound, cracked := panel(false), panel(true)
	sound.Title.Text = fmt.Sprintf("Scores, threshold %.3g", threshold)
	cracked.X.Label.Text = "score: probability of a crack"
	return stacked(sound, cracked)
}

// bar draws one column of a histogram.
func bar(p *plot.Plot, c color.Color, k, columns, from, to int) {
	if from == to {
		return
	}
	const gap = 0.1
	x0, x1 := (float64(k)+gap)/float64(columns), (float64(k)+1-gap)/float64(columns)
	y0, y1 := float64(from), float64(to)
	p.Add(&plotter.Polygon{XYs: []plotter.XYs{{{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1}, {X: x0, Y: y1}}}, Color: c})
}
