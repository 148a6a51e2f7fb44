package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"tirewatch/quantize/onnx"
	"tirewatch/trainer/nn"
	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
	"tirewatch/vision/kernel"
	"tirewatch/vision/preprocess"
	"tirewatch/vision/verdict"
)

// mobiles are networks with depthwise convolutions, ReLU6 and scores: small ones, the two sizes
// that are trained, and cells of 2x2 positions.
func mobiles() map[string]*graph.Graph {
	all := map[string]*graph.Graph{
		"32 px, 3 blocks": graph.Mobile(32, 3),
		"57 px, cells":    graph.Mobile(57, 1), // an odd number of positions
		"96 px, 9 blocks": graph.Mobile(96, 9),
	}
	if !testing.Short() {
		all["224 px, 7 blocks"] = graph.Mobile(224, 7)
		all["224 px, 9 blocks"] = graph.Mobile(224, 9)
		all["448 px, 9 blocks"] = graph.Mobile(448, 9)
	}
	return all
}

// mobileModel fills a network with random weights. Where ONNX Runtime saturates, they are small.
func mobileModel(g *graph.Graph) *infer.Model {
	largest := allBits
	if saturates {
		largest = sevenBits
	}
	return randomModel(g, largest, rand.New(rand.NewPCG(seed, 8)))
}

// pictures returns the extremes, drawn tires and noise, of the size of a network.
func pictures(in graph.Shape) [][]byte {
	n, rng := 4, rand.New(rand.NewPCG(seed, 9))
	if testing.Short() {
		n = 1
	}
	spec := preprocess.Spec{Width: in.W, Height: in.H, Filter: preprocess.FilterTriangle}
	out := [][]byte{make([]byte, in.Size()), filled(in.Size(), 255)}
	for i := range n {
		noise := make([]byte, in.Size())
		for i := range noise {
			noise[i] = byte(rng.Uint32())
		}
		out = append(out, drawnFor(spec, i), noise)
	}
	return out
}

func filled(n int, v byte) []byte {
	pix := make([]byte, n)
	for i := range pix {
		pix[i] = v
	}
	return pix
}

// Every kernel's sum of the highest scores equals ONNX Runtime's. All of this form is integer: the
// scores are int32 sums, the highest are added in int32, and only their sum becomes a float32.
func TestMobileEqualsONNXRuntime(t *testing.T) {
	for name, g := range mobiles() {
		t.Run(name, func(t *testing.T) {
			m := mobileModel(g)
			p, rs, distinct := newPeer(t, m), runners(t, m), map[int32]bool{}
			all := pictures(g.Input)
			for i, pix := range all {
				logit, _ := p.run(t, pix)
				want := theirSum(t, logit)
				distinct[want] = true
				for body, r := range rs {
					if got, err := r.Run(pix); err != nil || got != want {
						t.Errorf("image %d, kernel %s: sum %d, ONNX Runtime %d (%v)", i, body, got, want, err)
					}
				}
			}
			if len(distinct) < len(all)-1 {
				t.Errorf("only %d different sums", len(distinct))
			}
			t.Logf("%d images, %d different sums", len(all), len(distinct))
		})
	}
}

// The same for the QDQ form. ONNX Runtime replaces its convolutions by integer kernels, except the
// last one, which nothing quantizes: its scores are float32. With a scale of 1 they are whole
// numbers below 2^24, so float32 holds each product and each sum, in any order. Their mean is
// rounded once or twice; multiplied by the number of scores, it is nearest to the exact sum as long
// as that stays below 2^22.
func TestMobileQDQEqualsONNXRuntime(t *testing.T) {
	for name, g := range mobiles() {
		t.Run(name, func(t *testing.T) {
			m, top := mobileModel(g), float64(g.Layers[len(g.Layers)-1].Top)
			m.LogitScale = 1 / top
			if float32(m.LogitScale*top) != 1 {
				t.Fatalf("1/%g*%g is not 1", top, top)
			}
			p := newPeerOf(t, onnx.Int8QDQ, m)
			r, err := infer.NewRunner(m)
			if err != nil {
				t.Fatal(err)
			}
			for i, pix := range pictures(g.Input) {
				want, err := r.Run(pix)
				if err != nil {
					t.Fatal(err)
				}
				logit, _ := p.run(t, pix)
				got := math.RoundToEven(float64(logit) * top)
				if math.Abs(got) >= 1<<22 {
					t.Fatalf("the sum %g is too large", got)
				}
				if int32(got) != want {
					t.Errorf("image %d: sum %d, ONNX Runtime %g", i, want, got)
				}
			}
		})
	}
}

// Every activation is equal too.
func TestMobileActivationsEqualONNXRuntime(t *testing.T) {
	for _, g := range []*graph.Graph{graph.Mobile(96, 9), graph.Mobile(57, 1)} {
		m := mobileModel(g)
		steps, err := m.Graph.Plan()
		if err != nil {
			t.Fatal(err)
		}
		var between []onnx.Value
		for _, s := range steps[:len(steps)-2] {
			between = append(between, onnx.Value{Name: s.Name + "/out", Type: onnx.Uint8})
		}
		p := newPeer(t, m, between...)
		for i, pix := range pictures(g.Input)[2:] {
			_, theirs := p.run(t, pix)
			compared := 0
			for k, ours := range activations(m, steps, pix) {
				for j, v := range channelsFirst(ours.v, ours.shape) {
					if v != theirs[k][j] {
						t.Fatalf("image %d, %s[%d]: %d, ONNX Runtime %d", i, ours.name, j, v, theirs[k][j])
					}
				}
				compared += len(ours.v)
			}
			t.Logf("image %d: %d activations of %d layers are equal", i, compared, len(theirs))
		}
	}
}

// Other networks of version 2, in both forms: depthwise convolutions and means of other sizes,
// ReLU6, the padding of PyTorch, and both ends of a network.
func TestRandomNetworksOfVersion2EqualONNXRuntime(t *testing.T) {
	networks := uint64(150)
	if testing.Short() {
		networks = 40
	}
	kinds := map[graph.Kind]int{}
	for n := range networks {
		rng := rand.New(rand.NewPCG(n, 10))
		g := randomMobile(rng)
		m, top := mobileModel(g), max(1, float64(g.Layers[len(g.Layers)-1].Top))
		m.LogitScale = 1 / top
		int8s, qdq, rs := newPeer(t, m), newPeerOf(t, onnx.Int8QDQ, m), runners(t, m)
		for _, l := range g.Layers {
			kinds[l.Kind]++
		}
		for range 3 {
			pix := make([]byte, g.Input.Size())
			for i := range pix {
				pix[i] = byte(rng.Uint32())
			}
			for form, p := range map[string]*peer{"QLinearConv": int8s, "QDQ": qdq} {
				logit, _ := p.run(t, pix)
				want := int32(math.RoundToEven(float64(logit) * top))
				for body, r := range rs {
					if got, err := r.Run(pix); err != nil || got != want {
						t.Fatalf("network %d, %s, kernel %s: sum %d, ONNX Runtime %d (%v)\n%v", n, form, body, got, want, err, g)
					}
				}
			}
		}
	}
	t.Logf("%d networks with %v", networks, kinds)
}

// randomMobile draws layers of version 2 in any order, then scores or dense layers.
func randomMobile(rng *rand.Rand) *graph.Graph {
	for {
		g := &graph.Graph{Input: graph.Shape{H: 6 + rng.IntN(28), W: 6 + rng.IntN(28), C: 1 + rng.IntN(2)}}
		add := func(l graph.Layer) {
			l.Name = fmt.Sprintf("%s%d", l.Kind, len(g.Layers))
			if l.Padding == graph.Explicit {
				l.Pad = 1 + rng.IntN(max(1, l.Kernel-1))
			}
			g.Layers = append(g.Layers, l)
		}
		channels := g.Input.C
		for range 2 + rng.IntN(4) {
			l := graph.Layer{Kernel: 1 + rng.IntN(4), Stride: 1 + rng.IntN(2),
				Padding: []graph.Padding{graph.Valid, graph.Same, graph.Explicit}[rng.IntN(3)]}
			switch rng.IntN(5) {
			case 0:
				l.Kind, l.Padding = graph.MeanPool, graph.Valid
			case 1, 2:
				l.Kind, l.Filters = graph.Depthwise2D, channels
			default:
				l.Kind, l.Filters = graph.Conv2D, 1+rng.IntN(40)
				channels = l.Filters
			}
			if l.Kind != graph.MeanPool {
				l.Activation = []graph.Activation{graph.ReLU, graph.ReLU6}[rng.IntN(2)]
			}
			add(l)
		}
		if rng.IntN(2) == 0 {
			add(graph.Layer{Kind: graph.Conv2D, Filters: 1, Kernel: 1, Stride: 1, Padding: graph.Valid, Activation: graph.Linear})
			add(graph.Layer{Kind: graph.TopMean, Top: 1 + rng.IntN(6), Activation: graph.Sigmoid})
		} else {
			add(graph.Layer{Kind: graph.MeanPool})
			add(graph.Layer{Kind: graph.Flatten})
			add(graph.Layer{Kind: graph.Dense, Filters: 1, Activation: graph.Sigmoid})
		}
		if _, err := g.Plan(); err == nil {
			return g
		}
	}
}

// The float networks have the same probabilities.
func TestMobileFloatEqualsONNXRuntime(t *testing.T) {
	requireORT(t)
	for name, g := range mobiles() {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 11))
			fresh, err := nn.New(g, rng)
			if err != nil {
				t.Fatal(err)
			}
			params := fresh.Params()
			widen(params, rng)
			net, err := nn.FromParams(g, params)
			if err != nil {
				t.Fatal(err)
			}
			file, err := onnx.Float(g, net.Params())
			if err != nil {
				t.Fatal(err)
			}
			p, furthest, low, high := newFloatPeer(t, file, onnx.Probability, 1), 0.0, 1.0, 0.0
			for i, pix := range pictures(g.Input) {
				want, got := float64(p.run(t, pix)[0]), verdict.Probability(logitOf(t, net, pix))
				furthest, low, high = max(furthest, math.Abs(got-want)), min(low, want), max(high, want)
				if !(math.Abs(got-want) <= floatTolerance) {
					t.Errorf("image %d: probability %.8f, ONNX Runtime %.8f", i, got, want)
				}
			}
			if high-low < 0.05 {
				t.Errorf("probabilities of %g to %g test too little", low, high)
			}
			t.Logf("probabilities %.4f to %.4f, largest difference %.1e", low, high, furthest)
		})
	}
}

// meanOf returns the kernel's form of a mean.
func meanOf(s graph.Step, in kernel.Area) kernel.Mean {
	m := kernel.Mean{In: in, H: s.Kernel, W: s.Kernel, Stride: s.Stride, OutW: s.Out.W}
	if s.Kernel == 0 {
		m.H, m.W = s.In.H, s.In.W
	}
	return m
}
