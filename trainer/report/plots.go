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

// bins is the number of columns of the calibration plot. Ten is usual. With the few hundred images
// of a plant, more columns would have too few images each.
const bins = 10

// plots draws all pictures of the scores, in the order of the page.
func (r *Report) plots(m *metrics.Report, scores []float64, labels []bool) ([]picture, error) {
	var pictures []picture
	var failed error
	add := func(file, title, read string, png []byte, err error) {
		if err != nil && failed == nil {
			failed = fmt.Errorf("%s: %w", file, err)
		}
		pictures = append(pictures, picture{file, title, read, png})
	}
	drawn, err := confusion(m)
	add("confusion.png", "Confusion matrix",
		"Each row is the true class, each column is the model's answer. Blue is right, vermilion is wrong. "+
			"A stronger colour is a larger share of the row.",
		drawn, err)
	drawn, err = roc(m, scores, labels)
	add("roc.png", "ROC curve",
		"Each point of the line is a threshold, with its share of cracks found and of sound tires rejected. "+
			"A good line is close to the upper left corner. The dashed line is guessing.",
		drawn, err)
	drawn, err = precisionRecall(m, scores, labels)
	add("pr.png", "Precision and recall",
		"Precision is the share of the rejected tires that are cracked. Recall is the share of the cracks that are "+
			"found. A good line is close to the upper right corner. The dashed line is guessing.",
		drawn, err)
	drawn, err = calibration(scores, labels)
	add("calibration.png", "Are the probabilities right?",
		"Of the tires with a score near 70 %, 70 % should be cracked. Then the dots are on the dashed line. "+
			"The bars are 95 % intervals. The numbers at the top count the images.",
		drawn, err)
	drawn, err = histogram(r.band(), scores, labels)
	add("scores.png", "Scores",
		"How many tires have which score. The further apart the two groups are, the better. "+
			"Vermilion tires are on the wrong side of the threshold. Grey tires are unsure: between two thresholds.",
		drawn, err)
	if len(r.History) > 0 {
		drawn, err = curves(r.History, r.Best)
		add("curves.png", "Training curves",
			"Loss should fall and accuracy should rise. When validation gets worse while training still improves, "+
				"the network starts to memorize images (overfitting). The best epoch is kept. Training images are "+
				"changed at random and dropout is on, so training may look worse than validation.",
			drawn, err)
	}
	return pictures, failed
}

// curves draws loss, accuracy and learning rate over the epochs. best is marked, unless it is 0.
func curves(history []checkpoint.Epoch, best int) ([]byte, error) {
	h := epochs(history)
	loss := h.loss()
	loss.Title.Text = fmt.Sprintf("%d epochs", len(h))
	if best > 0 {
		loss.Title.Text += fmt.Sprintf(", the best is epoch %d", best)
	}
	plots := []*plot.Plot{loss, h.accuracy(), h.rate()}
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

// epochs is a training history that is drawn in panels.
type epochs []checkpoint.Epoch

func (h epochs) loss() *plot.Plot {
	p := h.panel("loss")
	h.both(p,
		func(e checkpoint.Epoch) float64 { return e.TrainLoss },
		func(e checkpoint.Epoch) float64 { return e.ValLoss })
	p.Y.Min, p.Y.Max = 0, highest(h)
	p.Legend.Top = true
	return p
}

func (h epochs) accuracy() *plot.Plot {
	p := h.panel("accuracy")
	h.both(p,
		func(e checkpoint.Epoch) float64 { return e.TrainAccuracy },
		func(e checkpoint.Epoch) float64 { return e.ValAccuracy })
	p.Legend = plot.NewLegend()
	lowest := 1.0
	for _, e := range h {
		lowest = min(lowest, e.TrainAccuracy, e.ValAccuracy)
	}
	shareAxis(&p.Y)
	p.Y.Min = math.Floor(lowest*5) / 5
	if p.Y.Min == 1 {
		p.Y.Min = 0.8
	}
	return p
}

func (h epochs) rate() *plot.Plot {
	p := h.panel("learning rate")
	p.X.Label.Text = "epoch"
	first, last, top := p.X.Min, p.X.Max, 0.0
	for _, e := range h {
		top = max(top, e.Rate)
	}
	line(p, "", blue, h.series(func(e checkpoint.Epoch) float64 { return e.Rate }))
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = first, last, 0, 1.15*top
	return p
}

// panel returns an empty plot over all epochs.
func (h epochs) panel(label string) *plot.Plot {
	p := newPlot("", "", label)
	p.X.Min, p.X.Max = float64(h[0].Epoch), float64(h[len(h)-1].Epoch)
	if p.X.Min == p.X.Max {
		p.X.Min, p.X.Max = p.X.Min-1, p.X.Max+1
	}
	return p
}

func (h epochs) series(value func(e checkpoint.Epoch) float64) (xy plotter.XYs) {
	for _, e := range h {
		xy = append(xy, plotter.XY{X: float64(e.Epoch), Y: value(e)})
	}
	return xy
}

// both draws the training and the validation line without changing the range of the x axis.
func (h epochs) both(p *plot.Plot, train, val func(e checkpoint.Epoch) float64) {
	first, last := p.X.Min, p.X.Max
	lines := []*plotter.Line{
		line(p, "training", blue, h.series(train)),
		line(p, "validation", orange, h.series(val)),
	}
	for _, l := range lines {
		// with few epochs show the points; a single one makes no line
		if len(l.XYs) > 0 && len(h) <= 25 {
			marks(p, "", l.Color, 2, l.XYs)
		}
	}
	p.X.Min, p.X.Max = first, last
}

// highest returns the top of the loss axis: the largest loss, but at most four times the median, so
// that one extreme epoch does not flatten all others.
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

// oneClass returns the picture that replaces a curve which needs both classes.
func oneClass(title string) ([]byte, error) {
	p := newPlot(title, "", "")
	p.HideAxes()
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1, 0, 1
	words(p, letters(12, ink), 0.5, 0.5, 0, 0, "these images show only one class")
	return stacked(p)
}

func roc(m *metrics.Report, scores []float64, labels []bool) ([]byte, error) {
	a := m.Answers()
	if a.Cracks() == 0 || a.Sound() == 0 {
		return oneClass("ROC")
	}
	p := newPlot(fmt.Sprintf("ROC curve: area %.4f", m.ROCAUC),
		"false reject rate (sound tires rejected)", "recall (cracks found)")
	dashed(p, plotter.XYs{{X: 0, Y: 0}, {X: 1, Y: 1}})
	points := plotter.XYs{{X: 0, Y: 0}}
	for _, c := range metrics.Cuts(scores, labels) {
		points = append(points, plotter.XY{X: c.FalseRejectRate(), Y: c.Crack().Recall})
	}
	line(p, "", blue, points)
	share := func(k, n int) float64 { return float64(k) / float64(n) }
	marks(p, fmt.Sprintf("threshold %.3g", m.Threshold), orange, 4,
		plotter.XYs{{X: share(a.FP, a.Sound()), Y: share(a.TP, a.Cracks())}})
	if m.Unsure != nil {
		marks(p, fmt.Sprintf("sound below %.3g", m.Unsure.SoundBelow), middle, 4,
			plotter.XYs{{X: share(a.FP+a.UnsureSound, a.Sound()), Y: share(a.TP+a.UnsureCrack, a.Cracks())}})
	}
	p.Legend.XOffs, p.Legend.YOffs = -8, 6
	shareAxis(&p.X)
	shareAxis(&p.Y)
	return stacked(p)
}

func precisionRecall(m *metrics.Report, scores []float64, labels []bool) ([]byte, error) {
	a := m.Answers()
	if a.Cracks() == 0 || a.Sound() == 0 {
		return oneClass("Precision and recall")
	}
	p := newPlot(fmt.Sprintf("Precision-recall curve: area %.4f", metrics.AveragePrecision(scores, labels)),
		"recall (cracks found)", "precision (rejected are cracked)")
	guess := float64(a.Cracks()) / float64(a.Total())
	dashed(p, plotter.XYs{{X: 0, Y: guess}, {X: 1, Y: guess}})
	var points plotter.XYs
	last := 0.0
	for _, c := range metrics.Cuts(scores, labels) { // drawn as steps, as the area is computed
		s := c.Crack()
		points = append(points, plotter.XY{X: last, Y: s.Precision}, plotter.XY{X: s.Recall, Y: s.Precision})
		last = s.Recall
	}
	line(p, "", blue, points)
	if m.Matrix.TP+m.Matrix.FP > 0 { // otherwise there is no precision
		marks(p, fmt.Sprintf("threshold %.3g", m.Threshold), orange, 4,
			plotter.XYs{{X: float64(a.TP) / float64(a.Cracks()), Y: m.Crack.Precision}})
	}
	p.Legend.Left, p.Legend.XOffs, p.Legend.YOffs = true, 8, 6
	shareAxis(&p.X)
	shareAxis(&p.Y)
	return stacked(p)
}

func calibration(scores []float64, labels []bool) ([]byte, error) {
	columns := metrics.Calibration(scores, labels, bins)
	p := newPlot(fmt.Sprintf("Calibration: off by %s on average", percent(metrics.CalibrationError(columns))),
		"score", "share that is cracked")
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
	p.Y.Max = 1.1 // space for the counts
	return stacked(p)
}

// histogram draws how many tires of each class have which score.
func histogram(band metrics.Band, scores []float64, labels []bool) ([]byte, error) {
	sound, cracked := scorePanel(band, scores, labels, false), scorePanel(band, scores, labels, true)
	sound.Title.Text = fmt.Sprintf("Scores, threshold %.3g", band.Threshold)
	if band.Three() {
		sound.Title.Text = fmt.Sprintf("Scores: sound below %.3g, crack from %.3g", band.SoundBelow, band.Threshold)
	}
	cracked.X.Label.Text = "score: probability of a crack"
	return stacked(sound, cracked)
}

// scorePanel is the histogram of one class, with a dashed line at each threshold.
func scorePanel(band metrics.Band, scores []float64, labels []bool, crack bool) *plot.Plot {
	const columns = 20
	name := "sound tires"
	if crack {
		name = "cracked tires"
	}
	p := newPlot("", "", name)
	var right, unsure, wrong [columns]int
	most := 1
	for i, s := range scores {
		if labels[i] != crack {
			continue
		}
		k := min(int(s*columns), columns-1)
		switch {
		case band.Unsure(s):
			unsure[k]++
		case (s >= band.Threshold) == crack:
			right[k]++
		default:
			wrong[k]++
		}
		most = max(most, right[k]+unsure[k]+wrong[k])
	}
	for k := range columns {
		decided := right[k] + wrong[k]
		bar(p, blue, k, columns, 0, right[k])
		bar(p, orange, k, columns, right[k], decided)
		bar(p, middle, k, columns, decided, decided+unsure[k])
		if n := decided + unsure[k]; n > 0 {
			words(p, letters(8, ink), (float64(k)+0.5)/columns, float64(n), 0, 6, fmt.Sprint(n))
		}
	}
	shareAxis(&p.X)
	p.Y.Min, p.Y.Max = 0, 1.2*float64(most)
	countAxis(&p.Y)
	dashed(p, plotter.XYs{{X: band.Threshold, Y: 0}, {X: band.Threshold, Y: p.Y.Max}})
	if band.Three() {
		dashed(p, plotter.XYs{{X: band.SoundBelow, Y: 0}, {X: band.SoundBelow, Y: p.Y.Max}})
	}
	return p
}

// bar draws one column of a histogram.
func bar(p *plot.Plot, c color.Color, k, columns, from, to int) {
	if from == to {
		return
	}
	const gap = 0.1
	x0, x1 := (float64(k)+gap)/float64(columns), (float64(k)+1-gap)/float64(columns)
	y0, y1 := float64(from), float64(to)
	corners := plotter.XYs{{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1}, {X: x0, Y: y1}}
	p.Add(&plotter.Polygon{XYs: []plotter.XYs{corners}, Color: c})
}
