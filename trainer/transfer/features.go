package transfer

import (
	"context"
	"fmt"

	"tirewatch/internal/each"
	"tirewatch/trainer"
	"tirewatch/trainer/pixels"
	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
)

// Trunk is the part of an int8 network before its score layer: frozen layers, whose output is
// computed once for each image. It computes the integers of a station, so a head that is fitted on
// them is fitted on what a station sees; and it is some twenty times faster than the float network.
type Trunk struct {
	model  *infer.Model
	in     graph.Shape // of the image
	last   int         // index of the last layer with weights before the score layer
	before graph.Step  // that layer
	cells  int         // side of the windows whose mean follows it, 1 for none
	shape  graph.Shape
}

// NewTrunk uses the layers of a network that ends in scores and their mean, as graph.Mobile does.
func NewTrunk(m *infer.Model) (*Trunk, error) {
	steps, err := m.Graph.Plan()
	if err != nil {
		return nil, err
	}
	t := &Trunk{model: m, in: m.Graph.Input, last: -1, cells: 1}
	n := len(steps) - 2
	if n < 1 || steps[n+1].Kind != graph.TopMean || steps[n].Kernel != 1 {
		return nil, fmt.Errorf("%w: the network has no score for each position", graph.ErrGraph)
	}
	at := n - 1
	if steps[at].Kind == graph.MeanPool {
		if t.cells = steps[at].Kernel; t.cells != 2 || steps[at].Stride != 2 {
			return nil, fmt.Errorf("%w: layer %s: want cells of 2 x 2 positions", graph.ErrGraph, steps[at].Name)
		}
		at--
	}
	if at < 0 || !steps[at].HasWeights() {
		return nil, fmt.Errorf("%w: no layer with weights before the scores", graph.ErrGraph)
	}
	for _, s := range steps[:at+1] {
		if s.HasWeights() {
			t.last++
		}
	}
	t.before, t.shape = steps[at], steps[n].In
	return t, nil
}

// Shape returns the shape of the features of one image: positions and channels.
func (t *Trunk) Shape() graph.Shape { return t.shape }

// Views is the largest number of views of an image: its four quarter turns, each also mirrored.
const Views = 8

// Features computes the features of the samples into store, in parallel: for each sample one value
// for each of the given number of views, the first of them the image as it is. A feature is a byte
// of the int8 network. progress counts views and may be nil.
func (t *Trunk) Features(ctx context.Context, samples []trainer.Sample, views int, store *pixels.Store,
	progress func(done int)) ([][]pixels.Image, error) {
	type worker struct {
		run         *infer.Runner
		buf, turned []byte
	}
	out := make([][]pixels.Image, len(samples))
	for i := range out {
		out[i] = make([]pixels.Image, views)
	}
	err := each.Run(ctx, views*len(samples),
		func() (worker, error) {
			r, err := infer.NewRunner(t.model)
			return worker{r, make([]byte, t.in.Size()), make([]byte, t.in.Size())}, err
		},
		func(w worker, k int) error {
			s, view := samples[k/views], k%views
			pix, err := s.Pix.Load(w.buf)
			if err != nil {
				return fmt.Errorf("features of %s: %w", s.Name, err)
			}
			if view > 0 {
				plainView(view).apply(w.turned, pix, t.in.W)
				pix = w.turned
			}
			f := make([]byte, t.shape.Size())
			if err := t.compute(w.run, f, pix); err != nil {
				return fmt.Errorf("features of %s: %w", s.Name, err)
			}
			out[k/views][view], err = store.Put(f)
			return err
		}, nil, progress)
	return out, err
}

// compute writes the features of one image to dst.
func (t *Trunk) compute(r *infer.Runner, dst, pix []byte) error {
	_, err := r.Observe(pix, func(layer int, values []uint8) {
		if layer != t.last {
			return
		}
		if t.cells == 1 {
			copy(dst, values)
		} else {
			cells(dst, values, t.shape, t.before.Out.W)
		}
	})
	return err
}

// cells writes the mean of each 2 x 2 window, rounded as the integer law does: to nearest, ties to
// even. shape is that of dst; a row of x has the given width.
func cells(dst, x []byte, shape graph.Shape, width int) {
	c := shape.C
	for y := range shape.H {
		for p := range shape.W {
			top := x[(2*y*width+2*p)*c:][:2*c]
			bottom := x[((2*y+1)*width+2*p)*c:][:2*c]
			out := dst[(y*shape.W+p)*c:][:c]
			for i := range out {
				sum := uint(top[i]) + uint(top[c+i]) + uint(bottom[i]) + uint(bottom[c+i])
				out[i] = byte((sum + 1 + sum>>2&1) >> 2)
			}
		}
	}
}
