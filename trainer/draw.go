package trainer

import "math/rand/v2"

// drawn is one presentation of an image. Each pass presents each image once.
type drawn struct {
	image int // index into the training images
	pass  int // counts from 1; seeds the augmentation and the dropout
}

// passes is the endless sequence of images that batches are cut from: pass after pass, each in a
// new random order. A position in it is one number, so a resumed training needs only the count of
// its batches. Without steps per epoch, a pass is an epoch.
type passes struct {
	seed  uint64
	n     int // images in a pass
	pass  int // whose order is in order; 0 before the first draw
	order []int
}

// draw returns count presentations from position from.
func (p *passes) draw(from, count int) []drawn {
	out := make([]drawn, count)
	for i := range out {
		place := from + i
		if pass := place/p.n + 1; pass != p.pass {
			p.pass, p.order = pass, rand.New(stream(p.seed, streamShuffle, pass, 0)).Perm(p.n)
		}
		out[i] = drawn{image: p.order[place%p.n], pass: p.pass}
	}
	return out
}

// class is the index of a sample's class: 0 for sound, 1 for cracked.
func class(s Sample) int {
	if s.Crack {
		return 1
	}
	return 0
}

// count returns the number of sound and of cracked tires.
func count(samples []Sample) (n [2]int) {
	for _, s := range samples {
		n[class(s)]++
	}
	return n
}

// BalancedCrackWeight is the checkpoint.Config.CrackWeight that gives both classes the same total
// weight, like class_weight="balanced" in scikit-learn.
func BalancedCrackWeight(train []Sample) float64 {
	n := count(train)
	if n[1] == 0 {
		return 1
	}
	return float64(n[0]) / float64(n[1])
}

// classWeights returns the weight of a sound and of a cracked tire when a crack counts ratio times
// as much. The mean over the images is 1, so that a learning rate has the same meaning with any
// ratio.
func classWeights(train []Sample, ratio float64) [2]float64 {
	if ratio == 0 || ratio == 1 {
		return [2]float64{1, 1}
	}
	n := count(train)
	sound := float64(len(train)) / (float64(n[0]) + ratio*float64(n[1]))
	return [2]float64{sound, ratio * sound}
}
