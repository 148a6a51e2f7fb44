package quantize

import (
	"tirewatch/vision/bundle"
	"tirewatch/vision/graph"
)

// Golden inputs of a bundle of version 2. A photograph of 448 x 448 px takes 85 kB when packed, a
// drawing a few bytes; both find a CPU that computes another sum.
const (
	photographs = 2 // one of each class
	drawings    = 4
)

// setGolden picks photographs with pickGolden, adds drawings in version 2, and computes the sums
// with a new Runner.
func setGolden(b *bundle.Bundle, images Images) error {
	n, drawn := bundle.MinGolden, 0
	if b.Version() >= graph.Version2 {
		n, drawn = photographs, drawings
	}
	b.Golden = nil
	for _, i := range pickGolden(images.Crack, n) {
		b.Golden = append(b.Golden, bundle.Golden{Pix: images.Pix[i]})
	}
	for seed := range drawn {
		g := bundle.Golden{Seed: uint64(seed) + 1}
		g.Pix = bundle.Draw(g.Seed, b.Spec.Width, b.Spec.Height)
		b.Golden = append(b.Golden, g)
	}
	return b.SetGolden()
}

// pickGolden returns the indexes of n images: the first of each class in turn. If one class has too
// few, the other fills the rest.
func pickGolden(crack []bool, n int) []int {
	var of [2][]int // normal, crack
	for i, c := range crack {
		k := 0
		if c {
			k = 1
		}
		of[k] = append(of[k], i)
	}
	var picked []int
	for k := 0; len(picked) < n && len(of[0])+len(of[1]) > 0; k = 1 - k {
		if len(of[k]) > 0 {
			picked, of[k] = append(picked, of[k][0]), of[k][1:]
		}
	}
	return picked
}
