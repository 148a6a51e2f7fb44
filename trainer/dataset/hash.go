package dataset

import (
	"math"
	"slices"
)

// The perceptual hash follows Zauner, "Implementation and Benchmarking of Perceptual Image Hash
// Functions" (2010): the 64 slowest waves of the cosine transform of a window of windowSide px,
// each as one bit that says whether it is above the median. Brightness, contrast and compression
// change few bits. A different image differs in about 32.
//
// Waves 1 to 8 are used in each direction. Wave 0 is brightness and plain gradients, which show the
// light and not the tire.
const waves = 8

// cosines is the basis of the DCT-II in units of 1/2^14. They are integers, so that every machine
// finds the same duplicates.
var cosines = func() (c [waves][windowSide]int64) {
	for k := range waves {
		for x := range windowSide {
			c[k][x] = int64(math.Round(math.Cos(math.Pi*float64(k+1)*(2*float64(x)+1)/(2*windowSide)) * (1 << 14)))
		}
	}
	return c
}()

// wavesAcross transforms the rows of the windows that start in column x0.
func wavesAcross(t *thumb, x0 int) (c [thumbSide][waves]int64) {
	for y := range c {
		row := t[y*thumbSide+x0:][:windowSide]
		for u := range waves {
			var sum int64
			for x, v := range row {
				sum += cosines[u][x] * int64(v)
			}
			c[y][u] = sum
		}
	}
	return c
}

// wavesDown transforms the columns of the window that starts in row y0: c[v][u] is v+1 waves down
// and u+1 across, in units of 1/2^28.
func wavesDown(across *[thumbSide][waves]int64, y0 int) (c [waves][waves]int64) {
	for v := range waves {
		for y, row := range across[y0 : y0+windowSide] {
			w := cosines[v][y]
			for u, a := range row {
				c[v][u] += w * a
			}
		}
	}
	return c
}

// turnWaves returns the waves of the window mirrored left-right (bit 0 of turn), top-bottom (bit 1)
// and then transposed (bit 2). It needs no pixels: mirroring changes the sign of the odd waves,
// transposing swaps rows and columns.
func turnWaves(c *[waves][waves]int64, turn int) (t [waves][waves]int64) {
	for v := range waves {
		for u := range waves {
			x := c[v][u]
			if turn&1 != 0 && u%2 == 0 { // index 0 is wave 1
				x = -x
			}
			if turn&2 != 0 && v%2 == 0 {
				x = -x
			}
			if turn&4 != 0 {
				t[u][v] = x
			} else {
				t[v][u] = x
			}
		}
	}
	return t
}

// signs packs one bit per wave: whether it is above the median of all waves.
func signs(c *[waves][waves]int64) (hash uint64) {
	var all [waves * waves]int64
	for v := range c {
		copy(all[v*waves:], c[v][:])
	}
	median := middle(all)
	for i, x := range all {
		if x > median {
			hash |= 1 << i
		}
	}
	return hash
}

// middle returns the median of an even number of values, which may be equal. It partitions them by
// a pivot, again and again, on the side of the median (Hoare's selection). Sorting everything would
// take a tenth of the time for a look.
func middle(v [waves * waves]int64) int64 {
	const upper = len(v) / 2 // sorted position of the greater of the two middle values
	from, to := 0, len(v)-1
	for from < to {
		pivot, i, k := v[(from+to)/2], from, to
		for i <= k {
			for v[i] < pivot {
				i++
			}
			for v[k] > pivot {
				k--
			}
			if i <= k {
				v[i], v[k] = v[k], v[i]
				i, k = i+1, k-1
			}
		}
		switch { // from..k are at most the pivot, i..to at least, and all between are equal to it
		case upper <= k:
			to = k
		case upper >= i:
			from = i
		default:
			from, to = upper, upper
		}
	}
	return (slices.Max(v[:upper]) + v[upper]) / 2
}
