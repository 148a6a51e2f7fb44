package base

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// ErrModel marks a file of another model, or a damaged one.
var ErrModel = errors.New("not the model that the base is made from")

// Limits of a TensorFlow.js model, so that a wrong file cannot occupy all memory.
const (
	maxTopology = 4 << 20 // bytes
	maxWeights  = 64 << 20
	maxNodes    = 4096
	maxSide     = 1 << 16 // of a tensor, in each dimension
)

// model is a TensorFlow.js graph model: operations that name their inputs, and constants.
type model struct {
	nodes   []node
	ops     map[string]string // of the nodes, by name
	tensors map[string]tensor
}

// node is one operation of the graph.
type node struct {
	Name  string          `json:"name"`
	Op    string          `json:"op"`
	Input []string        `json:"input"`
	Attr  map[string]attr `json:"attr"`
}

// attr is a property of a node. Texts are in base64, which encoding/json decodes into bytes.
type attr struct {
	S    []byte `json:"s"`
	Type string `json:"type"`
	List struct {
		S [][]byte      `json:"s"`
		I []json.Number `json:"i"`
	} `json:"list"`
}

// tensor is a constant of the graph.
type tensor struct {
	shape []int
	data  []float32
}

// readModel reads posenet.json, the graph and the list of weights, and posenet.bin, the weights in
// the order of that list: float32, little endian, nothing between them.
func readModel(topology, weights []byte) (*model, error) {
	if len(topology) > maxTopology || len(weights) > maxWeights {
		return nil, fmt.Errorf("%w: %d and %d bytes, the limits are %d and %d",
			ErrModel, len(topology), len(weights), maxTopology, maxWeights)
	}
	var file struct {
		Format   string `json:"format"`
		Topology struct {
			Node []node `json:"node"`
		} `json:"modelTopology"`
		Manifest []struct {
			Weights []weight `json:"weights"`
		} `json:"weightsManifest"`
	}
	if err := json.Unmarshal(topology, &file); err != nil {
		return nil, fmt.Errorf("%w: read its JSON: %w", ErrModel, err)
	}
	if file.Format != "graph-model" {
		return nil, fmt.Errorf("%w: format %.40q, want graph-model", ErrModel, file.Format)
	}
	if n := len(file.Topology.Node); n == 0 || n > maxNodes {
		return nil, fmt.Errorf("%w: %d nodes, want 1 to %d", ErrModel, n, maxNodes)
	}
	if n := len(file.Manifest); n != 1 {
		return nil, fmt.Errorf("%w: %d groups of weights, want 1", ErrModel, n)
	}
	m := &model{nodes: file.Topology.Node, ops: map[string]string{}, tensors: map[string]tensor{}}
	for _, n := range m.nodes {
		if _, twice := m.ops[n.Name]; twice {
			return nil, fmt.Errorf("%w: two nodes have the name %.80q", ErrModel, n.Name)
		}
		m.ops[n.Name] = n.Op
	}
	return m, m.addTensors(file.Manifest[0].Weights, weights)
}

// weight is an entry of the list of weights.
type weight struct {
	Name         string          `json:"name"`
	Shape        []int           `json:"shape"`
	DType        string          `json:"dtype"`
	Quantization json.RawMessage `json:"quantization"`
}

// size returns the number of values.
func (w weight) size() (int, error) {
	n := 1
	for _, side := range w.Shape {
		if side < 1 || side > maxSide || n > maxWeights/4/side {
			return 0, fmt.Errorf("%w: tensor %.40q has the shape %v", ErrModel, w.Name, w.Shape)
		}
		n *= side
	}
	return n, nil
}

// addTensors cuts data into the tensors of the list. No byte may be missing or left over.
func (m *model) addTensors(list []weight, data []byte) error {
	if len(list) > maxNodes {
		return fmt.Errorf("%w: %d tensors, the limit is %d", ErrModel, len(list), maxNodes)
	}
	rest := data
	for _, w := range list {
		if _, twice := m.tensors[w.Name]; twice {
			return fmt.Errorf("%w: two tensors have the name %.40q", ErrModel, w.Name)
		}
		if w.DType != "float32" || w.Quantization != nil {
			return fmt.Errorf("%w: tensor %.40q is %.20s or quantized, want float32", ErrModel, w.Name, w.DType)
		}
		n, err := w.size()
		if err != nil {
			return err
		}
		if len(rest) < 4*n {
			return fmt.Errorf("%w: the weights have %d bytes and end inside tensor %.40q", ErrModel, len(data), w.Name)
		}
		t := tensor{shape: w.Shape, data: make([]float32, n)}
		for i := range t.data {
			v := math.Float32frombits(binary.LittleEndian.Uint32(rest[4*i:]))
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return fmt.Errorf("%w: value %d of tensor %.40q is %g", ErrModel, i, w.Name, v)
			}
			t.data[i] = v
		}
		rest = rest[4*n:]
		m.tensors[w.Name] = t
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w: the weights have %d bytes more than the list says", ErrModel, len(rest))
	}
	return nil
}
