// Package baseline judges tires by grey statistics alone: brightness, contrast, darkest and
// lightest grey values, sharpness. It cannot see a crack.
//
//	images -> BASELINE -> scores -> metrics, beside those of the network
//
// Where the cracked tires of a data set were photographed with another camera or lamp, such
// statistics already tell the classes apart. A network is worth only what it finds above that.
//
// Start with [Measure] and [Fit].
package baseline

import "math"

// Features are the statistics of one image, as the network sees it.
type Features [11]float64

// percentiles of the grey values, in percent.
var percentiles = [7]float64{1, 5, 25, 50, 75, 95, 99}

// Measure computes the statistics of grey pixels (height, width). In this order: mean, standard
// deviation, the percentiles 1, 5, 25, 50, 75, 95 and 99, median minus first percentile (how dark
// the darkest lines are), and the logarithm of the mean squared difference of neighbours, which
// grows with sharpness and texture.
func Measure(pix []byte, width, height int) (f Features) {
	var histogram [256]int
	sum, squares, gradient := 0, 0, 0
	for y := range height {
		row := pix[y*width:][:width]
		for x, v := range row {
			g := int(v)
			histogram[g]++
			sum, squares = sum+g, squares+g*g
			if x > 0 {
				gradient += square(g - int(row[x-1]))
			}
			if y > 0 {
				gradient += square(g - int(pix[(y-1)*width+x]))
			}
		}
	}
	n := float64(width * height)
	mean := float64(sum) / n
	f[0], f[1] = mean, math.Sqrt(max(float64(squares)/n-mean*mean, 0))
	for i, p := range percentiles {
		f[2+i] = percentile(&histogram, p/100*n)
	}
	f[9] = f[5] - f[2]
	f[10] = math.Log1p(float64(gradient) / n)
	return f
}

func square(v int) int { return v * v }

// percentile returns the grey value below which rank pixels are, at least in part.
func percentile(histogram *[256]int, rank float64) float64 {
	below := 0
	for g, n := range histogram {
		if below += n; float64(below) >= rank && below > 0 {
			return float64(g)
		}
	}
	return 255
}

// Model is a logistic regression on standardised features.
type Model struct {
	mean, scale Features
	weights     [size]float64 // the last one is the bias
}

// size is the number of weights.
const size = len(Features{}) + 1

// ridge is the weight of the squared weights in the loss, as C = 1 in scikit-learn.
const ridge = 1

// steps is how often Newton's method improves the weights. It converges in less than ten.
const steps = 25

// Fit fits a model to labelled images, true for a crack. It is deterministic. With one class only,
// all scores are near 0 or near 1.
func Fit(images []Features, cracks []bool) *Model {
	m := new(Model)
	m.standardise(images)
	for range steps {
		var slope [size]float64
		var curvature [size][size]float64
		for i := range size - 1 { // the bias is free
			slope[i], curvature[i][i] = ridge*m.weights[i], ridge
		}
		for k, f := range images {
			x := m.input(f)
			p := m.probability(x)
			miss, w := p, p*(1-p)
			if cracks[k] {
				miss--
			}
			for i := range x {
				slope[i] += miss * x[i]
				for j := range i + 1 {
					curvature[i][j] += w * x[i] * x[j]
				}
			}
		}
		step := solve(curvature, slope)
		for i := range m.weights {
			m.weights[i] -= step[i]
		}
	}
	return m
}

// standardise sets mean and scale so that each feature has mean 0 and standard deviation 1.
func (m *Model) standardise(images []Features) {
	n := float64(max(len(images), 1))
	for i := range m.mean {
		for _, f := range images {
			m.mean[i] += f[i] / n
		}
		variance := 0.0
		for _, f := range images {
			variance += (f[i] - m.mean[i]) * (f[i] - m.mean[i]) / n
		}
		m.scale[i] = 1
		if variance > 0 {
			m.scale[i] = 1 / math.Sqrt(variance)
		}
	}
}

// input returns the standardised features and a 1 for the bias.
func (m *Model) input(f Features) (x [size]float64) {
	for i, v := range f {
		x[i] = (v - m.mean[i]) * m.scale[i]
	}
	x[size-1] = 1
	return x
}

func (m *Model) probability(x [size]float64) float64 {
	z := 0.0
	for i, w := range m.weights {
		z += w * x[i]
	}
	return 1 / (1 + math.Exp(-z))
}

// Score returns the probability of a crack.
func (m *Model) Score(f Features) float64 { return m.probability(m.input(f)) }
