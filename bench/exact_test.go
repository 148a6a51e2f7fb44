package main

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"

	ort "github.com/yalue/onnxruntime_go"
	"golang.org/x/sys/cpu"

	"tirewatch/quantize/onnx"
	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
	"tirewatch/vision/kernel"
)

// runners makes a runner for every kernel that this CPU has, and one with two threads.
func runners(t *testing.T, m *infer.Model) map[string]*infer.Runner {
	t.Helper()
	rs := map[string]*infer.Runner{}
	add := func(name string, opts ...infer.Option) {
		r, err := infer.NewRunner(m, opts...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.Close)
		rs[name] = r
	}
	for _, b := range kernel.Bodies() {
		t.Setenv(kernel.Env, b.Name())
		add(b.Name())
	}
	t.Setenv(kernel.Env, "")
	add("two threads", infer.Threads(2))
	return rs
}

// saturates reports whether ONNX Runtime deviates from ONNX on this CPU. Without VNNI, its x86
// kernels multiply with VPMADDUBSW, which adds two products of a byte and a weight in 16 bits and
// saturates: 255*127 + 255*127 becomes 32767 and not 64770. Weights up to 64 cannot reach that, so
// they are exact. Source: "Quantize ONNX models" in ONNX Runtime's documentation, on reduce_range.
var saturates = runtime.GOARCH == "amd64" && !cpu.X86.HasAVX512VNNI && !cpu.X86.HasAVXVNNI

// The largest weights of a model, in absolute value.
const (
	allBits   = 127
	sevenBits = 64
)

// peer is an exported model in ONNX Runtime that also outputs some inner values.
type peer struct {
	session *ort.DynamicAdvancedSession
	input   graph.Shape
	outputs []string
}

// requireORT starts ONNX Runtime, or skips the test when the path of its library is not set.
func requireORT(t *testing.T) {
	t.Helper()
	if os.Getenv(ortEnv) == "" {
		t.Skipf("%s is not set: make test-peers installs ONNX Runtime", ortEnv)
	}
	if err := startORT(); err != nil {
		t.Fatal(err)
	}
}

func newPeer(t *testing.T, m *infer.Model, outputs ...onnx.Value) *peer {
	t.Helper()
	return newPeerOf(t, onnx.Int8, m, outputs...)
}

// newPeerOf opens one form of a model.
func newPeerOf(t *testing.T, form func(*infer.Model) (*onnx.Model, error), m *infer.Model, outputs ...onnx.Value) *peer {
	t.Helper()
	requireORT(t)
	e, err := form(m)
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{input: m.Graph.Input, outputs: []string{onnx.Logit}}
	for _, o := range outputs {
		e.Outputs = append(e.Outputs, o)
		p.outputs = append(p.outputs, o.Name)
	}
	options, err := sessionOptions(1)
	if err != nil {
		t.Fatal(err)
	}
	defer options.Destroy()
	if p.session, err = ort.NewDynamicAdvancedSessionWithONNXData(e.Encode(), []string{onnx.Image}, p.outputs, options); err != nil {
		t.Fatalf("%v\n%v", err, &m.Graph)
	}
	t.Cleanup(func() { p.session.Destroy() })
	return p
}

// run returns the logit, then the bytes of the other outputs in ONNX's order (C, H, W).
func (p *peer) run(t *testing.T, pix []byte) (logit float32, others [][]uint8) {
	t.Helper()
	s := p.input
	x, err := ort.NewTensor(ort.NewShape(1, int64(s.C), int64(s.H), int64(s.W)), channelsFirst(pix, s))
	if err != nil {
		t.Fatal(err)
	}
	defer x.Destroy()
	out := make([]ort.Value, len(p.outputs))
	if err := p.session.Run([]ort.Value{x}, out); err != nil {
		t.Fatal(err)
	}
	for i, o := range out {
		if i == 0 {
			logit = o.(*ort.Tensor[float32]).GetData()[0]
		} else if bytes, ok := o.(*ort.Tensor[uint8]); ok {
			others = append(others, append([]uint8(nil), bytes.GetData()...))
		}
		o.Destroy()
	}
	return logit, others
}

// channelsFirst converts (H, W, C) to (C, H, W).
func channelsFirst(x []uint8, s graph.Shape) []uint8 {
	out := make([]uint8, 0, len(x))
	for c := range s.C {
		for i := range s.H * s.W {
			out = append(out, x[i*s.C+c])
		}
	}
	return out
}

// randomModel fills a graph with weights of every size up to the largest, and multipliers that
// spread the activations over their range. The logit is the sum itself, which float32 holds exactly
// up to 2^24.
func randomModel(g *graph.Graph, largest int, rng *rand.Rand) *infer.Model {
	steps, err := g.Plan()
	if err != nil {
		panic(err)
	}
	m := &infer.Model{Graph: *g, LogitScale: 1}
	for i, s := range steps {
		if !s.HasWeights() {
			continue
		}
		l := infer.Layer{Name: s.Name, W: make([]byte, s.Weights()), Bias: make([]int32, s.Filters)}
		for k := range l.W {
			l.W[k] = byte(int8(rng.IntN(2*largest+1) - largest))
		}
		for c := range l.Bias {
			l.Bias[c] = int32(rng.IntN(20001) - 10000)
			if i < len(steps)-1 && steps[i+1].Kind != graph.TopMean {
				l.Mult = append(l.Mult, float32((0.5+rng.Float64())/(0.5*float64(largest)*math.Sqrt(float64(s.Weights()/s.Filters)))))
			}
		}
		m.Layers = append(m.Layers, l)
	}
	return m
}

// theirSum returns ONNX Runtime's sum from a logit with scale 1.
func theirSum(t *testing.T, logit float32) int32 {
	t.Helper()
	if math.Abs(float64(logit)) >= 1<<24 {
		t.Fatalf("the sum %g is too large for float32", logit)
	}
	return int32(logit)
}

// drawn are the pictures of tires, drawn once.
var drawn = sync.OnceValue(func() [][]byte {
	n := 30
	if testing.Short() { // for example under an emulator
		n = 4
	}
	out := make([][]byte, n)
	for i := range out {
		out[i] = drawnPixels(i)
	}
	return out
})

// images returns drawn tires, the same number of noise images, and the extremes.
func images(rng *rand.Rand) [][]byte {
	size := graph.Thesis().Input.Size()
	black, white, noise := make([]byte, size), make([]byte, size), func() []byte {
		pix := make([]byte, size)
		for i := range pix {
			pix[i] = byte(rng.Uint32())
		}
		return pix
	}
	for i := range white {
		white[i] = 255
	}
	out := [][]byte{black, white}
	for _, pix := range drawn() {
		out = append(out, pix, noise())
	}
	return out
}

// thesisModels are thesis networks: one from the quantizer, one whose weights use their full range,
// one with smaller weights.
var thesisModels = sync.OnceValue(func() map[string]*infer.Model {
	c, err := randomCheckpoint()
	if err != nil {
		panic(err)
	}
	b, err := quantized(c)
	if err != nil {
		panic(err)
	}
	b.Model.LogitScale = 1
	return map[string]*infer.Model{
		"quantized":  &b.Model,
		"random":     randomModel(graph.Thesis(), allBits, rand.New(rand.NewPCG(seed, 2))),
		sevenBitName: randomModel(graph.Thesis(), sevenBits, rand.New(rand.NewPCG(seed, 2))),
	}
})

const sevenBitName = "random, weights of 7 bits"

// Every kernel's sum of the thesis network equals ONNX Runtime's exactly.
func TestThesisEqualsONNXRuntime(t *testing.T) {
	for name, m := range thesisModels() {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, m)
			rs := runners(t, m)
			distinct, furthest := map[int32]bool{}, 0.0
			all := images(rand.New(rand.NewPCG(seed, 3)))
			for i, pix := range all {
				logit, _ := p.run(t, pix)
				want := theirSum(t, logit)
				distinct[want] = true
				for body, r := range rs {
					got, err := r.Run(pix)
					if err != nil {
						t.Fatal(err)
					}
					if saturates && name != sevenBitName {
						furthest = max(furthest, math.Abs(float64(got)-float64(want))/math.Abs(float64(got)))
					} else if got != want {
						t.Errorf("image %d, kernel %s: sum %d, ONNX Runtime %d", i, body, got, want)
					}
				}
			}
			if furthest > 0 {
				t.Logf("ONNX Runtime saturates on this CPU: its sums differ by up to %.0f %%", 100*furthest)
			}
			if len(distinct) < len(all)*4/5 {
				t.Errorf("only %d different sums", len(distinct))
			}
			t.Logf("%d images, %d different sums; %v", len(all), len(distinct), slices.Sorted(maps.Keys(rs)))
		})
	}
}

// Every activation is equal too, here computed by the specification of the operators, on the full
// region of every layer.
func TestEveryActivationEqualsONNXRuntime(t *testing.T) {
	for name, m := range thesisModels() {
		t.Run(name, func(t *testing.T) {
			steps, err := m.Graph.Plan()
			if err != nil {
				t.Fatal(err)
			}
			var between []onnx.Value
			for _, s := range steps[:len(steps)-1] {
				if s.Kind != graph.Dropout {
					between = append(between, onnx.Value{Name: s.Name + "/out", Type: onnx.Uint8})
				}
			}
			if saturates && name != sevenBitName {
				t.Skip("ONNX Runtime saturates on this CPU")
			}
			p := newPeer(t, m, between...)
			rng := rand.New(rand.NewPCG(seed, 4))
			for i, pix := range images(rng)[2:4] {
				_, theirs := p.run(t, pix)
				compared := 0
				for k, ours := range activations(m, steps, pix) {
					if len(ours.v) != len(theirs[k]) {
						t.Fatalf("%s: %d values, ONNX Runtime has %d", ours.name, len(ours.v), len(theirs[k]))
					}
					for j, v := range channelsFirst(ours.v, ours.shape) {
						if v != theirs[k][j] {
							t.Fatalf("image %d, %s[%d]: %d, ONNX Runtime %d", i, ours.name, j, v, theirs[k][j])
						}
					}
					compared += len(ours.v)
				}
				t.Logf("image %d: %d activations of %d layers are equal", i, compared, len(theirs))
			}
		})
	}
}

type activation struct {
	name  string
	shape graph.Shape
	v     []uint8 // (H, W, C)
}

// activations computes the network layer by layer up to the sums of the last one, without fusing
// and without live regions.
func activations(m *infer.Model, steps []graph.Step, x []uint8) []activation {
	var out []activation
	layers := m.Layers
	for i, s := range steps[:len(steps)-1] {
		if steps[i+1].Kind == graph.TopMean {
			break // scores are sums
		}
		y := make([]uint8, s.Out.Size())
		in := kernel.Area{H: s.In.H, W: s.In.W, C: s.In.C, Row: s.In.W * s.In.C}
		w := kernel.Window{Kernel: s.Kernel, Stride: s.Stride, PadTop: s.PadTop, PadLeft: s.PadLeft, OutH: s.Out.H, OutW: s.Out.W}
		switch s.Kind {
		case graph.Dropout:
			continue
		case graph.Flatten:
			copy(y, x)
		case graph.MaxPool2D:
			kernel.MaxPool(y, x, in, w)
		case graph.MeanPool:
			kernel.MeanGeneric(y, x, meanOf(s, in), s.Out.H)
		case graph.Depthwise2D:
			l := layers[0]
			kernel.DepthwiseGeneric(y, x, kernel.DepthwiseShape{In: in, Conv: w}, l.Weights(), l.Bias, l.Mult)
			layers = layers[1:]
		case graph.Dense: // a convolution with the whole input as its window
			in = kernel.Area{H: 1, W: 1, C: s.In.C, Row: s.In.C}
			w = kernel.Window{Kernel: 1, Stride: 1, OutH: 1, OutW: 1}
			fallthrough
		case graph.Conv2D:
			l := layers[0]
			kernel.ConvGeneric(y, x, kernel.ConvShape{In: in, OutC: s.Filters, Conv: w}, l.Weights(), l.Bias, l.Mult)
			layers = layers[1:]
		}
		out = append(out, activation{s.Name, s.Out, y})
		x = y
	}
	return out
}

// The same for other networks: both paddings, odd windows and strides, several channels, and orders
// that flatten changes.
func TestRandomNetworksEqualONNXRuntime(t *testing.T) {
	networks := uint64(150)
	if testing.Short() {
		networks = 40
	}
	largest := allBits
	if saturates {
		largest = sevenBits
	}
	distinct := map[int32]bool{}
	for n := range networks {
		rng := rand.New(rand.NewPCG(n, 5))
		g := randomGraph(rng)
		m := randomModel(g, largest, rng)
		p := newPeer(t, m)
		rs := runners(t, m)
		for range 3 {
			pix := make([]byte, g.Input.Size())
			for i := range pix {
				pix[i] = byte(rng.Uint32())
			}
			logit, _ := p.run(t, pix)
			want := theirSum(t, logit)
			distinct[want] = true
			for body, r := range rs {
				if got, err := r.Run(pix); err != nil || got != want {
					t.Fatalf("network %d, kernel %s: sum %d, ONNX Runtime %d (%v)\n%v", n, body, got, want, err, g)
				}
			}
		}
	}
	if uint64(len(distinct)) < networks {
		t.Errorf("only %d different sums", len(distinct))
	}
}

// randomGraph draws convolutions and pools in any order, then a chain of dense layers.
func randomGraph(rng *rand.Rand) *graph.Graph {
	for {
		g := &graph.Graph{Input: graph.Shape{H: 3 + rng.IntN(28), W: 3 + rng.IntN(28), C: 1 + rng.IntN(2)}}
		add := func(l graph.Layer) {
			l.Name = fmt.Sprintf("%s%d", l.Kind, len(g.Layers))
			g.Layers = append(g.Layers, l)
		}
		padding := func() graph.Padding { return []graph.Padding{graph.Valid, graph.Same}[rng.IntN(2)] }
		for range 1 + rng.IntN(4) {
			if rng.IntN(2) == 0 {
				add(graph.Layer{Kind: graph.Conv2D, Filters: 1 + rng.IntN(20), Kernel: 1 + rng.IntN(4), Stride: 1 + rng.IntN(3),
					Padding: padding(), Activation: graph.ReLU})
			} else {
				add(graph.Layer{Kind: graph.MaxPool2D, Kernel: 1 + rng.IntN(3), Stride: 1 + rng.IntN(3), Padding: padding()})
			}
		}
		add(graph.Layer{Kind: graph.Flatten})
		for range rng.IntN(3) {
			add(graph.Layer{Kind: graph.Dense, Filters: 1 + rng.IntN(20), Activation: graph.ReLU})
		}
		add(graph.Layer{Kind: graph.Dense, Filters: 1, Activation: graph.Sigmoid})
		if _, err := g.Plan(); err == nil {
			return g
		}
	}
}

// With the bundle's own logit scale, the logit is the float32 product of the sum and the scale.
func TestLogitEqualsONNXRuntime(t *testing.T) {
	m := *thesisModels()[sevenBitName]
	m.LogitScale = 3.1e-5
	p := newPeer(t, &m)
	r, err := infer.NewRunner(&m)
	if err != nil {
		t.Fatal(err)
	}
	for i, pix := range drawn() {
		sum, err := r.Run(pix)
		if err != nil {
			t.Fatal(err)
		}
		got, want := float32(sum)*float32(m.LogitScale), float32(0)
		if want, _ = p.run(t, pix); got != want {
			t.Errorf("image %d: logit %g (%x), ONNX Runtime %g (%x)", i, got, bits(got), want, bits(want))
		}
	}
}

func bits(f float32) []byte { return binary.BigEndian.AppendUint32(nil, math.Float32bits(f)) }
