package transfer

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"tirewatch/trainer/nn"
	"tirewatch/trainer/nn/f32"
	"tirewatch/trainer/pixels"
)

// Example is an image to fit a head on.
type Example struct {
	Views []pixels.Image // from Trunk.Features: the image, then its turned and mirrored views
	Crack bool
	Name  string // file name, for messages only
	Group string // examples with the same group belong together; empty: with no other
}

// HeadConfig says how a head is fitted. Start with HeadDefaults.
type HeadConfig struct {
	Epochs int
	Steps  int     // at least; few images need more epochs
	Batch  int     // images
	Rate   float64 // learning rate of Adam at the start; it falls along half a cosine to 0
	Decay  float64 // of the weights for standardised features, as an addition to the gradient
	Top    int     // number of positions with the highest scores that count
	Seed   uint64
}

// HeadDefaults returns the recipe, without Top.
func HeadDefaults() HeadConfig {
	return HeadConfig{Epochs: 100, Steps: 300, Batch: 64, Rate: 0.03, Decay: 0.01}
}

// Head scores each position of an image: Bias plus the sum of W times the position's activations.
// The logit of the image is the mean of the Top highest scores.
type Head struct {
	W    []float32 // (channels), for activations as the float network has them
	Bias float32
	Top  int
}

// unit is the activation of a feature byte of 1: the bytes of ReLU6 are 6/255 apart.
const unit = 6.0 / 255

// fitter is a head in the course of fitting. Its weights are those of standardised features, so
// that one weight decay suits all channels.
type fitter struct {
	cfg       HeadConfig
	mean, inv []float32 // (channels) of the features in bytes; inv is 1 / deviation
	w         []float32 // (channels + 1), the last is the bias
	adam      adam

	v    []float32 // (channels) w * inv: the weight of a byte
	base float32   // score of a position of zeros
	pick picker
	buf  []byte    // features of one image that are not in memory
	sums []float32 // (channels) of the bytes times their gradients, of a batch
	all  float32   // sum of these gradients
}

// FitHead fits a head on the examples: from zero, with the same weight for both classes. The result
// is always the same. channels is the number of features of a position.
func FitHead(ctx context.Context, cfg HeadConfig, channels int, examples []Example) (*Head, error) {
	weight, err := balanced(examples)
	if err != nil {
		return nil, err
	}
	f := &fitter{cfg: cfg, w: make([]float32, channels+1), v: make([]float32, channels), sums: make([]float32, channels)}
	if err := f.standardize(channels, examples); err != nil {
		return nil, err
	}
	steps := (len(examples) + cfg.Batch - 1) / cfg.Batch // in an epoch
	epochs := max(cfg.Epochs, (cfg.Steps+steps-1)/steps)
	for epoch := range epochs {
		rng := rand.New(rand.NewPCG(cfg.Seed, uint64(epoch)))
		order := rng.Perm(len(examples))
		for step := range steps {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			batch := order[step*cfg.Batch : min((step+1)*cfg.Batch, len(order))]
			if err := f.batch(examples, batch, weight, rng); err != nil {
				return nil, err
			}
			done := float64(epoch*steps+step) / float64(epochs*steps)
			f.step(cfg.Rate * (1 + math.Cos(math.Pi*done)) / 2)
		}
	}
	h := &Head{W: make([]float32, channels), Bias: f.base, Top: cfg.Top}
	for c, v := range f.v {
		h.W[c] = v / unit
	}
	return h, nil
}

// standardize measures mean and standard deviation of each channel over all positions. A channel
// that never changes gets no weight.
func (f *fitter) standardize(channels int, examples []Example) error {
	sum, squares := make([]int64, channels), make([]int64, channels)
	n := 0
	f.buf = make([]byte, examples[0].Views[0].Size())
	for _, e := range examples {
		pix, err := e.Views[0].Load(f.buf)
		if err != nil {
			return fmt.Errorf("fit the head on %s: %w", e.Name, err)
		}
		for ; len(pix) >= channels; pix = pix[channels:] {
			for c, b := range pix[:channels] {
				sum[c] += int64(b)
				squares[c] += int64(b) * int64(b)
			}
			n++
		}
	}
	f.mean, f.inv = make([]float32, channels), make([]float32, channels)
	for c := range channels {
		m := float64(sum[c]) / float64(n)
		f.mean[c] = float32(m)
		if d := math.Sqrt(float64(squares[c])/float64(n) - m*m); d > 0 {
			f.inv[c] = float32(1 / d)
		}
	}
	return nil
}

// batch computes the gradient of a batch.
func (f *fitter) batch(examples []Example, batch []int, weight [2]float64, rng *rand.Rand) error {
	clear(f.sums)
	f.all = 0
	for _, i := range batch {
		e := examples[i]
		pix, err := e.Views[rng.IntN(len(e.Views))].Load(f.buf)
		if err != nil {
			return fmt.Errorf("fit the head on %s: %w", e.Name, err)
		}
		logit := f.pick.logit(pix, f.v, f.base, f.cfg.Top)
		c := class(e.Crack)
		_, slope := nn.CrossEntropy(logit, float64(c))
		g := float32(slope * weight[c] / float64(len(batch)*f.cfg.Top))
		for _, p := range f.pick.places {
			for c, b := range pix[p*len(f.v):][:len(f.v)] {
				f.sums[c] += g * float32(b)
			}
		}
		f.all += g * float32(f.cfg.Top)
	}
	return nil
}

// step moves the weights against the gradient of the batch.
func (f *fitter) step(rate float64) {
	f.gradient()
	f.adam.step(f.w, rate)
	f.refresh()
}

// gradient turns the gradient of the batch into that of the standardised features.
func (f *fitter) gradient() {
	grad := f.adam.gradient(len(f.w))
	for c, s := range f.sums {
		grad[c] = (s-f.mean[c]*f.all)*f.inv[c] + float32(f.cfg.Decay)*f.w[c]
	}
	grad[len(f.sums)] = f.all
}

// refresh computes the weights of the bytes.
func (f *fitter) refresh() {
	f.base = f.w[len(f.v)]
	for c := range f.v {
		f.v[c] = f.w[c] * f.inv[c]
		f.base -= f.v[c] * f.mean[c]
	}
}

// adam is the optimizer of Kingma and Ba (2015), algorithm 1.
type adam struct {
	g, m, v []float32
	steps   int
}

// gradient returns the slice for the gradient of the next step.
func (a *adam) gradient(n int) []float32 {
	if a.g == nil {
		a.g, a.m, a.v = make([]float32, n), make([]float32, n), make([]float32, n)
	}
	return a.g
}

func (a *adam) step(w []float32, rate float64) {
	const b1, b2, epsilon = 0.9, 0.999, 1e-8
	a.steps++
	c1, c2 := 1-math.Pow(b1, float64(a.steps)), 1-math.Pow(b2, float64(a.steps))
	for i, g := range a.g {
		a.m[i] = b1*a.m[i] + (1-b1)*g
		a.v[i] = b2*a.v[i] + (1-b2)*g*g
		w[i] -= float32(rate * (float64(a.m[i]) / c1) / (math.Sqrt(float64(a.v[i])/c2) + epsilon))
	}
}

// picker finds the positions with the highest scores of one image. Its memory is used again.
type picker struct {
	scores, sorted []float32
	places         []int // of the highest scores, in the order of the image
}

// logit returns the mean of the top highest scores. Of equal scores it takes the first.
func (p *picker) logit(pix []byte, v []float32, base float32, top int) float64 {
	if p.scores == nil {
		p.scores = make([]float32, len(pix)/len(v))
	}
	p.places = p.places[:0]
	f32.Scores(p.scores, pix, v, base)
	p.sorted = append(p.sorted[:0], p.scores...)
	slices.Sort(p.sorted)
	least := p.sorted[len(p.sorted)-top]
	equal := top // how many of the least score are taken
	for _, s := range p.sorted[len(p.sorted)-top:] {
		if s > least {
			equal--
		}
	}
	sum := float32(0)
	for i, s := range p.scores {
		if s < least || s == least && equal == 0 {
			continue
		}
		if s == least {
			equal--
		}
		p.places = append(p.places, i)
		sum += s
	}
	return float64(sum) / float64(top)
}

// Logit returns the logit of an image from its features.
func (h *Head) Logit(features []byte) float64 {
	v := make([]float32, len(h.W))
	for c, w := range h.W {
		v[c] = w * unit
	}
	return new(picker).logit(features, v, h.Bias, h.Top)
}

// class is 0 for a sound tire and 1 for a cracked one.
func class(crack bool) int {
	if crack {
		return 1
	}
	return 0
}
