package nn

import (
	"tirewatch/trainer/nn/f32"
	"tirewatch/vision/graph"
)

// pointwise is a 1x1 convolution of every position: a product of matrices, forward and backward.
//
// In a network that ends in the mean of the highest scores, the gradient starts at a tenth of the
// positions, and each depthwise layer below passes it to the neighbours. So backward computes only
// the positions that have one.
type pointwise struct {
	graph.Step
	*params
	first     bool      // first layer: the gradient of its input is not needed
	positions int       // of the live map
	x         []float32 // (positions, C), the last input
	y         []float32 // (positions, F)
	dx        []float32 // as x
	zero      []float32 // (C), the start of dx
	live      []int32   // positions that have a gradient
	rows      []float32 // (positions, C): input, then its gradient, of the live positions
	dyRows    []float32 // (positions, F)
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
	c.prepare()
	c.live = f32.LiveRows(c.live[:0], dy, c.positions, c.Filters)
	n := len(c.live)
	if n == c.positions {
		biasGradient(c.Activation, dy, c.y, db)
		c.weightGradient(dw, dy, c.x, n)
		c.inputGradient(c.dx, dy, n)
		return c.dx
	}
	c.eachRun(func(row, position, n int) {
		g := dy[position*c.Filters:][:n*c.Filters]
		biasGradient(c.Activation, g, c.y[position*c.Filters:][:len(g)], db)
		copy(c.dyRows[row*c.Filters:], g)
		copy(c.rows[row*c.In.C:], c.x[position*c.In.C:][:n*c.In.C])
	})
	c.weightGradient(dw, c.dyRows, c.rows, n)
	c.inputGradient(c.rows, c.dyRows, n)
	clear(c.dx)
	c.eachRun(func(row, position, n int) { copy(c.dx[position*c.In.C:], c.rows[row*c.In.C:][:n*c.In.C]) })
	return c.dx
}

// eachRun calls visit for each run of n neighbouring live positions: the first of them is number
// row of the live ones, and number position of all.
func (c *pointwise) eachRun(visit func(row, position, n int)) {
	for row := 0; row < len(c.live); {
		n := 1
		for row+n < len(c.live) && c.live[row+n] == c.live[row]+int32(n) {
			n++
		}
		visit(row, int(c.live[row]), n)
		row += n
	}
}

// prepare allocates the memory of backward.
func (c *pointwise) prepare() {
	if c.live != nil {
		return
	}
	c.live = make([]int32, 0, c.positions)
	c.rows, c.dyRows = make([]float32, c.positions*c.In.C), make([]float32, c.positions*c.Filters)
	if !c.first {
		c.dx, c.zero = make([]float32, c.positions*c.In.C), make([]float32, c.In.C)
	}
}

// weightGradient adds that of n positions.
func (c *pointwise) weightGradient(dw, dy, x []float32, n int) {
	f32.Product(dw, f32.Matrix{Data: dy, Row: 1, Term: c.Filters}, x, nil, c.Filters, n, c.In.C, false, c.scratch)
}

// inputGradient writes that of n positions, unless nobody reads it.
func (c *pointwise) inputGradient(dx, dy []float32, n int) {
	if !c.first {
		f32.Product(dx, f32.Matrix{Data: dy, Row: c.Filters, Term: 1}, c.weights, c.zero, n, c.Filters, c.In.C, false, c.scratch)
	}
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
