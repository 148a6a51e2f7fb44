package f32

// scoreLanes is the number of sums that the score of a position has.
const scoreLanes = 32

// Scores computes a score for each position of features that are bytes: dst (n) = base + x (n, C) *
// v (C). All implementations agree exactly: 32 sums, each of every 32nd channel, with products and
// sums rounded separately; then the sums are folded in halves.
func Scores(dst []float32, x []byte, v []float32, base float32) {
	check(len(v) > 0 && len(x) == len(dst)*len(v), "Scores")
	if len(dst) > 0 {
		scores(dst, x, v, base)
	}
}

func scoresGeneric(dst []float32, x []byte, v []float32, base float32) {
	for p := range dst {
		var sums [scoreLanes]float32
		for i, b := range x[p*len(v):][:len(v)] {
			sums[i%scoreLanes] += float32(float32(b) * v[i]) // the conversion forbids a fused operation
		}
		for half := scoreLanes / 2; half > 0; half /= 2 {
			for i := range half {
				sums[i] += sums[i+half]
			}
		}
		dst[p] = base + sums[0]
	}
}
