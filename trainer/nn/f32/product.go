package f32

// Matrix describes where the factors are in memory: element (row, term) is at row*Row + term*Term.
// Row 1 reads a matrix that is stored the other way round.
type Matrix struct {
	Data      []float32
	Row, Term int // in values
}

// Product multiplies matrices: dst (m, n) = start + a (m, k) * b (k, n). The start of each row is
// bias (n), or what dst holds if bias is nil. With relu6, the result is limited to 0..6.
//
// It is all of a 1x1 convolution. With x (positions, C), y (positions, F) and w (F, C), the forward
// pass and the gradients of input and weights are
//
//	y  = bias + x * transposed w
//	dx = 0 + dy * w
//	dw = dw + transposed dy * x
//
// Each value is one chain of multiply-adds in the order of the terms. scratch has ProductScratch
// values.
func Product(dst []float32, a Matrix, b, bias []float32, m, k, n int, relu6 bool, scratch []float32) {
	if m <= 0 || k <= 0 || n <= 0 {
		return
	}
	check(len(dst) >= m*n && len(b) >= k*n && (bias == nil || len(bias) >= n) && len(scratch) >= ProductScratch &&
		a.Row >= 0 && a.Term >= 0 && len(a.Data) > (m-1)*a.Row+(k-1)*a.Term, "Product")
	product(dst, a, b, bias, m, k, n, relu6, scratch)
}

// Blocks of a product. The kernels multiply with one panel of b, which fits into the nearest cache
// beside the rows of a.
const (
	panelTerms = 128
	panelWidth = 48
	panelRows  = 512 // rows of a that use the panel before the next one is copied

	// ProductScratch is the size of Product's scratch, in values: one panel.
	ProductScratch = panelTerms * panelWidth
)

// ReLU6Gradient ends the gradient where ReLU6 stopped the value: dy (n, c) becomes 0 where y (n, c)
// is not between 0 and 6. The rest is added to sums (c), the gradient of the biases.
func ReLU6Gradient(dy, y, sums []float32, n int) {
	c := len(sums)
	check(len(dy) >= n*c && len(y) >= n*c, "ReLU6Gradient")
	if n > 0 && c > 0 {
		relu6Gradient(dy, y, sums, n)
	}
}

// ReLU6 limits values to 0..6. NaN becomes 0.
func ReLU6(y []float32) { relu6(y) }

// LiveRows appends to rows the numbers of the rows of dy (n, c) that have a value other than 0, and
// returns it. A gradient that comes from a few positions leaves most rows empty.
func LiveRows(rows []int32, dy []float32, n, c int) []int32 {
	check(len(dy) >= n*c && c > 0, "LiveRows")
	for i := range n {
		if anyValue(dy[i*c:][:c]) {
			rows = append(rows, int32(i))
		}
	}
	return rows
}
