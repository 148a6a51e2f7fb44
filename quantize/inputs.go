package quantize

import (
	"fmt"

	"tirewatch/quantize/convert"
	"tirewatch/vision/graph"
	"tirewatch/vision/kernel"
)

// layerInput tells how a trained layer gets its input. Both networks report only the activations of
// trained layers, before the means between two of them.
type layerInput struct {
	seen  graph.Shape  // what the trained layer before it reports; the image for the first
	means []graph.Step // the means in between
	shape graph.Shape  // what it reads: the whole image for the first, the live region for the others
}

// errPools marks networks with another pool between two trained layers, or a pool of the image.
var errPools = fmt.Errorf("bias correction supports max pools only directly after a convolution: %w", convert.ErrParams)

// layerInputs returns the inputs of the trained layers.
func layerInputs(g *graph.Graph) ([]layerInput, error) {
	steps, err := g.Plan()
	if err != nil {
		return nil, err
	}
	var all []layerInput
	next, before := layerInput{seen: steps[0].In}, graph.Step{}
	for _, s := range steps {
		switch {
		case s.HasWeights():
			next.shape = s.LiveIn
			if len(all) == 0 {
				next.shape = s.In
			}
			all = append(all, next)
			next = layerInput{seen: s.LiveOut}
		case s.Kind == graph.MeanPool && len(all) > 0:
			next.means = append(next.means, s)
		case s.Kind == graph.MaxPool2D && before.Kind == graph.Conv2D:
			next.seen = s.LiveOut
		case s.Kind == graph.MaxPool2D, s.Kind == graph.MeanPool:
			return nil, errPools
		}
		if s.Kind != graph.Dropout {
			before = s
		}
	}
	return all, nil
}

// floats returns the mean input of the layer from the mean of what the layer before it reports: a
// mean is linear.
func (in layerInput) floats(x []float64) []float64 {
	for _, s := range in.means {
		x = meanOf(s, x)
	}
	return x
}

// bytes returns the layer's input from what the layer before it reports for one image.
func (in layerInput) bytes(x []uint8) []uint8 {
	for _, s := range in.means {
		h, w := window(s)
		m := kernel.Mean{H: h, W: w, Stride: s.Stride, OutW: s.LiveOut.W,
			In: kernel.Area{H: s.LiveIn.H, W: s.LiveIn.W, C: s.In.C, Row: s.LiveIn.W * s.In.C}}
		out := make([]uint8, s.LiveOut.Size())
		kernel.MeanGeneric(out, x, m, s.LiveOut.H)
		x = out
	}
	return x
}

// window returns the size of the windows of a mean.
func window(s graph.Step) (h, w int) {
	if s.Kernel == 0 {
		return s.In.H, s.In.W
	}
	return s.Kernel, s.Kernel
}

// meanOf returns the means of the windows of x, the live region of the input of s.
func meanOf(s graph.Step, x []float64) []float64 {
	h, w := window(s)
	out := make([]float64, s.LiveOut.Size())
	for oy := range s.LiveOut.H {
		for ox := range s.LiveOut.W {
			for i := range h * w {
				y, x0 := oy*s.Stride+i/w, ox*s.Stride+i%w
				for c, v := range x[(y*s.LiveIn.W+x0)*s.In.C:][:s.In.C] {
					out[(oy*s.LiveOut.W+ox)*s.In.C+c] += v / float64(h*w)
				}
			}
		}
	}
	return out
}
