package graph_test

import (
	"errors"
	"fmt"
	"testing"

	"tirewatch/vision/graph"
)

// The parameters are those of the thesis, the live regions those of the design. Both must follow
// from the layers.
func TestThesisFigures(t *testing.T) {
	steps, err := graph.Thesis().Plan()
	if err != nil {
		t.Fatal(err)
	}
	params, macs, live := graph.Totals(steps)
	if params != 108657 {
		t.Errorf("parameters: %d, want 108657", params)
	}
	if got := fmt.Sprintf("%.1f M, live %.1f M", float64(macs)/1e6, float64(live)/1e6); got != "199.4 M, live 165.2 M" {
		t.Errorf("multiply-accumulates: %s", got)
	}
	want := map[string][2]string{ // output and live part
		"conv1": {"189 x 189 x 128", "170 x 170 x 128"},
		"pool1": {"94 x 94 x 128", "85 x 85 x 128"},
		"conv2": {"46 x 46 x 64", "42 x 42 x 64"},
		"pool2": {"23 x 23 x 64", "21 x 21 x 64"},
		"conv3": {"11 x 11 x 32", "10 x 10 x 32"},
		"pool3": {"5 x 5 x 32", "5 x 5 x 32"},
		"conv4": {"2 x 2 x 16", "2 x 2 x 16"},
		"pool4": {"1 x 1 x 16", "1 x 1 x 16"},
	}
	for _, s := range steps {
		if w, ok := want[s.Name]; ok && (s.Out.String() != w[0] || s.LiveOut.String() != w[1]) {
			t.Errorf("%s: %v live %v, want %s live %s", s.Name, s.Out, s.LiveOut, w[0], w[1])
		}
	}
	if got := steps[0].LiveIn; got != (graph.Shape{H: 341, W: 341, C: 1}) {
		t.Errorf("live image: %v, want 341 x 341 x 1", got)
	}
}

func TestSamePadding(t *testing.T) {
	g := &graph.Graph{Input: graph.Shape{H: 5, W: 8, C: 1}, Layers: []graph.Layer{
		{Kind: graph.Conv2D, Name: "c", Filters: 2, Kernel: 3, Stride: 2, Padding: graph.Same, Activation: graph.ReLU},
		{Kind: graph.Flatten, Name: "f"},
		{Kind: graph.Dense, Name: "d", Filters: 1, Activation: graph.Sigmoid},
	}}
	steps, err := g.Plan()
	if err != nil {
		t.Fatal(err)
	}
	// 5 rows need 3 windows and 2 zeros, one of them above. 8 columns need 4 windows and 1 zero, at
	// the right.
	c := steps[0]
	if c.Out != (graph.Shape{H: 3, W: 4, C: 2}) || c.PadTop != 1 || c.PadLeft != 0 || c.LiveIn != g.Input {
		t.Errorf("out %v, pad %d,%d, live in %v", c.Out, c.PadTop, c.PadLeft, c.LiveIn)
	}
}

func TestPlanRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*graph.Graph){
		"no layers":          func(g *graph.Graph) { g.Layers = nil },
		"empty input":        func(g *graph.Graph) { g.Input.H = 0 },
		"huge input":         func(g *graph.Graph) { g.Input.W = 1 << 30 },
		"unknown kind":       func(g *graph.Graph) { g.Layers[0].Kind = "conv3d" },
		"unknown padding":    func(g *graph.Graph) { g.Layers[0].Padding = "reflect" },
		"unknown activation": func(g *graph.Graph) { g.Layers[0].Activation = "swish" },
		"activation on pool": func(g *graph.Graph) { g.Layers[1].Activation = graph.ReLU },
		"stride 0":           func(g *graph.Graph) { g.Layers[0].Stride = 0 },
		"negative filters":   func(g *graph.Graph) { g.Layers[0].Filters = -1 },
		"window too large":   func(g *graph.Graph) { g.Input = graph.Shape{H: 100, W: 100, C: 1} },
		"a repeated name":    func(g *graph.Graph) { g.Layers[1].Name = "conv1" },
		"dense before flat":  func(g *graph.Graph) { g.Layers = append(g.Layers[:2:2], g.Layers[9:]...) },
		"dropout rate 1":     func(g *graph.Graph) { g.Layers[10].Rate = 1 },
		"two outputs":        func(g *graph.Graph) { g.Layers[13].Filters = 2 },
		"no sigmoid":         func(g *graph.Graph) { g.Layers[13].Activation = graph.Linear },
	} {
		t.Run(name, func(t *testing.T) {
			g := graph.Thesis()
			spoil(g)
			if _, err := g.Plan(); !errors.Is(err, graph.ErrGraph) {
				t.Fatalf("error %v, want ErrGraph", err)
			}
		})
	}
}

// Two graphs that differ in any constant have different hashes.
func TestHash(t *testing.T) {
	seen := map[graph.Hash]string{graph.Thesis().Hash(): "thesis"}
	for name, change := range map[string]func(*graph.Graph){
		"stride": func(g *graph.Graph) { g.Layers[0].Stride = 1 },
		"rate":   func(g *graph.Graph) { g.Layers[10].Rate = 0.25 },
		"name":   func(g *graph.Graph) { g.Layers[0].Name = "first" },
		"input":  func(g *graph.Graph) { g.Input.H = 380 },
	} {
		g := graph.Thesis()
		change(g)
		if other, ok := seen[g.Hash()]; ok {
			t.Errorf("%s has the same hash as %s", name, other)
		}
		seen[g.Hash()] = name
	}
	if again, ok := seen[graph.Thesis().Hash()]; !ok || again != "thesis" {
		t.Error("the same graph has another hash")
	}
}

// On returns the same shapes and padding for a single layer as Plan for the network.
func TestLayerOn(t *testing.T) {
	steps, err := graph.Thesis().Plan()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range steps {
		got, err := want.Layer.On(want.In)
		if err != nil {
			t.Fatal(err)
		}
		if want.LiveIn, want.LiveOut = got.LiveIn, got.LiveOut; got != want {
			t.Errorf("%s: %+v, want %+v", want.Name, got, want)
		}
	}
	large := graph.Layer{Kind: graph.MaxPool2D, Kernel: 3, Stride: 1, Padding: graph.Valid}
	if _, err := large.On(graph.Shape{H: 2, W: 9, C: 1}); err == nil {
		t.Error("a window larger than its input was accepted")
	}
}
