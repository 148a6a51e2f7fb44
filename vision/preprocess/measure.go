package preprocess

// Light and sharpness of a picture as the network sees it: when they leave what the network learned
// from, a lens is dirty, a lamp is dead or somebody moved the camera.

// Measure gives the mean of a grey picture, 0 to 255, and its sharpness: the mean over its pixels
// of the difference to the one on the left, 0 to 255. pix is what Apply made, width px a row.
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
