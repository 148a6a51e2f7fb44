package trainer

import "math/rand/v2"

// drawn is one showing of an image: each pass over the images shows each of them once.
type drawn struct {
	image int // index into the training images
	pass  int // counts from 1; the random numbers of the showing belong to it
}

// passes is the endless row of images that batches are cut from: pass after pass, each shuffled
// anew. A place in it is a number, so a resumed training needs no more than the count of its
// batches. Without steps per epoch a pass is an epoch.
type passes struct {
	seed  uint64
	n     int // images in a pass
	pass  int // that order belongs to; 0 at first
	order []int
}

// draw gives count showings from place from on.
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

// count gives the number of sound and of cracked tires.
func count(samples []Sample) (n [2]int) {
	for _, s := range samples {
		n[class(s)]++
	}
	return n
}

// BalancedCrackWeight is the checkpoint.Config.CrackWeight with which both classes count the same
// in sum, as "balanced" does in other tools.
func BalancedCrackWeight(train []Sample) float64 {
	n := count(train)
	if n[1] == 0 {
		return 1
	}
	return float64(n[0]) / float64(n[1])
}

// classWeights gives what a sound and a cracked tire count, when a crack counts ratio times as
// much. The mean over the images is 1, so that a learning rate means the same with any ratio.
func classWeights(train []Sample, ratio float64) [2]float64 {
	if ratio == 0 || ratio == 1 {
		return [2]float64{1, 1}
	}
	n := count(train)
	sound := float64(len(train)) / (float64(n[0]) + ratio*float64(n[1]))
	return [2]float64{sound, ratio * sound}
}
