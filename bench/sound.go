package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"tirewatch/quantize"
	"tirewatch/quantize/sound"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/dataset"
	"tirewatch/trainer/metrics"
	"tirewatch/trainer/pixels"
	"tirewatch/vision/anomaly"
	"tirewatch/vision/infer"
)

// soundDraws is how often pictures are drawn to learn from.
const soundDraws = 20

// learnSound learns a second opinion from a few pictures of sound tires, drawn at random from the
// photographs in dir, and tests it on all others. It does so soundDraws times and prints the mean.
// checkpointFile is that of a mobile network. Then it learns from all, as tirewatch quantize does.
func learnSound(w io.Writer, checkpointFile, dir string, count int) error {
	m, images, err := openSound(checkpointFile, dir)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(images, func(im sound.Image) bool { return im.Crack })
	normal, cracks := slices.Clone(images[:at]), images[at:]
	if len(normal) <= count {
		return fmt.Errorf("%s has %d pictures of sound tires, want more than %d", dir, len(normal), count)
	}
	var aucs []float64
	refused := 0
	for draw := range soundDraws {
		rng := rand.New(rand.NewPCG(uint64(draw), 7))
		rng.Shuffle(len(normal), func(i, j int) { normal[i], normal[j] = normal[j], normal[i] })
		a, err := sound.Learn(context.Background(), m, sound.DefaultLayer, normal[:count])
		if no, ok := errors.AsType[*sound.RefusedError](err); ok {
			refused++
			fmt.Fprintf(w, "draw %2d  refused: %.1f %% of the variance is between pictures\n", draw+1, 100*no.Result.Between)
			continue
		}
		if err != nil {
			return err
		}
		auc, err := testSound(w, draw, m, a, slices.Concat(normal[count:], cracks))
		if err != nil {
			return err
		}
		aucs = append(aucs, auc)
	}
	if len(aucs) > 0 {
		fmt.Fprintf(w, "learned from %d pictures: mean AUC %.4f, lowest %.4f, standard deviation %.4f, %d draws, %d refused\n",
			count, mean(aucs), slices.Min(aucs), deviation(aucs), soundDraws, refused)
	}
	a, err := sound.Learn(context.Background(), m, sound.DefaultLayer, images)
	if err != nil {
		fmt.Fprintln(w, "learned from all:", err)
		return nil
	}
	fmt.Fprintf(w, "learned from all: %+v\n", a.Result)
	return timeSound(w, m, a, images[0].Pix)
}

// openSound converts the network to int8 and reads the photographs, the sound ones first. The
// layers that the second opinion needs have a fixed range, so no picture calibrates them.
func openSound(checkpointFile, dir string) (*infer.Model, []sound.Image, error) {
	data, err := checkpoint.ReadFile(checkpointFile)
	if err != nil {
		return nil, nil, err
	}
	c, err := checkpoint.Decode(data)
	if err != nil {
		return nil, nil, err
	}
	m, err := quantize.Int8(context.Background(), c, quantize.Images{}, nil)
	if err != nil {
		return nil, nil, err
	}
	set, err := dataset.Open(dir)
	if err != nil {
		return nil, nil, err
	}
	if _, err := set.Group(dataset.Grouping{}); err != nil {
		return nil, nil, err
	}
	items := set.Whole().Train
	loaded, bad, err := set.Load(context.Background(), items, c.Spec,
		pixels.NewStore("", math.MaxInt64, len(items), c.Spec.Size()), nil)
	if err = errors.Join(append(bad, err)...); err != nil {
		return nil, nil, err
	}
	images := make([]sound.Image, len(loaded))
	for i, im := range loaded {
		images[i] = sound.Image{Crack: im.Class == dataset.Crack, Group: set.GroupOf(im.Item)}
		if images[i].Pix, err = im.Pix.Load(nil); err != nil {
			return nil, nil, err
		}
	}
	slices.SortStableFunc(images, func(a, b sound.Image) int {
		switch {
		case a.Crack == b.Crack:
			return 0
		case a.Crack:
			return 1
		}
		return -1
	})
	return m, images, nil
}

// testSound scores pictures that the model was not learned from.
func testSound(w io.Writer, draw int, m *infer.Model, a *anomaly.Model, images []sound.Image) (float64, error) {
	sums, err := sound.Scores(context.Background(), m, a, images)
	if err != nil {
		return 0, err
	}
	var scores []float64
	var labels []bool
	var above, of [2]int
	for i, s := range sums {
		k := 0
		if images[i].Crack {
			k = 1
		}
		of[k]++
		if s >= a.Limit {
			above[k]++
		}
		scores, labels = append(scores, float64(s)), append(labels, images[i].Crack)
	}
	auc := metrics.ROCAUC(scores, labels)
	fmt.Fprintf(w, "draw %2d  AUC %.4f  limit %.1f  above it: %d of %d sound, %d of %d cracked  between pictures %.1f %%\n",
		draw+1, auc, a.Mean(a.Limit), above[0], of[0], above[1], of[1], 100*a.Result.Between)
	return auc, nil
}

// timeSound prints the shortest times of the forward pass without and with Keep, and of the second
// opinion.
func timeSound(w io.Writer, m *infer.Model, a *anomaly.Model, pix []byte) error {
	plain, err := infer.NewRunner(m)
	if err != nil {
		return err
	}
	keeps, err := infer.NewRunner(m, infer.Keep(a.Layer))
	if err != nil {
		return err
	}
	d, err := anomaly.NewDetector(a, &m.Graph)
	if err != nil {
		return err
	}
	cells := make([]byte, d.Size())
	for _, step := range []struct {
		name string
		run  func() error
	}{
		{"forward pass", func() error { _, err := plain.Run(pix); return err }},
		{"forward pass that keeps " + a.Layer, func() error { _, err := keeps.Run(pix); return err }},
		{"cells, before the decision", func() error { d.Cells(cells, keeps.Kept()); return nil }},
		{"score, after the decision", func() error { d.Score(cells); return nil }},
	} {
		least := time.Duration(math.MaxInt64)
		for range 200 {
			began := time.Now()
			if err := step.run(); err != nil {
				return err
			}
			least = min(least, time.Since(began))
		}
		fmt.Fprintf(w, "%-36s %8.3f ms\n", step.name, least.Seconds()*1000)
	}
	return nil
}

func mean(v []float64) (sum float64) {
	for _, x := range v {
		sum += x / float64(len(v))
	}
	return sum
}

func deviation(v []float64) float64 {
	m, sum := mean(v), 0.0
	for _, x := range v {
		sum += (x - m) * (x - m) / float64(len(v))
	}
	return math.Sqrt(sum)
}
