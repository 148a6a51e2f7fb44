package nn

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"tirewatch/vision/graph"
)

// network is a short form for test graphs.
func network(input graph.Shape, layers ...graph.Layer) *graph.Graph {
	return &graph.Graph{Input: input, Layers: append(layers,
		graph.Layer{Kind: graph.Flatten, Name: "flatten"},
		graph.Layer{Kind: graph.Dense, Name: "hidden", Filters: 5, Activation: graph.ReLU},
		graph.Layer{Kind: graph.Dropout, Name: "dropout", Rate: 0.4},
		graph.Layer{Kind: graph.Dense, Name: "out", Filters: 1, Activation: graph.Sigmoid})}
}

func convLayer(name string, filters, kernel, stride int, p graph.Padding) graph.Layer {
	return graph.Layer{Kind: graph.Conv2D, Name: name, Filters: filters, Kernel: kernel, Stride: stride, Padding: p, Activation: graph.ReLU}
}

func poolLayer(name string, kernel, stride int, p graph.Padding) graph.Layer {
	return graph.Layer{Kind: graph.MaxPool2D, Name: name, Kernel: kernel, Stride: stride, Padding: p}
}

func depthwiseLayer(name string, filters, kernel, stride int, p graph.Padding) graph.Layer {
	return graph.Layer{Kind: graph.Depthwise2D, Name: name, Filters: filters, Kernel: kernel, Stride: stride, Padding: p, Activation: graph.ReLU6}
}

// scored is a network that ends in the mean of the highest scores.
func scored(input graph.Shape, top int, layers ...graph.Layer) *graph.Graph {
	return &graph.Graph{Input: input, Layers: append(layers,
		graph.Layer{Kind: graph.Conv2D, Name: "score", Filters: 1, Kernel: 1, Stride: 1, Padding: graph.Valid, Activation: graph.Linear},
		graph.Layer{Kind: graph.TopMean, Name: "top", Top: top, Activation: graph.Sigmoid})}
}

// graphs are small networks that reach every path: fused and separate convolutions, both paddings,
// odd sizes, channel counts for the assembly and others that run in Go.
var graphs = map[string]*graph.Graph{
	"small thesis": network(graph.Shape{H: 23, W: 27, C: 1},
		convLayer("c1", 16, 3, 2, graph.Valid), poolLayer("p1", 2, 2, graph.Valid),
		convLayer("c2", 32, 3, 2, graph.Valid), poolLayer("p2", 2, 2, graph.Valid)),
	"odd channels": network(graph.Shape{H: 20, W: 17, C: 1},
		convLayer("c1", 5, 3, 1, graph.Valid), poolLayer("p1", 2, 2, graph.Valid), convLayer("c2", 3, 2, 1, graph.Valid)),
	"same padding": network(graph.Shape{H: 13, W: 12, C: 1},
		convLayer("c1", 16, 3, 2, graph.Same), convLayer("c2", 3, 5, 1, graph.Same), poolLayer("p", 3, 2, graph.Same)),
	"fused with padding": network(graph.Shape{H: 15, W: 14, C: 2},
		convLayer("c1", 16, 3, 1, graph.Same), poolLayer("p1", 2, 2, graph.Valid), convLayer("c2", 4, 3, 1, graph.Same), poolLayer("p2", 2, 2, graph.Valid)),
	"pool first, linear convolution": network(graph.Shape{H: 12, W: 12, C: 1},
		poolLayer("p", 2, 1, graph.Valid),
		graph.Layer{Kind: graph.Conv2D, Name: "c", Filters: 4, Kernel: 3, Stride: 3, Padding: graph.Valid, Activation: graph.Linear}),
	"small mobile": scored(graph.Shape{H: 20, W: 17, C: 1}, 3,
		convLayer("c1", 6, 3, 2, graph.Same), depthwiseLayer("d1", 6, 3, 1, graph.Same),
		convLayer("c2", 8, 1, 1, graph.Same), depthwiseLayer("d2", 8, 3, 2, graph.Same)),
	"products": scored(graph.Shape{H: 11, W: 15, C: 1}, 3,
		convLayer("c1", 16, 3, 1, graph.Same),
		graph.Layer{Kind: graph.Conv2D, Name: "c2", Filters: 48, Kernel: 1, Stride: 1, Padding: graph.Same, Activation: graph.ReLU6},
		depthwiseLayer("d2", 48, 3, 2, graph.Same), convLayer("c3", 16, 1, 1, graph.Valid),
		graph.Layer{Kind: graph.Conv2D, Name: "c4", Filters: 32, Kernel: 1, Stride: 1, Padding: graph.Valid, Activation: graph.Linear}),
	"product first": network(graph.Shape{H: 3, W: 4, C: 2}, convLayer("c1", 16, 1, 1, graph.Valid)),
	"depthwise first, unread border": scored(graph.Shape{H: 14, W: 15, C: 3}, 2,
		depthwiseLayer("d1", 3, 3, 1, graph.Valid),
		graph.Layer{Kind: graph.MeanPool, Name: "m", Kernel: 2, Stride: 3, Padding: graph.Valid}),
	"explicit padding": network(graph.Shape{H: 12, W: 13, C: 1},
		graph.Layer{Kind: graph.Conv2D, Name: "c1", Filters: 4, Kernel: 3, Stride: 2, Padding: graph.Explicit, Pad: 1, Activation: graph.ReLU6},
		graph.Layer{Kind: graph.Depthwise2D, Name: "d1", Filters: 4, Kernel: 5, Stride: 2, Padding: graph.Explicit, Pad: 2, Activation: graph.ReLU},
		graph.Layer{Kind: graph.MaxPool2D, Name: "p1", Kernel: 2, Stride: 1, Padding: graph.Explicit, Pad: 1}),
	"global mean": network(graph.Shape{H: 9, W: 11, C: 1},
		convLayer("c1", 5, 3, 1, graph.Valid), graph.Layer{Kind: graph.MeanPool, Name: "m"}),
}

func TestReLU6(t *testing.T) {
	y := []float32{-1, 0, 0.5, 6, 7}
	activate(graph.ReLU6, y)
	if want := []float32{0, 0, 0.5, 6, 6}; !slices.Equal(y, want) {
		t.Errorf("ReLU6 returned %v, want %v", y, want)
	}
	dy := []float32{1, 1, 1, 1, 1}
	passGradient(graph.ReLU6, dy, y)
	if want := []float32{0, 0, 1, 0, 0}; !slices.Equal(dy, want) {
		t.Errorf("its gradient is %v, want %v", dy, want)
	}
}

// setup makes a net with random parameters, an image, and the reference with the same dropout.
func setup(t *testing.T, g *graph.Graph, seed uint64) (*Net, *reference, []float64, []float32) {
	t.Helper()
	return setupNear(t, g, seed, 0.1)
}

// setupNear is setup with parameters that differ from those of a new network only by noise.
func setupNear(t *testing.T, g *graph.Graph, seed uint64, noise float64) (*Net, *reference, []float64, []float32) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	n, err := New(g, rng)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range n.Params() { // biases too, so that no value is zero by chance
		for i := range p.Data {
			p.Data[i] += float32(noise * rng.NormFloat64())
		}
	}
	n.Changed()
	x := make([]float64, g.Input.Size())
	for i := range x {
		x[i] = float64(float32(rng.Float64()))
	}
	live := n.LiveInput()
	var cut []float32
	for y := range live.H {
		for _, v := range x[y*g.Input.W*g.Input.C:][:live.W*live.C] {
			cut = append(cut, float32(v))
		}
	}
	ref := newReference(n.steps, n.Params())
	drop := dropoutRNG(seed)
	for i, s := range n.steps {
		if s.Kind == graph.Dropout {
			for range s.Out.Size() {
				keep := 1 / (1 - s.Rate)
				if drop.Float64() < s.Rate {
					keep = 0
				}
				ref.keep[i] = append(ref.keep[i], keep)
			}
		}
	}
	return n, ref, x, cut
}

func dropoutRNG(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 99)) }

// The gradients of the reference are right: central differences in float64, for every parameter of
// every layer.
func TestReferenceAgainstFiniteDifferences(t *testing.T) {
	for name, g := range graphs {
		t.Run(name, func(t *testing.T) {
			n, ref, x, _ := setup(t, g, 5)
			ref.loss(x, 1, true)
			grads := ref.grads
			for i, p := range n.Params() {
				worst, scale := 0.0, 0.0
				for k := range p.Data {
					const h = 1e-6
					old := ref.params[i][k]
					ref.params[i][k] = old + h
					up := ref.loss(x, 1, false)
					ref.params[i][k] = old - h
					down := ref.loss(x, 1, false)
					ref.params[i][k] = old
					worst = max(worst, math.Abs((up-down)/(2*h)-grads[i][k]))
					scale = max(scale, math.Abs(grads[i][k]))
				}
				if worst > 1e-6*max(scale, 1e-2) {
					t.Errorf("%s: largest difference %.2g at gradients up to %.2g", p.Name, worst, scale)
				}
			}
		})
	}
}

// The float32 network (live regions, fused and sparse) computes the same as the reference.
func TestStepAgainstReference(t *testing.T) {
	for name, g := range graphs {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(6) {
				n, ref, x, cut := setup(t, g, seed)
				label := float64(seed % 2)
				want := ref.loss(x, label, true)
				grads := n.NewGradients()
				w := n.NewWorker()
				for range 2 { // twice: values of one image must not leak into the next
					grads.Clear()
					got := w.Step(cut, label, dropoutRNG(seed), grads)
					if math.Abs(got.Loss-want) > 1e-5*(1+want) {
						t.Fatalf("seed %d: loss %g, want %g", seed, got.Loss, want)
					}
				}
				for i, p := range n.Params() {
					scale := 0.0
					for _, v := range ref.grads[i] {
						scale = max(scale, math.Abs(v))
					}
					for k, v := range ref.grads[i] {
						if d := math.Abs(float64(grads.data[i][k]) - v); d > 1e-4*scale+1e-7 {
							t.Fatalf("seed %d: %s[%d]: gradient %g, want %g", seed, p.Name, k, grads.data[i][k], v)
						}
					}
				}
			}
		})
	}
}

// With large weights many values reach the upper limit of ReLU6, which stops the gradient.
func TestStepBeyondReLU6(t *testing.T) {
	for seed := range uint64(4) {
		n, ref, x, cut := setupNear(t, graphs["small mobile"], seed, 3)
		want := ref.loss(x, 1, true)
		capped := 0
		for _, step := range ref.capped {
			for _, c := range step {
				if c {
					capped++
				}
			}
		}
		grads := n.NewGradients()
		got := n.NewWorker().Step(cut, 1, dropoutRNG(seed), grads)
		if capped == 0 || math.Abs(got.Loss-want) > 1e-5*(1+want) {
			t.Fatalf("seed %d: %d values at the limit; loss %g, want %g", seed, capped, got.Loss, want)
		}
		for i, p := range n.Params() {
			worst, scale := 0.0, 0.0
			for k, v := range ref.grads[i] {
				worst = max(worst, math.Abs(float64(grads.data[i][k])-v))
				scale = max(scale, math.Abs(v))
			}
			if worst > 1e-4*scale+1e-7 {
				t.Errorf("seed %d: %s: largest difference %.2g at gradients up to %.2g", seed, p.Name, worst, scale)
			}
		}
	}
}

// The predictor drops nothing, reads bytes, and passes the activations after each layer with
// weights.
func TestPredictor(t *testing.T) {
	for name, g := range graphs {
		t.Run(name, func(t *testing.T) {
			n, ref, _, _ := setup(t, g, 3)
			for _, s := range ref.keep {
				for i := range s {
					s[i] = 1
				}
			}
			rng := rand.New(rand.NewPCG(8, 8))
			pix := make([]byte, g.Input.Size())
			x := make([]float64, len(pix))
			for i := range pix {
				pix[i] = uint8(rng.Uint32())
				x[i] = float64(pix[i]) / 255
			}
			want := ref.loss(x, 1, false)
			seen := 0
			logit, err := n.NewPredictor().Logit(pix, func(layer int, values []float32) {
				if layer != seen {
					t.Errorf("layer %d observed as number %d", layer, seen)
				}
				seen++
			})
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := CrossEntropy(logit, 1); math.Abs(got-want) > 1e-5*(1+want) {
				t.Errorf("loss %g, want %g", got, want)
			}
			if seen != len(n.trained) {
				t.Errorf("%d layers observed, want %d", seen, len(n.trained))
			}
		})
	}
	n, _, _, _ := setup(t, graphs["odd channels"], 3)
	if _, err := n.NewPredictor().Logit(make([]byte, 3), nil); err == nil {
		t.Error("an image of 3 bytes was accepted")
	}
}

func TestFromParamsRefuses(t *testing.T) {
	n, _, _, _ := setup(t, graphs["odd channels"], 1)
	for name, spoil := range map[string]func(p []Param) []Param{
		"a tensor missing": func(p []Param) []Param { return p[1:] },
		"another name":     func(p []Param) []Param { p[0].Name = "x/w"; return p },
		"another shape":    func(p []Param) []Param { p[0].Shape = []int{1}; return p },
		"short data":       func(p []Param) []Param { p[0].Data = p[0].Data[1:]; return p },
		"not a number":     func(p []Param) []Param { p[0].Data = []float32{float32(math.NaN()), 44: 0}; return p },
	} {
		if _, err := FromParams(graphs["odd channels"], spoil(n.Params())); !errors.Is(err, ErrParams) {
			t.Errorf("%s: error %v, want ErrParams", name, err)
		}
	}
	if _, err := FromParams(graphs["odd channels"], n.Params()); err != nil {
		t.Errorf("its own parameters: %v", err)
	}
}

// He's limit for the second layer is sqrt(6 / (9*128)). The weights fill the interval evenly.
func TestHeUniform(t *testing.T) {
	n, err := New(graph.Thesis(), rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	limit := math.Sqrt(6.0 / (9 * 128))
	lo, hi, sq := 0.0, 0.0, 0.0
	w := n.Params()[2].Data
	for _, v := range w {
		lo, hi, sq = min(lo, float64(v)), max(hi, float64(v)), sq+float64(v)*float64(v)
	}
	if lo < -limit || hi > limit || hi < 0.999*limit || lo > -0.999*limit {
		t.Errorf("weights from %g to %g, want the interval +-%g", lo, hi, limit)
	}
	if sd, want := math.Sqrt(sq/float64(len(w))), limit/math.Sqrt(3); math.Abs(sd-want) > 0.01*want {
		t.Errorf("deviation %g, want %g", sd, want)
	}
}

// A new network ignores the brightness of a flat image.
func TestFirstFiltersHaveNoMean(t *testing.T) {
	n, err := New(graph.Thesis(), rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	p, pix := n.NewPredictor(), make([]byte, n.InputSize())
	for i := range pix {
		pix[i] = 200
	}
	if logit, err := p.Logit(pix, nil); err != nil || math.Abs(logit) > 1e-6 {
		t.Errorf("logit %g, error %v, want 0", logit, err)
	}
}

// A step allocates no memory: arithmetic limits the speed of training, not the garbage collector.
func TestStepAllocatesNothing(t *testing.T) {
	for _, name := range []string{"small thesis", "small mobile", "global mean"} {
		n, _, _, cut := setup(t, graphs[name], 1)
		w, grads, rng := n.NewWorker(), n.NewGradients(), dropoutRNG(1)
		if got := testing.AllocsPerRun(5, func() { w.Step(cut, 1, rng, grads) }); got > 0 {
			t.Errorf("%s: %g allocations per step", name, got)
		}
	}
}

func BenchmarkThesisStep(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	n, err := New(graph.Thesis(), rng)
	if err != nil {
		b.Fatal(err)
	}
	x := make([]float32, n.LiveInput().Size())
	for i := range x {
		x[i] = rng.Float32()
	}
	w, grads := n.NewWorker(), n.NewGradients()
	for b.Loop() {
		w.Step(x, 1, rng, grads)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "images/s")
}

func BenchmarkThesisForward(b *testing.B) {
	n, err := New(graph.Thesis(), rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		b.Fatal(err)
	}
	p, pix := n.NewPredictor(), make([]byte, n.InputSize())
	for b.Loop() {
		if _, err := p.Logit(pix, nil); err != nil {
			b.Fatal(err)
		}
	}
}
