package sound

import (
	"errors"
	"math"

	"tirewatch/vision/anomaly"
)

// shrinkage mixes the covariance with that of independent directions of equal variance, so that ten
// pictures, which do not show every direction, still give one. Source: Ledoit, Wolf 2004. On
// brickwork, from ten pictures, a larger one has a lower AUC, a smaller one the same.
const shrinkage = 0.005

// errFlat means that all cells are equal, so nothing can be learned from them.
var errFlat = errors.New("the pictures show nothing: the network answers the same everywhere")

// moments are the sums from which the distribution of the cells of a picture follows.
type moments struct {
	n        float64
	sum      []float64 // (channels)
	products []float64 // (channels, channels), the lower triangle
}

// measure returns the moments of the cells (n, channels) of a picture. They are exact integers, so
// the order of their addition does not matter.
func measure(cells []uint8, channels int) *moments {
	m := &moments{n: float64(len(cells) / channels), sum: make([]float64, channels)}
	m.products = make([]float64, channels*channels)
	for at := 0; at < len(cells); at += channels {
		cell := cells[at : at+channels]
		for i, a := range cell {
			if a == 0 {
				continue
			}
			m.sum[i] += float64(a)
			row := m.products[i*channels:]
			for j, b := range cell[:i+1] {
				row[j] += float64(a) * float64(b)
			}
		}
	}
	return m
}

// add adds the moments of another picture; sign -1 takes them out.
func (m *moments) add(o *moments, sign float64) {
	m.n += sign * o.n
	for i, v := range o.sum {
		m.sum[i] += sign * v
	}
	for i, v := range o.products {
		m.products[i] += sign * v
	}
}

// fit sets W, Bias and Mult of the model to the distribution of the moments.
func (m *moments) fit(to *anomaly.Model) error {
	c := len(m.sum)
	mean := make([]float64, c)
	for i, v := range m.sum {
		mean[i] = v / m.n
	}
	root, err := m.root(mean)
	if err != nil {
		return err
	}
	inverse := invert(root, c)
	to.W, to.Bias, to.Mult = make([]byte, c*c), make([]int32, c), make([]float32, c)
	for i := range c {
		row := inverse[i*c : (i+1)*c]
		most := 0.0
		for _, v := range row {
			most = max(most, math.Abs(v))
		}
		scale, offset := most/127, 0.0
		for j, v := range row {
			w := math.RoundToEven(v / scale)
			to.W[i*c+j] = byte(int8(w))
			offset += w * mean[j]
		}
		to.Bias[i], to.Mult[i] = int32(math.RoundToEven(-offset)), float32(scale*anomaly.Unit)
	}
	return nil
}

// root returns the Cholesky factor of the shrunk covariance, (channels, channels), lower triangle.
func (m *moments) root(mean []float64) ([]float64, error) {
	c := len(mean)
	cov := make([]float64, c*c)
	trace := 0.0
	for i := range c {
		for j := range i + 1 {
			cov[i*c+j] = m.products[i*c+j]/m.n - mean[i]*mean[j]
		}
		trace += cov[i*c+i] / float64(c)
	}
	if !(trace > 1e-6) {
		return nil, errFlat
	}
	for i := range c {
		for j := range i + 1 {
			cov[i*c+j] *= 1 - shrinkage
		}
		cov[i*c+i] += shrinkage * trace
	}
	for i := range c {
		for j := range i + 1 {
			v := cov[i*c+j]
			for k := range j {
				v -= cov[i*c+k] * cov[j*c+k]
			}
			if i == j {
				cov[i*c+i] = math.Sqrt(v)
			} else {
				cov[i*c+j] = v / cov[j*c+j]
			}
		}
	}
	return cov, nil
}

// invert returns the inverse of a lower triangle (c, c).
func invert(l []float64, c int) []float64 {
	inverse := make([]float64, c*c)
	for j := range c {
		inverse[j*c+j] = 1 / l[j*c+j]
		for i := j + 1; i < c; i++ {
			v := 0.0
			for k := j; k < i; k++ {
				v -= l[i*c+k] * inverse[k*c+j]
			}
			inverse[i*c+j] = v / l[i*c+i]
		}
	}
	return inverse
}
