package onnx_test

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tirewatch/quantize/onnx"
	"tirewatch/vision/graph"
)

// exportedFloat returns a float file of a network without metadata, as another tool may save it.
func exportedFloat(t *testing.T, g graph.Graph) *onnx.Model {
	t.Helper()
	net := randomNet(t, &g, rand.New(rand.NewPCG(1, 2)))
	m, err := onnx.Float(&g, net.Params())
	if err != nil {
		t.Fatal(err)
	}
	m.Metadata = nil
	return m
}

// importedLayers imports a file and returns its layers without their names.
func importedLayers(t *testing.T, m *onnx.Model) []graph.Layer {
	t.Helper()
	layers := importBytes(t, m.Encode(), onnx.Options{}).Graph.Layers
	for i := range layers {
		layers[i].Name = ""
	}
	return layers
}

func decimals(name string, v float32) onnx.Attr {
	return onnx.Attr{Name: name, Kind: onnx.FloatAttr, Float: v}
}

// Tools write ReLU6 in several ways. All of them are the same layer.
func TestWaysToWriteReLU6(t *testing.T) {
	want := importedLayers(t, exportedFloat(t, globalMean))
	in, out := []string{"conv1/sum"}, "conv1/out"
	for name, p := range map[string]part{
		"attributes, before operator set 11": part{}.node(out, "Clip", in, decimals("min", 0), decimals("max", 6)),
		"after a ReLU": part{}.node("r", "Relu", in).floats("a", 0).floats("b", 6).
			node(out, "Clip", []string{"r", "a", "b"}),
		"before a ReLU": part{}.floats("a", 0).floats("b", 6).
			node("c", "Clip", []string{in[0], "a", "b"}).node(out, "Relu", []string{"c"}),
		"twice": part{}.floats("a", 0).floats("b", 6).
			node("c", "Clip", []string{in[0], "a", "b"}).node(out, "Clip", []string{"c", "a", "b"}),
	} {
		m := exportedFloat(t, globalMean)
		replace(m, "Clip", p)
		if diff := cmp.Diff(want, importedLayers(t, m)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A mean over the map is a pool, a ReduceMean over its axes, or one over the axes of another order.
func TestWaysToWriteAMean(t *testing.T) {
	want := importedLayers(t, exportedFloat(t, globalMean))
	in, out := []string{"depthwise1/out"}, "mean1/out"
	for name, p := range map[string]part{
		"ReduceMean":            part{}.node(out, "ReduceMean", in, ints("axes", 2, 3), integer("keepdims", 1)),
		"without the axes left": part{}.node(out, "ReduceMean", in, ints("axes", 2, 3), integer("keepdims", 0)),
		"from the end":          part{}.node(out, "ReduceMean", in, ints("axes", -1, -2)),
		"operator set 18":       part{}.list("axes", 2, 3).node(out, "ReduceMean", []string{in[0], "axes"}),
		"channels last": part{}.node("t", "Transpose", in, ints("perm", 0, 2, 3, 1)).
			node(out, "ReduceMean", []string{"t"}, ints("axes", 1, 2), integer("keepdims", 0)),
	} {
		m := exportedFloat(t, globalMean)
		replace(m, "GlobalAveragePool", p)
		if diff := cmp.Diff(want, importedLayers(t, m)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// The mean of the highest scores as PyTorch writes it: scores.flatten(1).topk(k).values.mean(1).
func TestTopMeanOfPyTorch(t *testing.T) {
	g := *graph.Mobile(32, 2)
	want := importedLayers(t, exportedFloat(t, g))
	m := exportedFloat(t, g)
	replace(m, "ReduceMean", part{}.
		node("top/mean", "ReduceMean", []string{"top/highest"}, ints("axes", 1), integer("keepdims", 0)))
	n := &m.Nodes[len(m.Nodes)-1]
	n.Inputs = []string{"top/mean"}
	if diff := cmp.Diff(want, importedLayers(t, m)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if last := want[len(want)-1]; last.Top != 6 || last.Activation != graph.Sigmoid {
		t.Errorf("last layer %+v", last)
	}
}

// What the network cannot hold is refused at the right node.
func TestImportRefusesVersion2(t *testing.T) {
	mobile := *graph.Mobile(32, 2)
	for name, c := range map[string]struct {
		g     graph.Graph
		spoil func(m *onnx.Model)
		op    string // of the refused node; empty: ErrCannotHold
	}{
		"another upper limit": {mobile, func(m *onnx.Model) {
			replace(m, "Clip", part{}.node("conv/out", "Clip", []string{"conv/sum"}, decimals("min", 0), decimals("max", 20)))
		}, "Clip"},
		"no lower limit": {mobile, func(m *onnx.Model) {
			replace(m, "Clip", part{}.node("conv/out", "Clip", []string{"conv/sum"}, decimals("max", 6)))
		}, "Clip"},
		"a limit after a factor": {mobile, func(m *onnx.Model) {
			replace(m, "Clip", part{}.floats("two", 2).node("x", "Mul", []string{"conv/sum", "two"}).
				node("conv/out", "Clip", []string{"x"}, decimals("min", 0), decimals("max", 6)))
		}, "Clip"},
		"two groups": {mobile, func(m *onnx.Model) { setAttr(grouped(m), integer("group", 2)) }, "Conv"},
		"an activation after a mean": {globalMean, func(m *onnx.Model) {
			replace(m, "Relu", part{}.node("depthwise1/out", "Identity", []string{"depthwise1/sum"}))
			replace(m, "Flatten", part{}.node("r", "Relu", []string{"mean1/out"}).
				node("flatten/out", "Flatten", []string{"r"}, integer("axis", 1)))
		}, "Relu"},
		"a mean with padding": {meanOnly, func(m *onnx.Model) {
			setAttr(node(m, "AveragePool"), ints("pads", 1, 1, 1, 1))
		}, "AveragePool"},
		"a mean over rows": {globalMean, func(m *onnx.Model) {
			replace(m, "GlobalAveragePool", part{}.
				node("mean1/out", "ReduceMean", []string{"depthwise1/out"}, ints("axes", 2)))
		}, "ReduceMean"},
		"a mean over channels": {globalMean, func(m *onnx.Model) {
			replace(m, "GlobalAveragePool", part{}.
				node("mean1/out", "ReduceMean", []string{"depthwise1/out"}, ints("axes", 1, 2)))
		}, "ReduceMean"},
		"the lowest scores": {mobile, func(m *onnx.Model) { setAttr(node(m, "TopK"), integer("largest", 0)) }, "TopK"},
		"more scores than positions": {mobile, func(m *onnx.Model) {
			for _, t := range m.Tensors {
				if t.Name == "top/k" {
					binary.LittleEndian.PutUint64(t.Data, 65)
				}
			}
		}, "TopK"},
		"along another axis": {mobile, func(m *onnx.Model) { setAttr(node(m, "TopK"), integer("axis", 0)) }, "TopK"},
		"scores after an activation": {mobile, func(m *onnx.Model) {
			replace(m, "Flatten", part{}.node("r", "Relu", []string{"score/sum"}).
				node("top/flat", "Flatten", []string{"r"}, integer("axis", 1)))
		}, "TopK"},
		"the highest without a mean": {mobile, func(m *onnx.Model) {
			replace(m, "ReduceMean", part{}.node("logit", "Identity", []string{"top/highest"}))
		}, "Sigmoid"},
		"an end at the highest": {mobile, func(m *onnx.Model) {
			m.Nodes = m.Nodes[:len(m.Nodes)-2]
			m.Outputs = []onnx.Value{{Name: "top/highest"}}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := exportedFloat(t, c.g)
			c.spoil(m)
			_, err := onnx.Import(m, onnx.Options{})
			var o *onnx.OperatorError
			switch {
			case c.op == "" && !errors.Is(err, onnx.ErrCannotHold):
				t.Errorf("error %v, want ErrCannotHold", err)
			case c.op != "" && (!errors.As(err, &o) || o.Op != c.op):
				t.Errorf("error %v, want one of %s", err, c.op)
			}
		})
	}
	if _, err := onnx.Import(exportedFloat(t, mobile), onnx.Options{Crack: onnx.First}); !errors.Is(err, onnx.ErrCannotHold) {
		t.Errorf("class 0 is crack: error %v, want ErrCannotHold", err)
	}
}

// grouped returns the first depthwise convolution of a file.
func grouped(m *onnx.Model) *onnx.Node {
	for i, n := range m.Nodes {
		for _, a := range n.Attrs {
			if a.Name == "group" {
				return &m.Nodes[i]
			}
		}
	}
	return nil
}
