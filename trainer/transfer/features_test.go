package transfer

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"tirewatch/trainer"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/nn"
	"tirewatch/trainer/pixels"
	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
	"tirewatch/vision/preprocess"
)

// int8Of converts a network by the scheme of package convert, for layers that all have ReLU6. The
// trainer cannot import that package.
func int8Of(t *testing.T, c *checkpoint.Checkpoint) *infer.Model {
	t.Helper()
	m := &infer.Model{Graph: c.Graph, LogitScale: 1}
	in := 1.0 / 255
	for i := 0; i < len(c.Params); i += 2 {
		w, b := c.Params[i], c.Params[i+1]
		l := infer.Layer{Name: w.Name[:len(w.Name)-2], W: make([]byte, len(w.Data)), Bias: make([]int32, len(b.Data))}
		per := len(w.Data) / len(b.Data)
		for ch := range b.Data {
			largest := 1e-6
			for _, v := range w.Data[ch*per:][:per] {
				largest = max(largest, math.Abs(float64(v)))
			}
			scale := largest / 127
			for k, v := range w.Data[ch*per:][:per] {
				l.W[ch*per+k] = byte(int8(math.RoundToEven(float64(v) / scale)))
			}
			l.Bias[ch] = int32(math.RoundToEven(float64(b.Data[ch]) / (in * scale)))
			if i+2 < len(c.Params) {
				l.Mult = append(l.Mult, float32(in*scale/unit))
			} else {
				m.LogitScale = in * scale / float64(c.Graph.Layers[len(c.Graph.Layers)-1].Top)
			}
		}
		in = unit
		m.Layers = append(m.Layers, l)
	}
	if err := m.Validate(); err != nil {
		t.Fatal(err)
	}
	return m
}

// mobile is a network with random weights: with cells of 2 x 2 positions, or without.
func mobile(t *testing.T, size, blocks int) *checkpoint.Checkpoint {
	t.Helper()
	g := graph.Mobile(size, blocks)
	net, err := nn.New(g, rand.New(rand.NewPCG(1, uint64(size))))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range net.Params() {
		for i := range p.Data {
			p.Data[i] *= 2
		}
	}
	net.Changed()
	return &checkpoint.Checkpoint{Graph: *g, Params: net.Params(), Threshold: 0.5,
		Spec: preprocess.Spec{Width: size, Height: size, Filter: preprocess.FilterTriangle}}
}

func noise(size, n int) (samples []trainer.Sample) {
	rng := rand.New(rand.NewPCG(2, uint64(size)))
	for range n {
		pix := make([]byte, size*size)
		for i := range pix {
			pix[i] = byte(rng.Uint32())
		}
		samples = append(samples, trainer.Sample{Pix: pixels.Of(pix)})
	}
	return samples
}

// The features are what the int8 network computes: a head on them has the logit of the whole
// network, up to the rounding of its own weights to int8.
func TestFeaturesAreThoseOfTheNetwork(t *testing.T) {
	for _, c := range []struct {
		name         string
		size, blocks int
		shape        graph.Shape
	}{
		{"single positions", 64, 4, graph.Shape{H: 8, W: 8, C: 192}},
		{"cells of 2 x 2", 64, 1, graph.Shape{H: 16, W: 16, C: 48}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ck := mobile(t, c.size, c.blocks)
			trunk, err := NewTrunk(int8Of(t, ck))
			if err != nil || trunk.Shape() != c.shape {
				t.Fatalf("features of %v, error %v", trunk.Shape(), err)
			}
			samples := noise(c.size, 3)
			views, err := trunk.Features(t.Context(), samples, 2, pixels.NewStore("", 1<<30, 0, 0), nil)
			if err != nil {
				t.Fatal(err)
			}
			h := &Head{W: make([]float32, c.shape.C), Bias: -0.3, Top: ck.Graph.Layers[len(ck.Graph.Layers)-1].Top}
			for i := range h.W {
				h.W[i] = float32(i%7-3) / 3 // exact in int8
			}
			whole, err := WithHead(ck, h)
			if err != nil {
				t.Fatal(err)
			}
			m := int8Of(t, whole)
			r, err := infer.NewRunner(m)
			if err != nil {
				t.Fatal(err)
			}
			for i, s := range samples {
				pix, _ := s.Pix.Load(nil)
				sum, err := r.Run(pix)
				if err != nil {
					t.Fatal(err)
				}
				features, _ := views[i][0].Load(nil)
				got, want := h.Logit(features), m.Logit(sum)
				// the whole network corrects its biases for its own rounding
				if math.Abs(got-want) > 0.03*max(1, math.Abs(want)) {
					t.Errorf("image %d: the head says %g, the network %g", i, got, want)
				}
				turned, _ := views[i][1].Load(nil)
				if bytes.Equal(features, turned) {
					t.Errorf("image %d: both views are equal", i)
				}
			}
		})
	}
}

func TestNewTrunkRefuses(t *testing.T) {
	g := graph.Mobile(64, 1)
	m := int8Of(t, mobile(t, 64, 1))
	for _, c := range []struct {
		name   string
		layers []graph.Layer
	}{
		{"no scores", append(g.Layers[:3:3], graph.Layer{Kind: graph.Dense, Name: "d", Filters: 1, Activation: graph.Sigmoid})},
		{"windows of 3 x 3 are scored", func() []graph.Layer {
			l := append([]graph.Layer(nil), g.Layers...)
			l[len(l)-2].Kernel = 3
			return l
		}()},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := *m
			bad.Graph.Layers = c.layers
			if _, err := NewTrunk(&bad); !errors.Is(err, graph.ErrGraph) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// The means of cells round as the integer law does: to nearest, ties to even.
func TestCells(t *testing.T) {
	for _, c := range []struct{ a, b, c, d, want byte }{
		{0, 0, 0, 0, 0}, {1, 0, 0, 0, 0}, {1, 1, 0, 0, 0}, {1, 1, 1, 0, 1}, {2, 2, 1, 1, 2}, {3, 3, 2, 2, 2}, {255, 255, 255, 255, 255},
		{255, 255, 255, 254, 255}, {255, 255, 254, 254, 254},
	} {
		got := make([]byte, 1)
		cells(got, []byte{c.a, c.b, c.c, c.d}, graph.Shape{H: 1, W: 1, C: 1}, 2)
		if got[0] != c.want {
			t.Errorf("mean of %d, %d, %d, %d is %d, want %d", c.a, c.b, c.c, c.d, got[0], c.want)
		}
	}
}

// All eight views are different, and turning by quarters four times is the image again.
func TestTurn(t *testing.T) {
	const side = 5
	image := make([]byte, side*side)
	for i := range image {
		image[i] = byte(i)
	}
	seen := make(map[string]int)
	for v := range Views {
		dst := make([]byte, len(image))
		plainView(v).apply(dst, image, side)
		if other, ok := seen[string(dst)]; ok {
			t.Errorf("views %d and %d are equal", other, v)
		}
		seen[string(dst)] = v
	}
	a, b := append([]byte(nil), image...), make([]byte, len(image))
	for range 4 {
		plainView(1).apply(b, a, side)
		a, b = b, a
	}
	if !bytes.Equal(a, image) {
		t.Error("four quarters are not the image")
	}
}

// The base is shared by many folds: a head must not change it.
func TestWithHeadCopies(t *testing.T) {
	ck := mobile(t, 64, 1)
	n := len(ck.Params)
	before, top := ck.Params[n-2].Data[0], ck.Graph.Layers[len(ck.Graph.Layers)-1].Top
	h := &Head{W: make([]float32, 48), Bias: 7, Top: 1}
	h.W[0] = before + 1
	c, err := WithHead(ck, h)
	if err != nil {
		t.Fatal(err)
	}
	if ck.Params[n-2].Data[0] != before || ck.Graph.Layers[len(ck.Graph.Layers)-1].Top != top {
		t.Error("the checkpoint changed")
	}
	if c.Params[n-2].Data[0] != h.W[0] || c.Params[n-1].Data[0] != 7 || c.Graph.Layers[len(c.Graph.Layers)-1].Top != 1 {
		t.Error("the head is not in the network")
	}
	if _, err := WithHead(ck, &Head{W: make([]float32, 3)}); !errors.Is(err, nn.ErrParams) {
		t.Errorf("a head of 3 weights: %v", err)
	}
}
