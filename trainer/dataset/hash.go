package dataset

import (
	"math"
	"slices"
)

// The perceptual hash after Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010): the 64
// slowest waves of the cosine transform of a window of windowSide px, each as one bit that says whether it lies above
// the median. Brightness, contrast and compression move few bits; another picture differs in about 32.
//
// Waves 1 to 8 are taken in each direction. Wave 0 is brightness and plain gradients: the light and not the tire.
const waves = 8

// cosines is the basis of the DCT-II in 1/2^14: integers, so that every machine finds the same duplicates.
var cosines = func() (c [waves][windowSide]int64) {
	for k := range waves {
		for x := range windowSide {
			c[k][x] = int64(math.Round(math.Cos(math.Pi*float64(k+1)*(2*float64(x)+1)/(2*windowSide)) * (1 << 14)))
		}
	}
	return c
}()

// wavesAcross transforms the rows of the windows that begin in column x0.
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

// wavesDown transforms the columns of the window that begins in row y0: c[v][u] is v+1 waves down and u+1 across, in
// 1/2^28.
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

// turnWaves gives the waves of the window mirrored left-right (bit 0 of turn), top-bottom (bit 1) and then transposed
// (bit 2). No pixel is needed: mirroring changes the sign of the odd waves, transposing swaps rows and columns.
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

// signs packs which waves lie above their median.
func signs(c *[waves][waves]int64) (hash uint64) {
	var sorted [waves * waves]int64
	for v := range c {
		copy(sorted[v*waves:], c[v][:])
	}
	slices.Sort(sorted[:])
	median := (sorted[len(sorted)/2-1] + sorted[len(sorted)/2]) / 2
	for i := range sorted {
		if c[i/waves][i%waves] > median {
			hash |= 1 << i
		}
	}
	return hash
}
