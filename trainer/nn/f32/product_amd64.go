package f32

//go:noescape
func product8x48AVX512(dst *float32, dstStep int, start *float32, startStep int, a *float32, row, term, k int,
	panel *float32, relu6 int)

//go:noescape
func product6x16AVX2(dst *float32, dstStep int, start *float32, startStep int, a *float32, row, term, k int,
	panel *float32, relu6 int)

//go:noescape
func product1x16AVX2(dst *float32, dstStep int, start *float32, startStep int, a *float32, row, term, k int,
	panel *float32, relu6 int)

//go:noescape
func packPanel(panel, b *float32, bStep, k, columns int)

//go:noescape
func relu6AVX2(y *float32, n int)

//go:noescape
func anyValueAVX2(x *float32, n int) bool

//go:noescape
func relu6GradientAVX2(dy, y, sums *float32, n, c int)

//go:noescape
func depthwiseAVX512(dst, x *float32, n, step, rowStride int, w, bias *float32, c, relu6 int)

//go:noescape
func depthwiseAVX2(dst, x *float32, n, step, rowStride int, w, bias *float32, c, relu6 int)

//go:noescape
func depthwiseInputAVX512(dx, grad *float32, n, step, rowStride int, w *float32, c int)

//go:noescape
func depthwiseInputAVX2(dx, grad *float32, n, step, rowStride int, w *float32, c int)

//go:noescape
func depthwiseWeightsAVX512(dw, grad, x *float32, n, step, rowStride, c int)

//go:noescape
func depthwiseWeightsAVX2(dw, grad, x *float32, n, step, rowStride, c int)

func product(dst []float32, a Matrix, b, bias []float32, m, k, n int, relu6 bool, scratch []float32) {
	if level == levelGeneric || n%Block != 0 {
		productGeneric(dst, a, b, bias, m, k, n, relu6)
		return
	}
	for top := 0; top < m; top += panelRows {
		rows := min(panelRows, m-top)
		for t := 0; t < k; t += panelTerms {
			terms := min(panelTerms, k-t)
			p := panel{
				dst: dst[top*n:], n: n, a: Matrix{a.Data[top*a.Row+t*a.Term:], a.Row, a.Term}, terms: terms,
				values: scratch,
			}
			if t == 0 {
				p.bias = bias // later terms add to the sums of the first
			}
			if relu6 && t+terms == k {
				p.relu6 = 1
			}
			for column := 0; column < n; column += panelWidth {
				columns := min(panelWidth, n-column)
				packPanel(&scratch[0], &b[t*n+column], 4*n, terms, 4*columns)
				p.multiply(rows, column, columns)
			}
		}
	}
}

// panel is the part of a product with some terms and columns of b.
type panel struct {
	dst    []float32 // rows of n values
	n      int
	a      Matrix
	terms  int
	values []float32 // (terms, panelWidth)
	bias   []float32 // nil: the sums go on
	relu6  int
}

// multiply computes rows x columns of dst.
func (p *panel) multiply(rows, column, columns int) {
	row := 0
	if level == levelAVX512 && columns == panelWidth {
		for ; row+8 <= rows; row += 8 {
			p.tile(product8x48AVX512, row, column, 0)
		}
	}
	for ; row+tile <= rows; row += tile {
		for c := 0; c < columns; c += Block {
			p.tile(product6x16AVX2, row, column, c)
		}
	}
	for ; row < rows; row++ {
		for c := 0; c < columns; c += Block {
			p.tile(product1x16AVX2, row, column, c)
		}
	}
}

type productTile = func(dst *float32, dstStep int, start *float32, startStep int, a *float32, row, term, k int,
	panel *float32, relu6 int)

// tile calls a kernel for the tile at a row and at column c of the panel.
func (p *panel) tile(kernel productTile, row, column, c int) {
	out := &p.dst[row*p.n+column+c]
	start, startStep := out, 4*p.n
	if p.bias != nil {
		start, startStep = &p.bias[column+c], 0
	}
	kernel(out, 4*p.n, start, startStep, &p.a.Data[row*p.a.Row], 4*p.a.Row, 4*p.a.Term, p.terms, &p.values[c], p.relu6)
}

func relu6(y []float32) {
	if n := len(y) &^ 7; level != levelGeneric && n > 0 {
		relu6AVX2(&y[0], 4*n)
		y = y[n:]
	}
	limit(y)
}

func anyValue(x []float32) bool {
	if n := len(x) &^ 7; level != levelGeneric && n > 0 {
		if anyValueAVX2(&x[0], 4*n) {
			return true
		}
		x = x[n:]
	}
	return anyValueGeneric(x)
}

func relu6Gradient(dy, y, sums []float32, n int) {
	if level == levelGeneric || len(sums)%8 != 0 {
		relu6GradientGeneric(dy, y, sums, n)
		return
	}
	relu6GradientAVX2(&dy[0], &y[0], &sums[0], n, 4*len(sums))
}

// Channels that one call of a depthwise kernel computes.
const (
	depthwiseAVX512Block = 16
	depthwiseAVX2Block   = 8
)

func depthwise(dst, x []float32, n, step, rowStride int, w, bias []float32, relu6 bool) {
	c := len(bias)
	if level == levelGeneric || c%depthwiseAVX2Block != 0 {
		depthwiseGeneric(dst, x, n, step, rowStride, w, bias, relu6)
		return
	}
	limit := 0
	if relu6 {
		limit = 1
	}
	i := 0
	for ; level == levelAVX512 && i+depthwiseAVX512Block <= c; i += depthwiseAVX512Block {
		depthwiseAVX512(&dst[i], &x[i], n, 4*step, 4*rowStride, &w[i], &bias[i], 4*c, limit)
	}
	for ; i < c; i += depthwiseAVX2Block {
		depthwiseAVX2(&dst[i], &x[i], n, 4*step, 4*rowStride, &w[i], &bias[i], 4*c, limit)
	}
}

func depthwiseInput(dx, g []float32, n, step, rowStride int, w []float32) {
	c := len(w) / 9
	if level == levelGeneric || c%depthwiseAVX2Block != 0 {
		depthwiseInputGeneric(dx, g, n, step, rowStride, w)
		return
	}
	i := 0
	for ; level == levelAVX512 && i+depthwiseAVX512Block <= c; i += depthwiseAVX512Block {
		depthwiseInputAVX512(&dx[i], &g[i], n, 4*step, 4*rowStride, &w[i], 4*c)
	}
	for ; i < c; i += depthwiseAVX2Block {
		depthwiseInputAVX2(&dx[i], &g[i], n, 4*step, 4*rowStride, &w[i], 4*c)
	}
}

func depthwiseWeights(dw, g, x []float32, n, step, rowStride int) {
	c := len(dw) / 9
	if level == levelGeneric || c%depthwiseAVX2Block != 0 {
		depthwiseWeightsGeneric(dw, g, x, n, step, rowStride)
		return
	}
	i := 0
	for ; level == levelAVX512 && i+depthwiseAVX512Block <= c; i += depthwiseAVX512Block {
		depthwiseWeightsAVX512(&dw[i], &g[i], &x[i], n, 4*step, 4*rowStride, 4*c)
	}
	for ; i < c; i += depthwiseAVX2Block {
		depthwiseWeightsAVX2(&dw[i], &g[i], &x[i], n, 4*step, 4*rowStride, 4*c)
	}
}
