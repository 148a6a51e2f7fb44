package graph_test

import (
	"crypto/sha256"
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

// small has all words of version 2: 9 x 8 -> 5 x 4 -> 3 x 2 -> scores of 3 x 2.
func small() *graph.Graph {
	return &graph.Graph{Input: graph.Shape{H: 9, W: 8, C: 1}, Layers: []graph.Layer{
		{Kind: graph.Conv2D, Name: "c", Filters: 2, Kernel: 3, Stride: 2, Padding: graph.Explicit, Pad: 1,
			Activation: graph.ReLU6},
		{Kind: graph.Depthwise2D, Name: "d", Filters: 2, Kernel: 3, Stride: 1, Padding: graph.Same,
			Activation: graph.ReLU},
		{Kind: graph.MeanPool, Name: "m", Kernel: 2, Stride: 2, Padding: graph.Valid},
		{Kind: graph.Conv2D, Name: "s", Filters: 1, Kernel: 1, Stride: 1, Padding: graph.Valid,
			Activation: graph.Linear},
		{Kind: graph.TopMean, Name: "t", Top: 2, Activation: graph.Sigmoid},
	}}
}

func TestPlanVersion2(t *testing.T) {
	steps, err := small().Plan()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		// 5 rows and 4 columns of windows that begin at -1; the pool ignores the last row
		"c: 9 x 8 x 1 -> 5 x 4 x 2, pad 1,1, live 9 x 8 x 1 -> 5 x 4 x 2, 18 weights",
		"d: 5 x 4 x 2 -> 5 x 4 x 2, pad 1,1, live 5 x 4 x 2 -> 4 x 4 x 2, 18 weights",
		"m: 5 x 4 x 2 -> 2 x 2 x 2, pad 0,0, live 4 x 4 x 2 -> 2 x 2 x 2, 0 weights",
		"s: 2 x 2 x 2 -> 2 x 2 x 1, pad 0,0, live 2 x 2 x 2 -> 2 x 2 x 1, 2 weights",
		"t: 2 x 2 x 1 -> 1 x 1 x 1, pad 0,0, live 2 x 2 x 1 -> 1 x 1 x 1, 0 weights",
	} {
		s := steps[i]
		got := fmt.Sprintf("%s: %v -> %v, pad %d,%d, live %v -> %v, %d weights",
			s.Name, s.In, s.Out, s.PadTop, s.PadLeft, s.LiveIn, s.LiveOut, s.Weights())
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if params, macs, live := graph.Totals(steps); params != 43 || macs != 20*9*2*2+8 || live != 20*9*2+16*9*2+8 {
		t.Errorf("%d parameters, %d multiply-accumulates, %d live", params, macs, live)
	}
}

func TestPlanRefusesVersion2(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(l []graph.Layer)
		want  string
	}{
		"more filters than channels": {func(l []graph.Layer) { l[1].Filters = 4 },
			"layer d: 4 filters for 2 channels, want one for each"},
		"padding as large as the window": {func(l []graph.Layer) { l[0].Pad = 3 },
			"layer c: 3 px of padding for a window of 3, want 1 to 2"},
		"explicit without padding": {func(l []graph.Layer) { l[0].Pad = 0 },
			"layer c: 0 px of padding for a window of 3, want 1 to 2"},
		"padding twice": {func(l []graph.Layer) { l[0].Padding = graph.Same },
			`layer c: 1 px of padding with the padding "same", want explicit`},
		"a mean with padding": {func(l []graph.Layer) { l[2].Padding = graph.Same },
			`layer m: a mean with the padding "same", want valid`},
		"a global mean with a stride": {func(l []graph.Layer) { l[2].Kernel = 0 },
			"layer m: kernel 0, stride 2, want 1 to 64"},
		"an activation on a mean": {func(l []graph.Layer) { l[2].Activation = graph.ReLU6 },
			"layer m: meanpool cannot have an activation"},
		"two scores a position": {func(l []graph.Layer) { l[3].Filters = 2 },
			"layer t: input 2 x 2 x 2 has 2 channels, want one score for each position"},
		"more scores than positions": {func(l []graph.Layer) { l[4].Top = 5 },
			"layer t: mean of the highest 5 scores, want 1 to 4"},
		"no score": {func(l []graph.Layer) { l[4].Top = 0 },
			"layer t: mean of the highest 0 scores, want 1 to 4"},
		"a number of scores elsewhere": {func(l []graph.Layer) { l[3].Top = 1 },
			"layer s: conv2d cannot have a number of highest scores"},
		"scores after an activation": {func(l []graph.Layer) { l[3].Activation = graph.ReLU },
			"layer t: topmean must be directly after a linear convolution"},
		"topmean without a sigmoid": {func(l []graph.Layer) { l[4].Activation = "" },
			`layer t: topmean with the activation "", want sigmoid`},
	} {
		t.Run(name, func(t *testing.T) {
			g := small()
			c.spoil(g.Layers)
			_, err := g.Plan()
			if want := "invalid network: " + c.want; !errors.Is(err, graph.ErrGraph) || err.Error() != want {
				t.Errorf("error %v\nwant  %s", err, want)
			}
		})
	}
	g := small()
	g.Layers = append(g.Layers, graph.Layer{Kind: graph.Dense, Name: "o", Filters: 1, Activation: graph.Sigmoid})
	if _, err := g.Plan(); !errors.Is(err, graph.ErrGraph) {
		t.Errorf("a layer after topmean: error %v, want ErrGraph", err)
	}
}

// A mean over the whole map, then a dense layer: the classical end of a MobileNet.
func TestGlobalMean(t *testing.T) {
	g := small()
	g.Layers = append(g.Layers[:2], graph.Layer{Kind: graph.MeanPool, Name: "m"},
		graph.Layer{Kind: graph.Dense, Name: "o", Filters: 1, Activation: graph.Sigmoid})
	steps, err := g.Plan()
	if err != nil {
		t.Fatal(err)
	}
	m := steps[2]
	if m.Out != (graph.Shape{H: 1, W: 1, C: 2}) || m.LiveIn != m.In || steps[1].LiveOut != m.In {
		t.Errorf("%v -> %v, live %v", m.In, m.Out, m.LiveIn)
	}
}

// The multiply-accumulates of the first blocks of MobileNetV1-0.75, in millions.
func TestMobileFigures(t *testing.T) {
	for _, c := range []struct {
		size, blocks int
		macs, score  string // of the network, and the shape of the scores
		top          int
	}{
		{224, 7, "157.1", "14 x 14 x 1", 20},
		{224, 9, "216.3", "14 x 14 x 1", 20},
		{448, 7, "628.2", "14 x 14 x 1", 20},
		{448, 9, "864.9", "14 x 14 x 1", 20},
		{640, 9, "1765.0", "20 x 20 x 1", 40},
	} {
		steps, err := graph.Mobile(c.size, c.blocks).Plan()
		if err != nil {
			t.Fatal(err)
		}
		_, macs, live := graph.Totals(steps)
		last := steps[len(steps)-1]
		if got := fmt.Sprintf("%.1f", float64(macs)/1e6); got != c.macs || last.In.String() != c.score || last.Top != c.top {
			t.Errorf("%d px, %d blocks: %s M, mean of %d of %v, want %s M, %d of %s",
				c.size, c.blocks, got, last.Top, last.In, c.macs, c.top, c.score)
		}
		if live != macs {
			t.Errorf("%d px: %d of %d multiply-accumulates are live, want all", c.size, live, macs)
		}
	}
}

// A program that knows version 1 only must not read a network with newer words, and reads all
// others.
func TestVersion(t *testing.T) {
	if got := graph.Thesis().Version(); got != graph.Version1 {
		t.Errorf("thesis network: version %d, want 1", got)
	}
	for name, change := range map[string]func(*graph.Layer){
		"depthwise": func(l *graph.Layer) { l.Kind = graph.Depthwise2D },
		"mean":      func(l *graph.Layer) { l.Kind = graph.MeanPool },
		"topmean":   func(l *graph.Layer) { l.Kind = graph.TopMean },
		"relu6":     func(l *graph.Layer) { l.Activation = graph.ReLU6 },
		"explicit":  func(l *graph.Layer) { l.Padding = graph.Explicit },
		"pad":       func(l *graph.Layer) { l.Pad = 1 },
		"top":       func(l *graph.Layer) { l.Top = 1 },
	} {
		g := graph.Thesis()
		change(&g.Layers[2])
		if got := g.Version(); got != graph.Version2 {
			t.Errorf("%s: version %d, want 2", name, got)
		}
	}
}

// The hash and the bytes of the thesis network are in many files and never change.
func TestThesisIsUnchanged(t *testing.T) {
	g := graph.Thesis()
	data, err := g.MarshalMsg(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%s, %d bytes, %.8x", g.Hash(), len(data), sha256.Sum256(data)); got != thesisText {
		t.Errorf("got %s, want %s", got, thesisText)
	}
}

const thesisText = "fb1d7e3c5eb4e11d, 838 bytes, f40c7dc61f32fa5c"

// A network of version 2 returns from its bytes unchanged.
func TestRoundTrip(t *testing.T) {
	for _, want := range []*graph.Graph{graph.Thesis(), small(), graph.Mobile(448, 9)} {
		data, err := want.MarshalMsg(nil)
		if err != nil {
			t.Fatal(err)
		}
		got := new(graph.Graph)
		if _, err := got.UnmarshalMsg(data); err != nil || got.Hash() != want.Hash() {
			t.Errorf("read %v, error %v\nwrote %v", got, err, want)
		}
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
		"pad":    func(g *graph.Graph) { g.Layers[0].Pad = 1 },
		"top":    func(g *graph.Graph) { g.Layers[0].Top = 1 },
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
