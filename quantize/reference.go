package quantize

import (
	"math"

	"tirewatch/vision/bundle"
	"tirewatch/vision/preprocess"
	"tirewatch/vision/verdict"
)

// reference describes the images and the int8 logits of the evaluation. A station compares its own
// images and logits with these statistics to detect drift. An unsure logit counts as neither class.
func reference(images Images, logits []float64, width int, policy verdict.Policy) *bundle.Reference {
	var brightness, sharpness, normal, crack moments
	for i, pix := range images.Pix {
		b, s := preprocess.Measure(pix, width)
		brightness.add(b)
		sharpness.add(s)
		switch label, _ := policy.Label(verdict.Probability(logits[i])); label {
		case verdict.Crack:
			crack.add(logits[i])
		case verdict.Normal:
			normal.add(logits[i])
		}
	}
	return &bundle.Reference{Brightness: brightness.statistic(), Sharpness: sharpness.statistic(),
		NormalLogit: normal.statistic(), CrackLogit: crack.statistic()}
}

// moments collects the mean and the standard deviation of a stream of values, by Welford's method.
type moments struct {
	n        int
	mean, m2 float64
}

func (m *moments) add(v float64) {
	m.n++
	d := v - m.mean
	m.mean += d / float64(m.n)
	m.m2 += d * (v - m.mean)
}

func (m *moments) statistic() bundle.Statistic {
	s := bundle.Statistic{N: m.n, Mean: m.mean}
	if m.n > 1 {
		s.SD = math.Sqrt(m.m2 / float64(m.n-1))
	}
	return s
}
