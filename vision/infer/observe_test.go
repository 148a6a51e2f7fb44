package infer_test

import (
	"math/rand/v2"
	"testing"

	"tirewatch/vision/infer"
)

// Observe returns the same sum as Run and shows each trained layer but the last, in order, with the
// size of its live output.
func TestObserve(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 77))
		g := randomGraph(rng)
		m := randomModel(g, rng)
		r, err := infer.NewRunner(m)
		if err != nil {
			t.Fatal(err)
		}
		pix := randomImage(g.Input.Size(), rng)
		want, err := r.Run(pix)
		if err != nil {
			t.Fatal(err)
		}
		var shown []int
		got, err := r.Observe(pix, func(layer int, values []uint8) {
			if layer != len(shown) {
				t.Fatalf("seed %d: layer %d shown as number %d", seed, layer, len(shown))
			}
			shown = append(shown, len(values))
		})
		if err != nil || got != want {
			t.Fatalf("seed %d: sum %d, error %v, Run returned %d", seed, got, err, want)
		}
		if len(shown) != len(m.Layers)-1 {
			t.Errorf("seed %d: %d layers shown of %d", seed, len(shown), len(m.Layers))
		}
		if again, err := r.Run(pix); err != nil || again != want {
			t.Errorf("seed %d: Run returned %d, error %v after Observe, before %d", seed, again, err, want)
		}
	}
	_, refused := func() (int32, error) {
		m, images := thesisModel(t)
		r, err := infer.NewRunner(m)
		if err != nil {
			t.Fatal(err)
		}
		return r.Observe(images[0][1:], nil)
	}()
	if refused == nil {
		t.Error("an image that is a byte short was accepted")
	}
}
