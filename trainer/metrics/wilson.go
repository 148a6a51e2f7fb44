package metrics

import "math"

// Z95 is the z of a 95 % interval: 97.5 % of a normal distribution lie below it.
const Z95 = 1.959963984540054

// Wilson gives the score interval of a share of which k in n were seen (Wilson 1927): where the true share may lie, at the
// confidence of z. Unlike k/n plus or minus a standard error it stays inside 0 to 1 and says something about 0 of 20. Without
// any image every share is possible.
func Wilson(k, n int, z float64) (lo, hi float64) {
	if n <= 0 {
		return 0, 1
	}
	count, p := float64(n), float64(k)/float64(n)
	centre := p + z*z/(2*count)
	half := z * math.Sqrt(p*(1-p)/count+z*z/(4*count*count))
	scale := 1 + z*z/count
	lo, hi = (centre-half)/scale, (centre+half)/scale
	if k == 0 {
		lo = 0 // rounding would leave some 1e-17
	}
	if k == n {
		hi = 1
	}
	return lo, hi
}
