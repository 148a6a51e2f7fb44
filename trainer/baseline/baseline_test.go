package baseline_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"tirewatch/trainer/baseline"
	"tirewatch/trainer/metrics"
)

// Four rows of grey 0, 10, 20, 30: computed by hand. The 12 vertical differences are 10.
func TestMeasure(t *testing.T) {
	var pix []byte
	for _, g := range []byte{0, 10, 20, 30} {
		pix = append(pix, g, g, g, g)
	}
	want := baseline.Features{15, math.Sqrt(125), 0, 0, 0, 10, 20, 30, 30, 10, math.Log1p(1200. / 16)}
	for i, v := range baseline.Measure(pix, 4, 4) {
		if math.Abs(v-want[i]) > 1e-12 {
			t.Errorf("feature %d is %v, want %v", i, v, want[i])
		}
	}
}

// bright makes n images of noise. Cracked ones are lighter by shift.
func bright(n int, shift float64, seed uint64) (images []baseline.Features, cracks []bool) {
	rng := rand.New(rand.NewPCG(seed, 1))
	pix := make([]byte, 16*16)
	for i := range n {
		level := 100 + 10*rng.NormFloat64()
		if i%2 == 1 {
			level += shift
		}
		for k := range pix {
			pix[k] = uint8(min(max(level+8*rng.NormFloat64(), 0), 255))
		}
		images, cracks = append(images, baseline.Measure(pix, 16, 16)), append(cracks, i%2 == 1)
	}
	return images, cracks
}

// It learns a difference of brightness as well as that can be learned, and nothing from equal
// images: two normal distributions 20 apart, with a deviation of 10, have an AUC of .921.
func TestFit(t *testing.T) {
	for _, c := range []struct{ shift, low, high float64 }{{20, .89, .95}, {0, .4, .6}, {200, 1, 1}} {
		m := baseline.Fit(bright(400, c.shift, 1))
		images, cracks := bright(1000, c.shift, 2)
		scores := make([]float64, len(images))
		for i, f := range images {
			scores[i] = m.Score(f)
		}
		if auc := metrics.ROCAUC(scores, cracks); auc < c.low || auc > c.high {
			t.Errorf("lighter by %v: AUC %.3f, want %v to %v", c.shift, auc, c.low, c.high)
		}
	}
}

// One class, equal images or no images give probabilities and no NaN.
func TestFitLittle(t *testing.T) {
	images, _ := bright(4, 0, 1)
	for name, n := range map[string]int{"no images": 0, "one class": 4} {
		if p := baseline.Fit(images[:n], make([]bool, n)).Score(images[0]); !(p >= 0 && p <= 1) {
			t.Errorf("%s: score %v", name, p)
		}
	}
	same := []baseline.Features{images[0], images[0]}
	if p := baseline.Fit(same, []bool{true, false}).Score(images[0]); math.Abs(p-.5) > 1e-6 {
		t.Errorf("equal images: score %v, want 0.5", p)
	}
}

func ExampleFit() {
	dark, light := make([]byte, 4), []byte{200, 200, 200, 200}
	train := []baseline.Features{baseline.Measure(dark, 2, 2), baseline.Measure(light, 2, 2)}
	m := baseline.Fit(train, []bool{true, false})
	fmt.Println("a dark image is called cracked:", m.Score(train[0]) > 0.5)
	// Output: a dark image is called cracked: true
}
