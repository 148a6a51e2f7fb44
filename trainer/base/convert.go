package base

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/nn"
	"tirewatch/vision/graph"
	"tirewatch/vision/preprocess"
)

// Convert makes the checkpoint of the base from the two files of PoseNet: topology is posenet.json,
// weights is posenet.bin. The same files give the same checkpoint, to the bit. Errors wrap
// ErrModel.
func Convert(topology, weights []byte) (*checkpoint.Checkpoint, error) {
	m, err := readModel(topology, weights)
	if err != nil {
		return nil, err
	}
	// All blocks are checked, so that no other model with the same beginning is taken.
	whole := graph.Mobile(Size, graph.MobileBlocks)
	stages, err := m.chain(trunk(whole))
	if err != nil {
		return nil, err
	}
	g := graph.Mobile(Size, Blocks)
	var params []nn.Param
	for i, l := range trunk(g) {
		w, b := stages[i].parameters(l)
		if i == 0 {
			w, b = foldGrey(stages[i])
		}
		params = appendLayer(params, l.Name, w, b)
	}
	sum := sha256.Sum256(weights)
	c := &checkpoint.Checkpoint{
		Graph: *g, Spec: spec(Size), Params: appendScore(params, g), Threshold: 0.5,
		Config: checkpoint.Config{Imported: "TensorFlow.js model, SHA-256 of its weights " + hex.EncodeToString(sum[:])},
		Origin: origin, Licence: Notice,
	}
	if _, err := c.Net(); err != nil {
		return nil, fmt.Errorf("check the converted network: %w", err)
	}
	return c, nil
}

// spec is the preprocessing: the whole tire in grey, in a square.
func spec(size int) preprocess.Spec {
	s := preprocess.Thesis()
	s.Width, s.Height = size, size
	return s
}

// trunk returns the layers that the base has weights for: all with ReLU6. The score of the
// positions follows them.
func trunk(g *graph.Graph) (layers []graph.Layer) {
	for _, l := range g.Layers {
		if l.Activation == graph.ReLU6 {
			layers = append(layers, l)
		}
	}
	return layers
}

// parameters brings the weights from TensorFlow's order into that of nn.
//
//	convolution  (kh, kw, in, out)  ->  (out, kh, kw, in)
//	depthwise    (kh, kw, out, 1)   ->  (out, kh, kw, 1)
func (s stage) parameters(l graph.Layer) (w nn.Param, b nn.Param) {
	shape := s.weights.shape
	in, out := shape[2], shape[3]
	if l.Kind == graph.Depthwise2D {
		in, out = 1, shape[2]
	}
	k := len(s.weights.data) / out
	w = nn.Param{Shape: []int{out, shape[0], shape[1], in}, Data: make([]float32, out*k)}
	for i := range k {
		for o := range out {
			w.Data[o*k+i] = s.weights.data[i*out+o]
		}
	}
	return w, nn.Param{Shape: []int{out}, Data: append([]float32(nil), s.bias.data...)}
}

// foldGrey makes the first layer read one grey value x between 0 and 1. PoseNet reads three
// colours, each 2x-1 for a grey image:
//
//	sum of w (2x-1) + bias  =  x * 2 sum of w  +  bias - sum of w
//
// The sums are in float64 and rounded once.
func foldGrey(s stage) (w nn.Param, b nn.Param) {
	shape := s.weights.shape
	kernel, colours, out := shape[0], shape[2], shape[3]
	positions := kernel * shape[1]
	w = nn.Param{Shape: []int{out, kernel, shape[1], 1}, Data: make([]float32, out*positions)}
	b = nn.Param{Shape: []int{out}, Data: make([]float32, out)}
	for o := range out {
		total := 0.0
		for p := range positions {
			sum := 0.0
			for c := range colours {
				sum += float64(s.weights.data[(p*colours+c)*out+o])
			}
			w.Data[o*positions+p] = float32(2 * sum)
			total += sum
		}
		b.Data[o] = float32(float64(s.bias.data[o]) - total)
	}
	return w, b
}

// appendLayer adds the two tensors of a layer.
func appendLayer(params []nn.Param, name string, w, b nn.Param) []nn.Param {
	w.Name, b.Name = name+"/w", name+"/b"
	return append(params, w, b)
}

// appendScore adds the score of the positions, which is zero: it knows nothing of tires yet.
func appendScore(params []nn.Param, g *graph.Graph) []nn.Param {
	blocks := trunk(g)
	in := blocks[len(blocks)-1].Filters
	return appendLayer(params, "score", nn.Param{Shape: []int{1, 1, 1, in}, Data: make([]float32, in)},
		nn.Param{Shape: []int{1}, Data: make([]float32, 1)})
}
