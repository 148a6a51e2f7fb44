package metrics

import "math"

// Z95 is the normal quantile of a two-sided 95 % interval.
const Z95 = 1.959963984540054

// Wilson returns the score interval of a share, when k of n were seen. z is the normal quantile,
// Z95 for 95 %. Unlike the textbook interval it does not claim certainty from 0 of 20. With n = 0
// it is 0 to 1. Source: Wilson 1927, "Probable inference, the law of succession, and statistical
// inference".
func Wilson(k, n int, z float64) (lo, hi float64) {
	if n <= 0 {
		return 0, 1
	}
	p, m, z2 := float64(k)/float64(n), float64(n), z*z
	centre := (p + z2/(2*m)) / (1 + z2/m)
	half := z / (1 + z2/m) * math.Sqrt(p*(1-p)/m+z2/(4*m*m))
	lo, hi = max(centre-half, 0), min(centre+half, 1)
	if k == 0 {
		lo = 0 // exactly 0, without the rounding above
	}
	if k == n {
		hi = 1
	}
	return lo, hi
}
