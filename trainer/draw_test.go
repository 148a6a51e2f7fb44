package trainer

import (
	"math"
	"slices"
	"testing"
)

// The sequence of images does not depend on the cuts: batches of any size, from any position, get
// the same images.
func TestPassesAreOneRow(t *testing.T) {
	const n = 7
	whole := (&passes{seed: 3, n: n}).draw(0, 5*n)
	for pass := range 5 {
		var images []int
		for _, d := range whole[pass*n : (pass+1)*n] {
			if d.pass != pass+1 {
				t.Fatalf("an image of pass %d in pass %d", d.pass, pass+1)
			}
			images = append(images, d.image)
		}
		slices.Sort(images)
		if !slices.Equal(images, []int{0, 1, 2, 3, 4, 5, 6}) {
			t.Errorf("pass %d shows %v, want each image once", pass+1, images)
		}
	}
	if slices.EqualFunc(whole[:n], whole[n:2*n], func(a, b drawn) bool { return a.image == b.image }) {
		t.Error("two passes in the same order")
	}
	for _, size := range []int{1, 4, 9} {
		p := &passes{seed: 3, n: n}
		for from := 0; from+size <= len(whole); from += size {
			if got := p.draw(from, size); !slices.Equal(got, whole[from:from+size]) {
				t.Fatalf("batch of %d from %d: %v, want %v", size, from, got, whole[from:from+size])
			}
		}
	}
	// as after a resume
	if got := (&passes{seed: 3, n: n}).draw(30, 3); !slices.Equal(got, whole[30:33]) {
		t.Errorf("from the middle: %v, want %v", got, whole[30:33])
	}
}

func TestClassWeights(t *testing.T) {
	samples := make([]Sample, 40)
	for i := range 10 {
		samples[i].Crack = true
	}
	if got := BalancedCrackWeight(samples); got != 3 {
		t.Errorf("30 sound and 10 cracked tires: weight %g, want 3", got)
	}
	// As in scikit-learn and with Keras: images / (classes * images of the class).
	if got, want := classWeights(samples, 3), [2]float64{40.0 / 60, 40.0 / 20}; math.Abs(got[0]-want[0])+math.Abs(got[1]-want[1]) > 1e-12 {
		t.Errorf("balanced weights %v, want %v", got, want)
	}
	for _, ratio := range []float64{0.2, 5} {
		w := classWeights(samples, ratio)
		if mean := (30*w[0] + 10*w[1]) / 40; math.Abs(mean-1) > 1e-12 || math.Abs(w[1]/w[0]-ratio) > 1e-12 {
			t.Errorf("ratio %g: weights %v with mean %g", ratio, w, mean)
		}
	}
}
