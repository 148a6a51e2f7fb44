// Package sound learns what the sound tires of one type look like, for a second opinion on a
// station.
//
//	photographs of sound tires -> int8 network -> SOUND: fit, test on held-out ones -> anomaly.Model
//
// It needs no picture of a crack. If there are some, they only test the result. Tires of many kinds
// have no common look: [Learn] measures that on pictures that were held out, and refuses with
// *[RefusedError]. The same pictures give the same model.
package sound

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"tirewatch/internal/each"
	"tirewatch/trainer/metrics"
	"tirewatch/vision/anomaly"
	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
)

const (
	// MinSound is the smallest number of pictures of sound tires to learn from.
	MinSound = 10
	// MinGroups is the smallest number of groups of them: places, tires or deliveries.
	MinGroups = 5
	// MinCracks is the smallest number of pictures of cracks whose AUC is taken as a measurement.
	MinCracks = 5
	// MinAUC is the lowest AUC of a useful second opinion.
	MinAUC = 0.8
	// MaxBetween is the highest share of the variance between pictures of one type of tire. See
	// anomaly.Result. From ten pictures or more of brickwork, one kind of surface, it is 0.03 to 0.08,
	// of tires of many kinds 0.09 to 0.17.
	MaxBetween = 0.08
)

// DefaultLayer is the layer that is compared, if the network has it: the third block of a mobile
// network. Later blocks see the parts of a picture, earlier ones only its edges. On brickwork, from
// ten pictures, blocks 5 and 7 have a lower AUC.
const DefaultLayer = "pointwise3"

const (
	// cell is the side of a cell, px of the network's input.
	cell = 16
	// worst is the share of the cells whose distances are added, those of a crack: one in worst.
	worst = 20
	// folds is the number of parts of which one is held out at a time.
	folds = 5
	// deviations is how many standard deviations above their mean the limit is, as on a control
	// chart (Shewhart 1931).
	deviations = 3
)

var (
	// ErrTooFew means that there are not enough pictures of sound tires.
	ErrTooFew = errors.New("too few pictures of sound tires")
	// ErrNoLayer means that the network does not have the layer: it is not a mobile network.
	ErrNoLayer = errors.New("the network has no layer")
)

// Image is a preprocessed photograph.
type Image struct {
	Pix   []byte
	Crack bool
	Group string // images with the same name belong together; not empty
}

// RefusedError says that the pictures have no common look.
type RefusedError struct{ Result anomaly.Result }

func (e *RefusedError) Error() string {
	r := e.Result
	if r.Cracks >= MinCracks {
		return fmt.Sprintf("sound tires do not differ enough from cracked ones: AUC %.3f (95 %% interval %.3f to %.3f) on "+
			"%d sound and %d cracked pictures that were held out, want %g or more",
			r.AUC, r.AUCLow, r.AUCHigh, r.Sound, r.Cracks, MinAUC)
	}
	return fmt.Sprintf("the sound tires have no common look: %.1f %% of the variance is between pictures, "+
		"on %d held-out pictures of %d groups, want %g %% or less", 100*r.Between, r.Sound, r.Groups, 100*MaxBetween)
}

// Hint is the advice, for package hint.
func (e *RefusedError) Hint() string {
	return "learn from one type of tire in one view, as one camera sees it; for tires of many kinds train on pictures of " +
		"both classes, without a second opinion"
}

// Learn fits a model of the sound pictures for a layer of the network and tests it on held-out
// pictures. Golden stays empty. Errors: ErrTooFew, *RefusedError, and that of ctx.
func Learn(ctx context.Context, m *infer.Model, layer string, images []Image) (*anomaly.Model, error) {
	t := &test{images: images, model: anomaly.Model{Layer: layer}, net: &m.Graph}
	if err := t.check(); err != nil {
		return nil, err
	}
	if err := t.shape(m); err != nil {
		return nil, err
	}
	if err := t.look(ctx, m); err != nil {
		return nil, err
	}
	if err := t.holdOut(); err != nil {
		return nil, err
	}
	if err := t.judge(); err != nil {
		return nil, err
	}
	all := t.all()
	if err := all.fit(&t.model); err != nil {
		return nil, err
	}
	return &t.model, t.model.Validate(t.net)
}

// test holds the pictures and what was measured on them.
type test struct {
	images   []Image
	net      *graph.Graph
	model    anomaly.Model
	channels int
	groups   int

	cells   [][]uint8  // of each picture
	moments []*moments // of each sound picture, nil for a crack
	fold    []int      // of each picture

	scores []int32 // of each picture, held out
}

// check counts the pictures and divides their groups into folds.
func (t *test) check() error {
	of, sound := map[string]int{}, 0
	for _, im := range t.images { // groups with sound pictures first, in their order
		if im.Crack {
			continue
		}
		sound++
		if _, ok := of[im.Group]; !ok {
			of[im.Group] = len(of) % folds
		}
	}
	t.groups = len(of)
	if sound < MinSound {
		return fmt.Errorf("%w: %d, want %d or more", ErrTooFew, sound, MinSound)
	}
	if t.groups < MinGroups {
		return fmt.Errorf("%w: %d pictures of %d groups, want %d groups or more", ErrTooFew, sound, t.groups, MinGroups)
	}
	for _, im := range t.images {
		if _, ok := of[im.Group]; !ok {
			of[im.Group] = len(of) % folds
		}
		t.fold = append(t.fold, of[im.Group])
	}
	t.model.Result.Sound, t.model.Result.Groups = sound, t.groups
	t.model.Result.Cracks = len(t.images) - sound
	return nil
}

// shape chooses the cells.
func (t *test) shape(m *infer.Model) error {
	steps, err := m.Graph.Plan()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(steps, func(s graph.Step) bool { return s.Name == t.model.Layer })
	if i < 0 {
		return fmt.Errorf("%w %q", ErrNoLayer, t.model.Layer)
	}
	live := steps[i].LiveOut
	t.channels = live.C
	t.model.Cell = max(1, cell*min(live.H, live.W)/min(m.Graph.Input.H, m.Graph.Input.W))
	n := (live.H / t.model.Cell) * (live.W / t.model.Cell)
	t.model.Worst = max(1, (n+worst/2)/worst)
	return nil
}

// blank completes a copy of the model with numbers that fit, so that a Detector can be made.
func (t *test) blank() anomaly.Model {
	m, c := t.model, t.channels
	m.W, m.Bias, m.Mult, m.Limit = make([]byte, c*c), make([]int32, c), slices.Repeat([]float32{1}, c), 1
	return m
}

// look runs the network on every picture.
func (t *test) look(ctx context.Context, m *infer.Model) error {
	t.cells, t.moments = make([][]uint8, len(t.images)), make([]*moments, len(t.images))
	blank := t.blank()
	return compare(ctx, m, &blank, t.images, func(_ *anomaly.Detector, i int, cells []uint8) {
		t.cells[i] = slices.Clone(cells)
		if !t.images[i].Crack {
			t.moments[i] = measure(cells, t.channels)
		}
	})
}

// all returns the moments of all sound pictures.
func (t *test) all() *moments {
	sum := &moments{sum: make([]float64, t.channels), products: make([]float64, t.channels*t.channels)}
	for _, m := range t.moments {
		if m != nil {
			sum.add(m, 1)
		}
	}
	return sum
}

// holdOut scores each fold with a model of the sound pictures of the others.
func (t *test) holdOut() error {
	t.scores = make([]int32, len(t.images))
	for k := range folds {
		rest := t.all()
		for i, m := range t.moments {
			if m != nil && t.fold[i] == k {
				rest.add(m, -1)
			}
		}
		m := t.blank()
		if err := rest.fit(&m); err != nil {
			return err
		}
		d, err := anomaly.NewDetector(&m, t.net)
		if err != nil {
			return err
		}
		for i := range t.images {
			if t.fold[i] != k {
				continue
			}
			sum, distances := d.Score(t.cells[i])
			t.scores[i] = sum
			if own := t.moments[i]; own != nil {
				t.model.Result.Between += between(&m, own, distances) / float64(t.model.Result.Sound)
			}
		}
	}
	return nil
}

// judge sets the limit and the result, and refuses a model that would not help.
func (t *test) judge() error {
	var sound []float64
	labels, groups, scores := make([]bool, len(t.images)), make([]string, len(t.images)), make([]float64, len(t.images))
	for i, im := range t.images {
		labels[i], groups[i], scores[i] = im.Crack, im.Group, float64(t.scores[i])
		if !im.Crack {
			sound = append(sound, scores[i])
		}
	}
	mean, sd := statistics(sound)
	t.model.Limit = int32(math.Ceil(mean + deviations*sd))
	r := &t.model.Result
	for i, s := range t.scores {
		switch above := s >= t.model.Limit; {
		case above && labels[i]:
			r.Found++
		case above:
			r.FalseAlarms++
		}
	}
	if r.Cracks >= MinCracks {
		auc := metrics.NewBootstrap(groups, labels, 1).AUC(scores, labels)
		r.AUC, r.AUCLow, r.AUCHigh = metrics.ROCAUC(scores, labels), auc.Low, auc.High
		if r.AUC < MinAUC {
			return &RefusedError{*r}
		}
		return nil
	}
	if r.Between > MaxBetween {
		return &RefusedError{*r}
	}
	return nil
}

func statistics(v []float64) (mean, sd float64) {
	for _, x := range v {
		mean += x / float64(len(v))
	}
	for _, x := range v {
		sd += (x - mean) * (x - mean)
	}
	return mean, math.Sqrt(sd / float64(len(v)-1))
}

// between returns the share of a picture's squared distances that all its cells have in common:
// that of their mean.
func between(m *anomaly.Model, picture *moments, distances []int32) float64 {
	c, common, whole := len(m.Bias), 0.0, 0.0
	for i, b := range m.Bias {
		sum := float64(b)
		for j, v := range picture.sum {
			sum += float64(int8(m.W[i*c+j])) * v / picture.n
		}
		common += math.Pow(sum*float64(m.Mult[i]), 2)
	}
	for _, d := range distances {
		whole += float64(d) * float64(d) / float64(len(distances))
	}
	return common / max(whole, 1)
}

// Scores returns the score of each image.
func Scores(ctx context.Context, m *infer.Model, a *anomaly.Model, images []Image) ([]int32, error) {
	scores := make([]int32, len(images))
	err := compare(ctx, m, a, images, func(d *anomaly.Detector, i int, cells []uint8) { scores[i], _ = d.Score(cells) })
	return scores, err
}

// compare runs the network on every image, in parallel, and passes the cells to use. They are valid
// during the call.
func compare(ctx context.Context, m *infer.Model, a *anomaly.Model, images []Image,
	use func(d *anomaly.Detector, i int, cells []uint8)) error {
	type worker struct {
		run   *infer.Runner
		see   *anomaly.Detector
		cells []uint8
	}
	return each.Run(ctx, len(images), func() (w worker, err error) {
		if w.see, err = anomaly.NewDetector(a, &m.Graph); err == nil {
			w.cells = make([]uint8, w.see.Size())
			w.run, err = infer.NewRunner(m, infer.Keep(a.Layer))
		}
		return w, err
	}, func(w worker, i int) error {
		if _, err := w.run.Run(images[i].Pix); err != nil {
			return err
		}
		w.see.Cells(w.cells, w.run.Kept())
		use(w.see, i, w.cells)
		return nil
	}, nil, nil)
}
