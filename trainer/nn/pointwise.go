package nn

import (
	"tirewatch/trainer/nn/f32"
	"tirewatch/vision/graph"
)

// pointwise is a 1x1 convolution of every position: a product of matrices, forward and backward.
type pointwise struct {
	graph.Step
	*params
	first     bool      // first layer: the gradient of its input is not needed
	positions int       // of the live map
	x         []float32 // (positions, C), the last input
	y         []float32 // (positions, F)
	dx        []float32 // as x
	zero      []float32 // (C), the start of dx
	scratch   []float32 // f32.ProductScratch
}

// isPointwise reports whether a convolution is one product.
func isPointwise(s graph.Step) bool {
	return s.Kernel == 1 && s.Stride == 1 && s.PadTop == 0 && s.PadLeft == 0 &&
		s.LiveIn.H == s.LiveOut.H && s.LiveIn.W == s.LiveOut.W && s.Filters%f32.Block == 0
}

func newPointwise(s graph.Step, p *params, first bool) *pointwise {
	return &pointwise{
		Step: s, params: p, first: first, positions: s.LiveOut.H * s.LiveOut.W, y: make([]float32, s.LiveOut.Size()),
		scratch: make([]float32, f32.ProductScratch),
	}
}

func (c *pointwise) forward(x []float32) []float32 {
	c.x = x
	f32.Product(c.y, f32.Matrix{Data: x, Row: c.In.C, Term: 1}, c.packed, c.bias,
		c.positions, c.In.C, c.Filters, c.Activation == graph.ReLU6, c.scratch)
	if c.Activation == graph.ReLU {
		activate(c.Activation, c.y)
	}
	return c.y
}

func (c *pointwise) backward(dy []float32) []float32 {
	dw, db := c.gradients()
	biasGradient(c.Activation, dy, c.y, db)
	f32.Product(dw, f32.Matrix{Data: dy, Row: 1, Term: c.Filters}, c.x, nil,
		c.Filters, c.positions, c.In.C, false, c.scratch)
	if c.first {
		return nil
	}
	if c.dx == nil {
		c.dx, c.zero = make([]float32, c.positions*c.In.C), make([]float32, c.In.C)
	}
	f32.Product(c.dx, f32.Matrix{Data: dy, Row: c.Filters, Term: 1}, c.weights, c.zero,
		c.positions, c.Filters, c.In.C, false, c.scratch)
	return c.dx
}

// biasGradient clears the gradient where the activation stopped the value, and adds the rest to the
// gradient of the biases.
func biasGradient(a graph.Activation, dy, y, db []float32) {
	if a == graph.ReLU6 {
		f32.ReLU6Gradient(dy, y, db, len(y)/len(db))
		return
	}
	passGradient(a, dy, y)
	for i := 0; i < len(y); i += len(db) {
		for f, g := range dy[i:][:len(db)] {
			db[f] += g
		}
	}
}
