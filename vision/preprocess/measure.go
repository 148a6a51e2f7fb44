package preprocess

// Measure returns the brightness of a grey image, the mean of its pixels, and its sharpness, the
// mean absolute difference of each pixel to its left neighbour. Both are from 0 to 255. pix is the
// output of Apply, with rows of width px.
//
// When these figures differ from those of the training images, a lens is dirty, a lamp is broken or
// the camera was moved.
func Measure(pix []byte, width int) (brightness, sharpness float64) {
	sum, steps, n := 0, 0, len(pix)
	for ; len(pix) > 0; pix = pix[width:] {
		last := int(pix[0])
		for _, p := range pix[:width] {
			v := int(p)
			sum, steps, last = sum+v, steps+max(v-last, last-v), v
		}
	}
	return float64(sum) / float64(max(n, 1)), float64(steps) / float64(max(n, 1))
}
