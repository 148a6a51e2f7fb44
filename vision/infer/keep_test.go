package infer_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
)

// Keep gives the activation that Observe shows, and changes no sum, on one goroutine and on more.
func TestKeep(t *testing.T) {
	g := graph.Mobile(56, 4)
	m := randomModel(g, rand.New(rand.NewPCG(3, 1)))
	plain, err := infer.NewRunner(m)
	if err != nil {
		t.Fatal(err)
	}
	pix := randomImage(g.Input.Size(), rand.New(rand.NewPCG(3, 2)))
	want := map[string][]uint8{}
	sum, err := plain.Observe(pix, func(i int, values []uint8) { want[m.Layers[i].Name] = bytes.Clone(values) })
	if err != nil {
		t.Fatal(err)
	}
	for _, layer := range []string{"conv", "depthwise2", "pointwise3", "pointwise4"} {
		for _, threads := range []int{1, 3} {
			t.Run(fmt.Sprint(layer, " ", threads), func(t *testing.T) {
				r, err := infer.NewRunner(m, infer.Keep(layer), infer.Threads(threads))
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				for range 2 {
					got, err := r.Run(pix)
					if err != nil || got != sum {
						t.Fatalf("sum %d, %v, want %d", got, err, sum)
					}
					if !bytes.Equal(r.Kept(), want[layer]) {
						t.Fatal("another activation than Observe shows")
					}
				}
				if threads == 1 {
					if n := testing.AllocsPerRun(5, func() { _, _ = r.Run(pix) }); n != 0 {
						t.Errorf("%g allocations a run", n)
					}
				}
			})
		}
	}
	if plain.Kept() != nil {
		t.Error("an activation was kept that nobody wanted")
	}
	for _, layer := range []string{"score", "top", "conv9"} {
		if _, err := infer.NewRunner(m, infer.Keep(layer)); err == nil || !strings.Contains(err.Error(), layer) {
			t.Errorf("layer %s: %v, want a refusal that names it", layer, err)
		}
	}
}
