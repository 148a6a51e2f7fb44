package base_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"tirewatch/trainer/base"
	"tirewatch/vision/graph"
)

// drawn is a model with the graph of PoseNet and invented weights.
type drawn struct {
	Format   string         `json:"format"`
	Topology topology       `json:"modelTopology"`
	Manifest []drawnWeights `json:"weightsManifest"`
	data     []float32
}

type topology struct {
	Node []*drawnNode `json:"node"`
}

type drawnNode struct {
	Name  string         `json:"name"`
	Op    string         `json:"op"`
	Input []string       `json:"input,omitempty"`
	Attr  map[string]any `json:"attr,omitempty"`
}

type drawnWeights struct {
	Weights []*drawnTensor `json:"weights"`
}

type drawnTensor struct {
	Name  string `json:"name"`
	Shape []int  `json:"shape"`
	DType string `json:"dtype"`
}

// text and integers are attributes as TensorFlow.js writes them.
func text(s string) map[string]any {
	return map[string]any{"s": base64.StdEncoding.EncodeToString([]byte(s))}
}

func integers(v ...int) map[string]any {
	var all []string
	for _, n := range v {
		all = append(all, fmt.Sprint(n))
	}
	return map[string]any{"list": map[string]any{"i": all}}
}

func texts(v ...string) map[string]any {
	var all []string
	for _, s := range v {
		all = append(all, base64.StdEncoding.EncodeToString([]byte(s)))
	}
	return map[string]any{"list": map[string]any{"s": all}}
}

// draw makes the model. Its weights follow from a congruential generator, so they never change.
func draw() *drawn {
	d := &drawn{Format: "graph-model", Manifest: []drawnWeights{{}}}
	d.Topology.Node = []*drawnNode{{Name: "image", Op: "Placeholder"}}
	state := uint32(1)
	constant := func(name string, spread float64, shape ...int) {
		d.Topology.Node = append(d.Topology.Node, &drawnNode{Name: name, Op: "Const"})
		d.Manifest[0].Weights = append(d.Manifest[0].Weights, &drawnTensor{name, shape, "float32"})
		n := 1
		for _, s := range shape {
			n *= s
		}
		for range n {
			state = state*1664525 + 1013904223
			d.data = append(d.data, float32((float64(state)/(1<<31)-1)*spread))
		}
	}
	channels, from := 3, "image"
	for _, l := range graph.Mobile(base.Size, graph.MobileBlocks).Layers {
		if l.Activation != graph.ReLU6 {
			continue
		}
		op, shape := "_FusedConv2D", []int{l.Kernel, l.Kernel, channels, l.Filters}
		if l.Kind == graph.Depthwise2D {
			op, shape = "FusedDepthwiseConv2dNative", []int{l.Kernel, l.Kernel, channels, 1}
		}
		fan := float64(l.Kernel * l.Kernel * shape[2])
		if l.Kind == graph.Depthwise2D {
			fan = 9
		}
		constant(l.Name+"_w", 3/math.Sqrt(fan), shape...)
		constant(l.Name+"_b", 1, l.Filters)
		d.Topology.Node = append(d.Topology.Node, &drawnNode{
			Name: "node_" + l.Name, Op: op, Input: []string{from, l.Name + "_w", l.Name + "_b"},
			Attr: map[string]any{"data_format": text("NHWC"), "padding": text("SAME"),
				"strides": integers(1, l.Stride, l.Stride, 1), "dilations": integers(1, 1, 1, 1),
				"fused_ops": texts("BiasAdd", "Relu6"), "T": map[string]any{"type": "DT_FLOAT"}},
		})
		channels, from = l.Filters, "node_"+l.Name
	}
	for _, head := range []string{"heatmap", "offset"} {
		d.Topology.Node = append(d.Topology.Node, &drawnNode{Name: head, Op: "_FusedConv2D", Input: []string{from, "w", "b"}})
	}
	return d
}

// files returns the two files of the model.
func (d *drawn) files(t testing.TB) (topology, weights []byte) {
	t.Helper()
	topology, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range d.data {
		weights = binary.LittleEndian.AppendUint32(weights, math.Float32bits(v))
	}
	return topology, weights
}

func (d *drawn) node(name string) *drawnNode {
	for _, n := range d.Topology.Node {
		if n.Name == name {
			return n
		}
	}
	panic("internal error: no node " + name)
}

func (d *drawn) tensor(name string) *drawnTensor {
	for _, w := range d.Manifest[0].Weights {
		if w.Name == name {
			return w
		}
	}
	panic("internal error: no tensor " + name)
}
