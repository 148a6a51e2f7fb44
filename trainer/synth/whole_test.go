package synth_test

import (
	"math"
	"os"
	"slices"
	"strconv"
	"testing"

	"tirewatch/internal/each"
	"tirewatch/trainer"
	"tirewatch/trainer/augment"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/metrics"
	"tirewatch/trainer/nn"
	"tirewatch/trainer/pixels"
	"tirewatch/trainer/synth"
	"tirewatch/vision/cut"
	"tirewatch/vision/frame"
	"tirewatch/vision/graph"
	"tirewatch/vision/locate"
	"tirewatch/vision/preprocess"
)

// wholeTire turns TestWholeTire on: 1, or a factor on the number of training images.
const wholeTire = "TIREWATCH_WHOLE_TIRE"

// Size of the training.
var (
	wholeTimes, _ = strconv.Atoi(os.Getenv(wholeTire))
	wholeTrain    = 1200 * wholeTimes
	wholeTiled    = 400 * wholeTimes    // tires that are also cut into tiles: about four images each
	wholeImages   = 60_000 * wholeTimes // images shown in each of the two trainings
)

// The tires of TestWholeTire. Every second tested one has a hairline, 0.001 to 0.004 of the
// picture's side wide: 0.8 to 3 px in the frame, 0.4 to 1.5 px of what the network sees of the
// whole tire. Training tires also have cracks up to three times as wide.
const (
	wholeSize = 760 // px
	wholeVal  = 100
	wholeTest = 240
	finest    = 0.001
	widest    = 0.004
	coarsest  = 0.012
)

// wholeNet is the network of the thesis with fewer filters: it learns in minutes, and both views
// use the same.
func wholeNet() *graph.Graph {
	g := graph.Thesis()
	for i := range g.Layers {
		switch l := &g.Layers[i]; l.Name {
		case "conv1", "conv2", "conv3", "dense1":
			l.Filters = 32
		case "dense2":
			l.Filters = 16
		}
	}
	return g
}

// wholeViews are the two views to compare.
var wholeViews = [2]cut.Options{{View: cut.Tire, Margin: 0.02}, {View: cut.SideWall, Tile: 1, Overlap: 0.25}}

// TestWholeTire measures the benefit of tiles of the side wall. A network that recognises usual
// cracks on whole tires is trained further in two ways, with the same number of steps: on hairlines
// of whole tires, and on tiles of the side walls of a third of these tires, which are slightly more
// images. Then other tires are ranked at the threshold that rejects one sound tire in twenty:
//
//	                     area under   found, by width in px             right      no
//	                     ROC curve    0.8 to 1.5  1.5 to 2.3  2.3 to 3  place      decision
//	whole tire           0.776        9 of 39     13 of 40    30 of 40             2 of 240
//	tiles of side wall   0.813        11 of 36    21 of 36    33 of 37  62 of 65   22 of 240
//
// and with TIREWATCH_WHOLE_TIRE=2, with twice as many tires and twice as many steps:
//
//	whole tire           0.871        12 of 40    30 of 40    37 of 40             0 of 240
//	tiles of side wall   0.875        13 of 37    27 of 39    33 of 35  72 of 73   13 of 240
//
// So tiles learn from fewer tires and show where the crack is. With enough tires, whole tires are
// as good. 16 tiles of a sound tire have 16 chances to be wrong, and the frame has only twice the
// pixels that the network sees of the whole tire. Tires without a decision are in none of the
// counts; a station rejects them too. Without the first network, whole tires teach nothing in the
// same number of steps, also with all these crack widths: the loss stays at that of guessing.
func TestWholeTire(t *testing.T) {
	if wholeTimes < 1 {
		t.Skip(wholeTire + " is not set: drawings and three trainings take a quarter of an hour (make whole-tire)")
	}
	cfg := checkpoint.Config{Epochs: 24, Batch: 16, Rate: 0.001, Seed: 1, Validation: 0.2, Schedule: checkpoint.Cosine, Augment: augment.Thesis()}
	usual, usualVal := usualCracks(t, 0, 900), usualCracks(t, 900, 100)
	first := learn(t, "usual cracks", usual, usualVal, func() (*trainer.Trainer, error) {
		return trainer.New(cfg, wholeNet(), preprocess.Thesis(), usual, usualVal)
	})
	train, val := hairlines(t, 0, wholeTrain), hairlines(t, wholeTrain, wholeVal)
	var nets [2]*nn.Net
	for i, o := range wholeViews {
		cfg.Epochs, cfg.Batch, cfg.CrackWeight = max(1, wholeImages/len(train[i])), 32, trainer.BalancedCrackWeight(train[i])
		best := learn(t, string(o.View), train[i], val[i], func() (*trainer.Trainer, error) {
			return trainer.FineTune(cfg, first, train[i], val[i])
		})
		var err error
		if nets[i], err = best.Net(); err != nil {
			t.Fatal(err)
		}
	}
	for i, area := range rankHairlines(t, nets) {
		if area < 0.7 {
			t.Errorf("%s: the network has not learned, so the comparison means nothing", wholeViews[i].View)
		}
	}
}

// learn trains and logs the result.
func learn(t *testing.T, name string, train, val []trainer.Sample, begin func() (*trainer.Trainer, error)) *checkpoint.Checkpoint {
	t.Helper()
	tr, err := begin()
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.Run(t.Context(), trainer.Observer{}); err != nil {
		t.Fatal(err)
	}
	h, best := tr.History(), tr.Best()
	last, at := h[len(h)-1], h[best.BestEpoch-1]
	t.Logf("%s: %d images, %d epochs, loss %.3f; best epoch on %d other images: loss %.3f, accuracy %.3f",
		name, len(train), len(h), last.TrainLoss, len(val), at.ValLoss, at.ValAccuracy)
	return best
}

// usualCracks returns whole tires; every second one is cracked, as in the data sets of tirewatch
// dataset synth.
func usualCracks(t *testing.T, first, n int) []trainer.Sample {
	t.Helper()
	spec := preprocess.Thesis()
	samples := make([]trainer.Sample, n)
	err := each.Run(t.Context(), n, func() (struct{}, error) { return struct{}{}, nil }, func(_ struct{}, k int) error {
		i, pix := first+k, make([]byte, spec.Size())
		f := frame.FromImage(synth.Draw(synth.Side, 400, 22, i, i%2 == 0))
		samples[k] = trainer.Sample{Pix: pixels.Of(pix), Crack: i%2 == 0}
		return spec.Apply(pix, f, f.Bounds())
	}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return samples
}

// viewer draws tires and cuts them in both ways; one per processor.
type viewer struct {
	round *locate.Round
	cuts  [2]*cut.Cutter
	nets  [2]*nn.Predictor
	pix   []byte
}

func newViewer() *viewer {
	return &viewer{round: locate.NewRound(locate.RoundOptions{}), cuts: [2]*cut.Cutter{cut.New(wholeViews[0]), cut.New(wholeViews[1])},
		pix: make([]byte, preprocess.Thesis().Size())}
}

// hair is a drawn tire. It has no pieces when the outline or the rim is not found.
type hair struct {
	wall    synth.Wall
	width   float64
	cracked bool
	cuts    [2]cut.Cut
}

// look draws tire i and cuts it.
func (v *viewer) look(i int) hair {
	h := hair{cracked: i%2 == 0}
	_, share := math.Modf(float64(i/2) * 0.618034)
	if h.width = finest + (widest-finest)*share; i < wholeTrain+wholeVal {
		h.width = finest * math.Pow(coarsest/finest, share)
	}
	img, wall := synth.DrawHairline(wholeSize, 21, i, h.width, h.cracked)
	h.wall = wall
	f := frame.FromImage(img)
	found := v.round.Find(f)
	if len(found) != 1 {
		return h
	}
	for k := range h.cuts {
		c, err := v.cuts[k].Cut(f, found[0])
		if err != nil {
			c.Pieces = nil
		}
		h.cuts[k] = c
	}
	return h
}

// shows reports whether a piece shows the crack: its middle and a quarter of its length to both
// sides.
func shows(p cut.Piece, w synth.Wall) bool {
	if p.To == 0 {
		return true // the whole tire
	}
	half := w.Length / 4 / math.Hypot(w.CrackX-w.X, w.CrackY-w.Y) * 180 / math.Pi
	at := math.Mod(w.CrackAngle-p.From+720, 360)
	return at >= half && at <= p.To-p.From-half
}

// hairlines returns tires first to first+n-1 for both views: the whole of each tire, and tiles of
// some. A cracked tire has all tiles that show the crack and three others, a sound tire five. Tiles
// near a crack that do not show it are left out.
func hairlines(t *testing.T, first, n int) (samples [2][]trainer.Sample) {
	t.Helper()
	spec := preprocess.Thesis()
	all := make([][2][]trainer.Sample, n)
	err := each.Run(t.Context(), n, func() (*viewer, error) { return newViewer(), nil }, func(v *viewer, k int) error {
		h := v.look(first + k)
		for view, c := range h.cuts {
			if wholeViews[view].View == cut.SideWall && first+k >= wholeTiled && first+k < wholeTrain {
				continue
			}
			sound, most := 0, 5
			if h.cracked {
				most = 3
			}
			for i := range c.Pieces {
				p := c.Pieces[(i*7+k)%len(c.Pieces)] // not neighbours, where 7 does not divide them
				crack := h.cracked && shows(p, h.wall)
				near := h.cracked && math.Abs(math.Mod((p.From+p.To)/2-h.wall.CrackAngle+540, 360)-180) < 60
				if !crack && (near || sound == most) {
					continue
				}
				if !crack {
					sound++
				}
				pix := make([]byte, spec.Size())
				if err := spec.Apply(pix, p.Frame, p.Region); err != nil {
					return err
				}
				all[k][view] = append(all[k][view], trainer.Sample{Pix: pixels.Of(pix), Crack: crack})
			}
		}
		return nil
	}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		for view := range samples {
			samples[view] = append(samples[view], s[view]...)
		}
	}
	return samples
}

// ranking is the result for a tire: the score of its worst piece.
type ranking struct {
	logit, width float64
	pieces       int
	cracked      bool
	there        bool // the worst piece is where the crack is, within half a tile
}

// rankHairlines scores tires that were not in the training and returns the areas under the ROC
// curves.
func rankHairlines(t *testing.T, nets [2]*nn.Net) (areas [2]float64) {
	t.Helper()
	var all [2][]ranking
	for view := range all {
		all[view] = make([]ranking, wholeTest)
	}
	worker := func() (*viewer, error) {
		v := newViewer()
		v.nets = [2]*nn.Predictor{nets[0].NewPredictor(), nets[1].NewPredictor()}
		return v, nil
	}
	err := each.Run(t.Context(), wholeTest, worker, func(v *viewer, k int) error {
		h := v.look(wholeTrain + wholeVal + k)
		for view, c := range h.cuts {
			r := ranking{logit: math.Inf(-1), width: h.width, pieces: len(c.Pieces), cracked: h.cracked}
			for i, p := range c.Pieces {
				if err := preprocess.Thesis().Apply(v.pix, p.Frame, p.Region); err != nil {
					return err
				}
				logit, err := v.nets[view].Logit(v.pix, nil)
				if err != nil {
					return err
				}
				if logit > r.logit {
					off := math.Abs(math.Mod(c.Angle(i)-h.wall.CrackAngle+540, 360) - 180)
					r.logit, r.there = logit, p.To > 0 && off <= (p.To-p.From)/2
				}
			}
			all[view][k] = r
		}
		return nil
	}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for view := range all {
		areas[view] = logResult(t, wholeViews[view].View, all[view])
	}
	return areas
}

// logResult logs the result of a view and returns its area under the ROC curve.
func logResult(t *testing.T, view cut.View, results []ranking) float64 {
	var sound, scores []float64
	var labels []bool
	pieces := 0
	for _, r := range results {
		if r.pieces == 0 {
			continue
		}
		pieces += r.pieces
		scores, labels = append(scores, r.logit), append(labels, r.cracked)
		if !r.cracked {
			sound = append(sound, r.logit)
		}
	}
	slices.Sort(sound)
	threshold := sound[len(sound)*95/100]
	area := metrics.ROCAUC(scores, labels)
	t.Logf("%s: %d tires, %d without a decision, %.1f forward passes each; area under the ROC curve %.3f; a logit above %.2f rejects 5 %% of the sound",
		view, len(results), len(results)-len(scores), float64(pieces)/float64(len(scores)), area, threshold)
	for _, b := range []struct{ from, to float64 }{{finest, 0.002}, {0.002, 0.003}, {0.003, widest}} {
		n, found, there := 0, 0, 0
		for _, r := range results {
			if r.pieces == 0 || !r.cracked || r.width < b.from || r.width >= b.to {
				continue
			}
			n++
			if r.logit > threshold {
				found++
				if r.there {
					there++
				}
			}
		}
		t.Logf("%s: cracks of %.2f to %.2f px in the frame: %d of %d found, %d of them by the tile that shows the crack",
			view, b.from*wholeSize, b.to*wholeSize, found, n, there)
	}
	return area
}
