package infer_test

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
	"tirewatch/vision/kernel"
)

// randomModel fills a graph with weights of every size and with scales that spread the activations
// over their range.
func randomModel(g *graph.Graph, rng *rand.Rand) *infer.Model {
	steps, err := g.Plan()
	if err != nil {
		panic(err)
	}
	m := &infer.Model{Graph: *g, LogitScale: 1e-4}
	for i, s := range steps {
		if !s.HasWeights() {
			continue
		}
		per := s.Weights() / s.Filters
		l := infer.Layer{Name: s.Name, W: make([]byte, s.Weights()), Bias: make([]int32, s.Filters)}
		for k := range l.W {
			l.W[k] = byte(int8(rng.IntN(255) - 127))
		}
		for c := range l.Bias {
			l.Bias[c] = int32(rng.IntN(20001) - 10000)
		}
		if i < len(steps)-1 && steps[i+1].Kind != graph.TopMean {
			for range s.Filters {
				l.Mult = append(l.Mult, float32((0.5+rng.Float64())/(60*math.Sqrt(float64(per)))))
			}
		}
		m.Layers = append(m.Layers, l)
	}
	return m
}

func randomImage(n int, rng *rand.Rand) []byte {
	pix := make([]byte, n)
	for i := range pix {
		pix[i] = byte(rng.Uint32() >> 24)
	}
	return pix
}

// model is an independent implementation of the integer law. It computes each layer in full, one
// after the other, without live regions and without fusing, with exact sums and products in
// arbitrary precision. It also computes the shapes in its own way.
func model(m *infer.Model, pix []byte) int64 {
	x, shape := make([]int64, len(pix)), m.Graph.Input
	for i, v := range pix {
		x[i] = int64(v)
	}
	trained := 0
	for i, l := range m.Graph.Layers {
		switch l.Kind {
		case graph.Conv2D:
			w := &m.Layers[trained]
			trained++
			x, shape = slide(x, shape, l, l.Filters, func(c int, at func(ky, kx, ic int) (int64, bool)) int64 {
				sum := int64(w.Bias[c])
				for ky := range l.Kernel {
					for kx := range l.Kernel {
						for ic := range shape.C {
							v, _ := at(ky, kx, ic)
							sum += v * int64(int8(w.W[((c*l.Kernel+ky)*l.Kernel+kx)*shape.C+ic]))
						}
					}
				}
				if len(w.Mult) == 0 {
					return sum // a score
				}
				return requantize(sum, w.Mult[c])
			})
		case graph.MaxPool2D:
			x, shape = slide(x, shape, l, shape.C, func(c int, at func(ky, kx, ic int) (int64, bool)) int64 {
				best := int64(-1)
				for ky := range l.Kernel {
					for kx := range l.Kernel {
						if v, ok := at(ky, kx, c); ok {
							best = max(best, v)
						}
					}
				}
				return best
			})
		case graph.Depthwise2D:
			w := &m.Layers[trained]
			trained++
			x, shape = slide(x, shape, l, l.Filters, func(c int, at func(ky, kx, ic int) (int64, bool)) int64 {
				sum := int64(w.Bias[c])
				for ky := range l.Kernel {
					for kx := range l.Kernel {
						v, _ := at(ky, kx, c)
						sum += v * int64(int8(w.W[(c*l.Kernel+ky)*l.Kernel+kx]))
					}
				}
				return requantize(sum, w.Mult[c])
			})
		case graph.MeanPool:
			x, shape = mean(x, shape, l)
		case graph.TopMean:
			slices.Sort(x)
			sum := int64(0)
			for _, score := range x[len(x)-l.Top:] {
				sum += score
			}
			return sum
		case graph.Flatten:
			shape = graph.Shape{H: 1, W: 1, C: len(x)}
		case graph.Dense:
			w := &m.Layers[trained]
			trained++
			out := make([]int64, l.Filters)
			for u := range out {
				out[u] = int64(w.Bias[u])
				for k, v := range x {
					out[u] += v * int64(int8(w.W[u*len(x)+k]))
				}
				if i < len(m.Graph.Layers)-1 {
					out[u] = requantize(out[u], w.Mult[u])
				}
			}
			x, shape = out, graph.Shape{H: 1, W: 1, C: l.Filters}
		}
	}
	return x[0]
}

// mean computes a MeanPool, of windows or of the whole map.
func mean(x []int64, in graph.Shape, l graph.Layer) ([]int64, graph.Shape) {
	if l.Kernel > 0 {
		n := float32(l.Kernel * l.Kernel)
		return slide(x, in, l, in.C, func(c int, at func(ky, kx, ic int) (int64, bool)) int64 {
			sum := int64(0)
			for ky := range l.Kernel {
				for kx := range l.Kernel {
					v, _ := at(ky, kx, c)
					sum += v
				}
			}
			return requantize(sum, 1/n)
		})
	}
	out := make([]int64, in.C)
	for i, v := range x {
		out[i%in.C] += v
	}
	for c := range out {
		out[c] = requantize(out[c], 1/float32(in.H*in.W))
	}
	return out, graph.Shape{H: 1, W: 1, C: in.C}
}

// slide calls f for every output of a window layer. at returns the input under tap (ky, kx), and
// whether there is one.
func slide(x []int64, in graph.Shape, l graph.Layer, channels int,
	f func(c int, at func(ky, kx, ic int) (int64, bool)) int64) ([]int64, graph.Shape) {
	axis := func(n int) (out, before int) {
		if l.Padding == graph.Valid {
			for out*l.Stride+l.Kernel <= n {
				out++
			}
			return out, 0
		}
		if l.Padding == graph.Explicit {
			for out*l.Stride+l.Kernel <= n+2*l.Pad {
				out++
			}
			return out, l.Pad
		}
		for out*l.Stride < n {
			out++
		}
		return out, max(0, l.Kernel+l.Stride*(out-1)-n) / 2
	}
	h, top := axis(in.H)
	w, left := axis(in.W)
	var out []int64
	for oy := range h {
		for ox := range w {
			for c := range channels {
				out = append(out, f(c, func(ky, kx, ic int) (int64, bool) {
					y, x0 := oy*l.Stride+ky-top, ox*l.Stride+kx-left
					if y < 0 || y >= in.H || x0 < 0 || x0 >= in.W {
						return 0, false
					}
					return x[(y*in.W+x0)*in.C+ic], true
				}))
			}
		}
	}
	return out, graph.Shape{H: h, W: w, C: channels}
}

// requantize multiplies in arbitrary precision, rounded to 24 bits where the integer law has a
// float32.
func requantize(sum int64, mult float32) int64 {
	round := func() *big.Float { return new(big.Float).SetPrec(24).SetMode(big.ToNearestEven) }
	v, _ := round().Mul(round().SetInt64(sum), round().SetFloat64(float64(mult))).Float64()
	return int64(math.RoundToEven(min(max(v, 0), 255)))
}

// randomGraph returns a random sequential network: convolutions, pools and dropout in any order,
// with every padding, then dense layers or the mean of the highest scores.
func randomGraph(rng *rand.Rand) *graph.Graph {
	for {
		g := &graph.Graph{Input: graph.Shape{H: 3 + rng.IntN(28), W: 3 + rng.IntN(28), C: 1 + rng.IntN(2)}}
		add := func(l graph.Layer) {
			l.Name = fmt.Sprintf("%s%d", l.Kind, len(g.Layers))
			g.Layers = append(g.Layers, l)
		}
		channels := g.Input.C
		for range rng.IntN(6) {
			l := randomLayer(rng, channels)
			add(l)
			if l.Kind == graph.Conv2D {
				channels = l.Filters
			}
		}
		if rng.IntN(3) == 0 {
			add(graph.Layer{Kind: graph.Conv2D, Filters: 1, Kernel: 1 + rng.IntN(2), Stride: 1,
				Padding: graph.Valid, Activation: graph.Linear})
			add(graph.Layer{Kind: graph.TopMean, Top: 1 + rng.IntN(20), Activation: graph.Sigmoid})
		} else {
			if rng.IntN(4) == 0 {
				add(graph.Layer{Kind: graph.MeanPool})
			}
			add(graph.Layer{Kind: graph.Flatten})
			for range rng.IntN(3) {
				add(graph.Layer{Kind: graph.Dense, Filters: 1 + rng.IntN(12), Activation: relu(rng)})
			}
			add(graph.Layer{Kind: graph.Dense, Filters: 1, Activation: graph.Sigmoid})
		}
		if _, err := g.Plan(); err == nil {
			return g
		}
	}
}

func relu(rng *rand.Rand) graph.Activation {
	return []graph.Activation{graph.ReLU, graph.ReLU6}[rng.IntN(2)]
}

// randomLayer returns a layer that reads rows and columns of so many channels.
func randomLayer(rng *rand.Rand, channels int) graph.Layer {
	l := graph.Layer{Kernel: 1 + rng.IntN(4), Stride: 1 + rng.IntN(3)}
	l.Padding = []graph.Padding{graph.Valid, graph.Same, graph.Explicit}[rng.IntN(3)]
	if l.Padding == graph.Explicit {
		l.Kernel = max(l.Kernel, 2)
		l.Pad = 1 + rng.IntN(l.Kernel-1)
	}
	switch rng.IntN(8) {
	case 0, 1:
		l.Kind, l.Filters, l.Activation = graph.Conv2D, 1+rng.IntN(10), relu(rng)
	case 2, 3:
		l.Kind = graph.MaxPool2D
	case 4, 5:
		l.Kind, l.Filters, l.Activation = graph.Depthwise2D, channels, relu(rng)
	case 6:
		l = graph.Layer{Kind: graph.MeanPool, Kernel: 1 + rng.IntN(3), Stride: 1 + rng.IntN(3), Padding: graph.Valid}
	default:
		l = graph.Layer{Kind: graph.Dropout, Rate: 0.5}
	}
	return l
}

// On any network, the sums are the same with live regions only and with pooling before
// requantising.
func TestRunnerEqualsFullComputation(t *testing.T) {
	seeds := uint64(1500)
	if testing.Short() {
		seeds = 150
	}
	distinct := make(map[int32]bool)
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 1))
		g := randomGraph(rng)
		m := randomModel(g, rng)
		images := [][]byte{randomImage(g.Input.Size(), rng), randomImage(g.Input.Size(), rng)}
		want := []int64{model(m, images[0]), model(m, images[1])}
		for _, b := range kernel.Bodies() {
			t.Setenv(kernel.Env, b.Name())
			r, err := infer.NewRunner(m)
			if err != nil {
				t.Fatalf("seed %d: %v\n%v", seed, err, g)
			}
			for i, pix := range images {
				got, err := r.Run(pix)
				if err != nil {
					t.Fatal(err)
				}
				if int64(got) != want[i] {
					t.Fatalf("seed %d, %s: sum %d, want %d\n%v", seed, b.Name(), got, want[i], g)
				}
				distinct[got] = true
			}
		}
	}
	if len(distinct) < int(seeds) {
		t.Errorf("%d networks have only %d different sums: the test is too weak", seeds, len(distinct))
	}
}

// thesisModel is a thesis network with fixed weights.
func thesisModel(t testing.TB) (*infer.Model, [][]byte) {
	t.Helper()
	rng := rand.New(rand.NewPCG(2024, 5))
	m := randomModel(graph.Thesis(), rng)
	var images [][]byte
	for range 3 {
		images = append(images, randomImage(m.Graph.Input.Size(), rng))
	}
	return m, images
}

// These sums are the same on every CPU and with every kernel, to the last bit.
func TestThesisGolden(t *testing.T) {
	eachKernel(t, checkGolden)
}

func checkGolden(t *testing.T) {
	m, images := thesisModel(t)
	r, err := infer.NewRunner(m)
	if err != nil {
		t.Fatal(err)
	}
	want := []int32{-36323, -34221, -31774}
	for i, pix := range images {
		got, err := r.Run(pix)
		if err != nil {
			t.Fatal(err)
		}
		if got != want[i] {
			t.Errorf("image %d: sum %d, want %d (kernel %s)", i, got, want[i], r.Kernel())
		}
	}
}

func TestThesisEqualsFullComputation(t *testing.T) {
	if testing.Short() {
		t.Skip("the full computation takes seconds")
	}
	m, images := thesisModel(t)
	r, err := infer.NewRunner(m)
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Run(images[0])
	if err != nil {
		t.Fatal(err)
	}
	if want := model(m, images[0]); int64(got) != want {
		t.Errorf("sum %d, want %d", got, want)
	}
}

func TestRunAllocatesNothing(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		m, images := thesisModel(t)
		for _, threads := range []int{1, 2} {
			r, err := infer.NewRunner(m, infer.Threads(threads))
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if n := testing.AllocsPerRun(2, func() {
				if _, err := r.Run(images[0]); err != nil {
					t.Fatal(err)
				}
			}); n > 0 {
				t.Errorf("%g allocations per run with %d threads", n, threads)
			}
		}
	})
}

// mobileModel is the mobile network with a score for each position, for images of 224 px.
func mobileModel(t testing.TB) (*infer.Model, []byte) {
	t.Helper()
	rng := rand.New(rand.NewPCG(2026, 7))
	m := randomModel(graph.Mobile(224, 9), rng)
	return m, randomImage(m.Graph.Input.Size(), rng)
}

// The mobile network has the same sum with every kernel and any number of goroutines.
func TestMobileGolden(t *testing.T) {
	m, pix := mobileModel(t)
	eachKernel(t, func(t *testing.T) {
		for _, threads := range []int{1, 2, 3} {
			r, err := infer.NewRunner(m, infer.Threads(threads))
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			got, err := r.Run(pix)
			if err != nil {
				t.Fatal(err)
			}
			if want := int32(-373014); got != want {
				t.Errorf("%d threads: sum %d, want %d (kernel %s)", threads, got, want, r.Kernel())
			}
			if n := testing.AllocsPerRun(4, func() { // the mean: Go allocates when a goroutine first sleeps
				if _, err := r.Run(pix); err != nil {
					t.Fatal(err)
				}
			}); n > 0 {
				t.Errorf("%g allocations per run with %d threads", n, threads)
			}
			t.Logf("%d threads: %d KiB", threads, r.Scratch()>>10)
		}
	})
}

// A mean adds rows as they are computed: the map of 224 x 224 x 8 that it reads is never kept.
func TestMeanKeepsNoMap(t *testing.T) {
	g := &graph.Graph{Input: graph.Shape{H: 224, W: 224, C: 1}, Layers: []graph.Layer{
		{Kind: graph.Conv2D, Name: "conv", Filters: 8, Kernel: 3, Stride: 1, Padding: graph.Same, Activation: graph.ReLU6},
		{Kind: graph.MeanPool, Name: "mean"},
		{Kind: graph.Flatten, Name: "flat"},
		{Kind: graph.Dense, Name: "logit", Filters: 1, Activation: graph.Sigmoid},
	}}
	m, rng := randomModel(g, rand.New(rand.NewPCG(2026, 9))), rand.New(rand.NewPCG(2026, 10))
	pix := randomImage(g.Input.Size(), rng)
	eachKernel(t, func(t *testing.T) {
		r, err := infer.NewRunner(m)
		if err != nil {
			t.Fatal(err)
		}
		if n := r.Scratch(); n > 100<<10 {
			t.Errorf("%d KiB, want at most 100", n>>10)
		}
		got, err := r.Run(pix)
		if err != nil {
			t.Fatal(err)
		}
		if want := model(m, pix); int64(got) != want {
			t.Errorf("sum %d, want %d", got, want)
		}
	})
}

func TestMobileEqualsFullComputation(t *testing.T) {
	if testing.Short() {
		t.Skip("the full computation takes seconds")
	}
	rng := rand.New(rand.NewPCG(2026, 8))
	m := randomModel(graph.Mobile(96, 9), rng)
	pix := randomImage(m.Graph.Input.Size(), rng)
	r, err := infer.NewRunner(m)
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Run(pix)
	if err != nil {
		t.Fatal(err)
	}
	if want := model(m, pix); int64(got) != want {
		t.Errorf("sum %d, want %d", got, want)
	}
}

// The memory of a run fits the second-level cache of a station.
func TestScratchFitsTheCache(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		m, _ := thesisModel(t)
		r, err := infer.NewRunner(m)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d KiB", r.Scratch()>>10)
		if got := r.Scratch(); got > 512<<10 {
			t.Errorf("%d KiB of scratch memory, want at most 512", got>>10)
		}
	})
}

// A Runner does not use its model after NewRunner.
func TestRunnerIsIndependentOfTheModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	m := randomModel(randomGraph(rng), rng)
	r, err := infer.NewRunner(m)
	if err != nil {
		t.Fatal(err)
	}
	pix := randomImage(m.Graph.Input.Size(), rng)
	want, _ := r.Run(pix)
	for i := range m.Layers {
		clear(m.Layers[i].W)
		clear(m.Layers[i].Bias)
		clear(m.Layers[i].Mult)
	}
	if got, _ := r.Run(pix); got != want {
		t.Errorf("sum %d after the model was cleared, %d before", got, want)
	}
}

// late is a convolution that a test puts where it cannot be computed.
var late = graph.Layer{Kind: graph.Conv2D, Name: "late", Filters: 2, Kernel: 1, Stride: 1, Padding: graph.Valid,
	Activation: graph.ReLU}

func TestRefuses(t *testing.T) {
	m, images := thesisModel(t)
	r, err := infer.NewRunner(m)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Run(images[0][1:]); err == nil {
		t.Error("a short image was accepted")
	}
	if _, err := infer.NewRunner(m, infer.Threads(0)); err == nil {
		t.Error("a runner without a goroutine was made")
	}
	t.Setenv(kernel.Env, "mmx")
	if _, err := infer.NewRunner(m); !errors.Is(err, kernel.ErrNoBody) {
		t.Errorf("with a kernel that does not exist: %v", err)
	}
	t.Setenv(kernel.Env, "")
	for name, spoil := range map[string]func(*infer.Model){
		"weights missing":      func(m *infer.Model) { m.Layers = m.Layers[:6] },
		"weights too many":     func(m *infer.Model) { m.Layers = append(m.Layers, m.Layers[0]) },
		"weights short":        func(m *infer.Model) { m.Layers[1].W = m.Layers[1].W[1:] },
		"weights swapped":      func(m *infer.Model) { m.Layers[0], m.Layers[1] = m.Layers[1], m.Layers[0] },
		"weight -128":          func(m *infer.Model) { m.Layers[2].W[5] = 0x80 },
		"bias short":           func(m *infer.Model) { m.Layers[1].Bias = m.Layers[1].Bias[1:] },
		"bias overflows":       func(m *infer.Model) { m.Layers[1].Bias[0] = math.MaxInt32 },
		"smallest bias":        func(m *infer.Model) { m.Layers[1].Bias[0] = math.MinInt32 },
		"scale 0":              func(m *infer.Model) { m.Layers[0].Mult[3] = 0 },
		"scale negative":       func(m *infer.Model) { m.Layers[0].Mult[3] = -1 },
		"scale NaN":            func(m *infer.Model) { m.Layers[0].Mult[3] = float32(math.NaN()) },
		"scale infinite":       func(m *infer.Model) { m.Layers[0].Mult[3] = float32(math.Inf(1)) },
		"last layer scaled":    func(m *infer.Model) { m.Layers[6].Mult = []float32{1} },
		"logit scale 0":        func(m *infer.Model) { m.LogitScale = 0 },
		"logit scale infinite": func(m *infer.Model) { m.LogitScale = math.Inf(1) },
		"linear inside":        func(m *infer.Model) { m.Graph.Layers[0].Activation = graph.Linear },
		"a window over flattened rows": func(m *infer.Model) {
			g := m.Graph
			g.Layers = append(slices.Clone(g.Layers[:6]), graph.Layer{Kind: graph.Flatten, Name: "flatten"}, late, g.Layers[13])
			*m = *randomModel(&g, rand.New(rand.NewPCG(1, 1)))
		},
		"a window after a dense layer": func(m *infer.Model) {
			g := m.Graph
			g.Layers = append(slices.Clone(g.Layers[:10]), late, g.Layers[13])
			*m = *randomModel(&g, rand.New(rand.NewPCG(1, 1)))
		},
		"a mean of too many values": func(m *infer.Model) {
			*m = *randomModel(&graph.Graph{Input: graph.Shape{H: 4096, W: 2049, C: 1}, Layers: []graph.Layer{
				{Kind: graph.MeanPool, Name: "mean"},
				{Kind: graph.Dense, Name: "dense", Filters: 1, Activation: graph.Sigmoid},
			}}, rand.New(rand.NewPCG(1, 1)))
		},
		"the highest scores overflow": func(m *infer.Model) {
			*m = *randomModel(graph.Mobile(64, 7), rand.New(rand.NewPCG(1, 1)))
			m.Layers[len(m.Layers)-1].Bias[0] = math.MaxInt32 / 2
			m.Graph.Layers[len(m.Graph.Layers)-1].Top = 3
		},
		"more memory than a station has": func(m *infer.Model) {
			*m = *randomModel(&graph.Graph{Input: graph.Shape{H: 4096, W: 4096, C: 1}, Layers: []graph.Layer{
				{Kind: graph.Conv2D, Name: "conv", Filters: 4, Kernel: 1, Stride: 1, Padding: graph.Valid,
					Activation: graph.ReLU},
				{Kind: graph.MaxPool2D, Name: "pool1", Kernel: 64, Stride: 1, Padding: graph.Same},
				{Kind: graph.MaxPool2D, Name: "pool2", Kernel: 64, Stride: 1, Padding: graph.Same},
				{Kind: graph.MaxPool2D, Name: "pool3", Kernel: 64, Stride: 1, Padding: graph.Same},
				{Kind: graph.MaxPool2D, Name: "pool4", Kernel: 64, Stride: 1, Padding: graph.Same},
				{Kind: graph.MaxPool2D, Name: "pool5", Kernel: 64, Stride: 64, Padding: graph.Same},
				{Kind: graph.MaxPool2D, Name: "pool6", Kernel: 2, Stride: 2, Padding: graph.Same},
				{Kind: graph.Flatten, Name: "flatten"},
				{Kind: graph.Dense, Name: "dense", Filters: 1, Activation: graph.Sigmoid},
			}}, rand.New(rand.NewPCG(1, 1)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, _ := thesisModel(t)
			spoil(m)
			if _, err := infer.NewRunner(m); !errors.Is(err, infer.ErrModel) {
				t.Errorf("error %v, want ErrModel", err)
			}
		})
	}
}

func BenchmarkThesis(b *testing.B) {
	m, images := thesisModel(b)
	benchmark(b, m, images[0])
}

func BenchmarkMobile(b *testing.B) {
	m, pix := mobileModel(b)
	benchmark(b, m, pix)
}

func benchmark(b *testing.B, m *infer.Model, pix []byte) {
	for _, body := range kernel.Bodies() {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/threads=%d", body.Name(), threads), func(b *testing.B) {
				b.Setenv(kernel.Env, body.Name())
				r, err := infer.NewRunner(m, infer.Threads(threads))
				if err != nil {
					b.Fatal(err)
				}
				defer r.Close()
				fastest := time.Hour // the mean would depend on other work on the machine
				for b.Loop() {
					began := time.Now()
					if _, err := r.Run(pix); err != nil {
						b.Fatal(err)
					}
					fastest = min(fastest, time.Since(began))
				}
				b.ReportMetric(float64(fastest.Nanoseconds()), "min-ns/op")
			})
		}
	}
}
