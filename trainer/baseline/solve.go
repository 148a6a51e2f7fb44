package baseline

import "math"

// solve returns x with a x = b for a symmetric positive definite matrix, of which the lower half is
// given. It is Cholesky's method: a = l lᵀ, then l y = b, then lᵀ x = y.
func solve(a [size][size]float64, b [size]float64) (x [size]float64) {
	for i := range size {
		for j := range i + 1 {
			sum := a[i][j]
			for k := range j {
				sum -= a[i][k] * a[j][k]
			}
			if i == j {
				a[i][i] = math.Sqrt(max(sum, 1e-12))
			} else {
				a[i][j] = sum / a[j][j]
			}
		}
	}
	for i := range size {
		x[i] = b[i]
		for k := range i {
			x[i] -= a[i][k] * x[k]
		}
		x[i] /= a[i][i]
	}
	for i := size - 1; i >= 0; i-- {
		for k := i + 1; k < size; k++ {
			x[i] -= a[k][i] * x[k]
		}
		x[i] /= a[i][i]
	}
	return x
}
