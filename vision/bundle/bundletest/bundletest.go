// Package bundletest makes small, valid bundles for tests: a few kilobytes, quick to sign and run.
// Start with [Small].
package bundletest

import (
	"crypto/ed25519"
	"math/rand/v2"
	"time"

	"tirewatch/vision/bundle"
	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
	"tirewatch/vision/preprocess"
	"tirewatch/vision/verdict"
)

// Graph returns a network with one layer of every kind, for images of 12 x 10 px.
func Graph() graph.Graph {
	return graph.Graph{Input: graph.Shape{H: 10, W: 12, C: 1}, Layers: []graph.Layer{
		{Kind: graph.Conv2D, Name: "conv1", Filters: 3, Kernel: 3, Stride: 2, Padding: graph.Valid,
			Activation: graph.ReLU},
		{Kind: graph.MaxPool2D, Name: "pool1", Kernel: 2, Stride: 2, Padding: graph.Valid},
		{Kind: graph.Flatten, Name: "flatten"},
		{Kind: graph.Dense, Name: "dense1", Filters: 5, Activation: graph.ReLU},
		{Kind: graph.Dropout, Name: "dropout1", Rate: 0.2},
		{Kind: graph.Dense, Name: "dense2", Filters: 1, Activation: graph.Sigmoid},
	}}
}

// Model fills a network with random weights, which depend on the seed only.
func Model(g graph.Graph, seed uint64) infer.Model {
	steps, err := g.Plan()
	if err != nil {
		panic(err)
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	m := infer.Model{Graph: g, LogitScale: 1e-5}
	for i, s := range steps {
		if !s.HasWeights() {
			continue
		}
		l := infer.Layer{Name: s.Name, W: make([]byte, s.Weights()), Bias: make([]int32, s.Filters)}
		for k := range l.W {
			l.W[k] = byte(int8(rng.IntN(255) - 127))
		}
		for c := range l.Bias {
			l.Bias[c] = int32(rng.IntN(4001) - 2000)
		}
		if i < len(steps)-1 && steps[i+1].Kind != graph.TopMean {
			for range s.Filters {
				l.Mult = append(l.Mult, float32(1/(200+100*rng.Float64())))
			}
		}
		m.Layers = append(m.Layers, l)
	}
	return m
}

// Small returns a valid bundle for every station. Its model and its golden sums depend on the
// serial, so that two serials have different models.
func Small(serial uint64) *bundle.Bundle { return Bundle(Graph(), serial) }

// Three is Small with two thresholds, so with three answers.
func Three(serial uint64, soundBelow, threshold float64) *bundle.Bundle {
	b := Small(serial)
	b.Threshold = threshold
	b.Heads = []bundle.Head{{Name: bundle.DefaultHead, Threshold: threshold, SoundBelow: soundBelow,
		Budgets: []bundle.Budget{{Side: bundle.Escape, Limit: 0.01}, {Side: bundle.FalseReject, Limit: 0.02}}}}
	return b
}

// Bundle is Small for any network.
func Bundle(g graph.Graph, serial uint64) *bundle.Bundle {
	b := &bundle.Bundle{
		Model:     Model(g, serial),
		Spec:      preprocess.Spec{Width: g.Input.W, Height: g.Input.H, Filter: preprocess.FilterTriangle},
		Classes:   []string{string(verdict.Normal), string(verdict.Crack)},
		Threshold: 0.5,
		Serial:    serial,
		Created:   time.Date(2024, 5, 17, 8, 30, 0, 0, time.UTC),
		Target:    "*",
		Provenance: bundle.Provenance{
			Tool: "bundletest", Checkpoint: "00", Data: "11", Calibration: 4,
		},
		Evaluation: bundle.Evaluation{
			HeldOut: true, TruePositive: 9, FalsePositive: 1, TrueNegative: 8, FalseNegative: 2,
		},
		Quantization: bundle.Quantization{
			Images: 20, FloatAccuracy: 0.9, Int8Accuracy: 0.85, Agreement: 0.95, LargestShift: 0.04,
			Layers: []bundle.LayerQuantization{
				{Name: "conv1", Range: 3.5, Saturated: 0.001}, {Name: "dense1", Range: 9},
			},
		},
	}
	r, err := infer.NewRunner(&b.Model)
	if err != nil {
		panic(err)
	}
	rng := rand.New(rand.NewPCG(serial, 1))
	for range bundle.MinGolden {
		g := bundle.Golden{Pix: make([]byte, b.Spec.Size())}
		for i := range g.Pix {
			g.Pix[i] = byte(rng.Uint32())
		}
		if g.Sum, err = r.Run(g.Pix); err != nil {
			panic(err)
		}
		b.Golden = append(b.Golden, g)
	}
	return b
}

// Key returns a signing key that depends on n only.
func Key(n byte) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = n
	return ed25519.NewKeyFromSeed(seed)
}

// Public returns the public key of Key(n), as a list of trusted keys.
func Public(n byte) []ed25519.PublicKey {
	return []ed25519.PublicKey{Key(n).Public().(ed25519.PublicKey)}
}
