package base_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"tirewatch/trainer/base"
	"tirewatch/trainer/base/basetest"
	"tirewatch/trainer/checkpoint"
	"tirewatch/vision/graph"
)

func converted(t testing.TB, d *drawn) *checkpoint.Checkpoint {
	t.Helper()
	topology, weights := d.files(t)
	c, err := base.Convert(topology, weights)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The same files give the same bytes on every machine.
func TestConvertIsDeterministic(t *testing.T) {
	data, err := checkpoint.Encode(converted(t, draw()))
	if err != nil {
		t.Fatal(err)
	}
	const want = "b0a8cb0d7d8ce490b174311c4bb3c1ff7ec999a8bb6fbf01dab9e7f9e6b1204c"
	if got := fmt.Sprintf("%x", sha256.Sum256(data)); got != want {
		t.Errorf("the checkpoint of the drawn model has the SHA-256 %s, want %s; a changed converter needs "+
			"a new base.Mobile.SHA256, too", got, want)
	}
	c, err := checkpoint.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(c.Origin, "PoseNet") || c.Licence != base.Notice || len(c.Licence) < 1000 {
		t.Errorf("origin %q, licence of %d bytes", c.Origin, len(c.Licence))
	}
	for _, name := range []string{"Copyright 2018 Google LLC", "Apache License, Version 2.0", "Copyright (c) 2021 Vladimir Mandic", "Changes:"} {
		if !strings.Contains(base.Notice, name) {
			t.Errorf("NOTICE does not contain %q", name)
		}
	}
}

// reference computes layers of the drawn model as TensorFlow does: plain loops over three colours,
// from -1 for black to 1 for white. Outside of the image is black.
func reference(d *drawn, grey []byte, size int, layers []graph.Layer) (outputs [][]float64) {
	at := map[string][]float32{}
	rest := d.data
	for _, w := range d.Manifest[0].Weights {
		n := 1
		for _, s := range w.Shape {
			n *= s
		}
		at[w.Name], rest = rest[:n], rest[n:]
	}
	x, channels, border := make([]float64, 3*len(grey)), 3, -1.0
	for i, v := range grey {
		for c := range 3 {
			x[3*i+c] = float64(v)/255*2 - 1
		}
	}
	for _, l := range layers {
		x, size = convolve(x, size, channels, l, at[l.Name+"_w"], at[l.Name+"_b"], border)
		channels, border = l.Filters, 0
		outputs = append(outputs, x)
	}
	return outputs
}

// convolve pads as TensorFlow's SAME: the odd row and column at the bottom and right.
func convolve(x []float64, size, channels int, l graph.Layer, w, b []float32, border float64) ([]float64, int) {
	out := (size + l.Stride - 1) / l.Stride
	before := max(0, (out-1)*l.Stride+l.Kernel-size) / 2
	y := make([]float64, out*out*l.Filters)
	for i := range y {
		f, col, row := i%l.Filters, i/l.Filters%out, i/l.Filters/out
		sum := float64(b[f])
		for k := range l.Kernel * l.Kernel {
			r, c := row*l.Stride-before+k/l.Kernel, col*l.Stride-before+k%l.Kernel
			inside := r >= 0 && c >= 0 && r < size && c < size
			for in := range channels {
				at := (k*channels+in)*l.Filters + f
				if l.Kind == graph.Depthwise2D {
					if in != f {
						continue
					}
					at = k*channels + in
				}
				v := border
				if inside {
					v = x[(r*size+c)*channels+in]
				}
				sum += v * float64(w[at])
			}
		}
		y[i] = min(max(sum, 0), graph.MaxReLU6)
	}
	return y, out
}

// The checkpoint computes what the model computes, layer by layer.
func TestConvertedEqualsTheModel(t *testing.T) {
	const size, blocks = 33, 3
	d := draw()
	c, err := base.Network(converted(t, d), size, blocks)
	if err != nil {
		t.Fatal(err)
	}
	net, err := c.Net()
	if err != nil {
		t.Fatal(err)
	}
	pix := make([]byte, size*size)
	for i := range pix {
		pix[i] = byte(i * i * 7 / 11)
	}
	layers := c.Graph.Layers[:1+2*blocks]
	want := reference(d, pix, size, layers)
	compared := 0
	logit, err := net.NewPredictor().Logit(pix, func(layer int, values []float32) {
		if layer >= len(layers) {
			return
		}
		compared++
		if len(values) != len(want[layer]) {
			t.Fatalf("%s: %d values, want %d", layers[layer].Name, len(values), len(want[layer]))
		}
		for i, v := range values {
			if diff := math.Abs(float64(v) - want[layer][i]); diff > 1e-4 {
				t.Fatalf("%s: value %d is %g, want %g", layers[layer].Name, i, v, want[layer][i])
			}
		}
		if used := slices.ContainsFunc(values, func(v float32) bool { return v > 0 && v < graph.MaxReLU6 }); !used {
			t.Errorf("%s: all values are clamped, the comparison shows nothing", layers[layer].Name)
		}
	})
	if err != nil || compared != len(layers) {
		t.Fatalf("%d layers compared, want %d (%v)", compared, len(layers), err)
	}
	if logit != 0 {
		t.Errorf("the score is %g, want 0: it knows nothing of tires yet", logit)
	}
}

// Every other model is refused with a text that says what differs.
func TestConvertRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(d *drawn)
		want  string
	}{
		"another format":        {func(d *drawn) { d.Format = "layers-model" }, `format "layers-model", want graph-model`},
		"no graph":              {func(d *drawn) { d.Topology.Node = nil }, "0 nodes"},
		"too many nodes":        {func(d *drawn) { d.Topology.Node = append(d.Topology.Node, make([]*drawnNode, 5000)...) }, "nodes, want 1 to 4096"},
		"two groups":            {func(d *drawn) { d.Manifest = append(d.Manifest, drawnWeights{}) }, "2 groups of weights"},
		"two nodes of one name": {func(d *drawn) { d.node("offset").Name = "node_conv" }, `two nodes have the name "node_conv"`},
		"computed weights":      {func(d *drawn) { d.node("conv_w").Op = "Mul" }, `"conv_w" is computed by "Mul", want a constant`},
		"two inputs":            {func(d *drawn) { d.node("heatmap").Op = "Placeholder" }, "2 inputs, want 1"},
		"a second reader":       {func(d *drawn) { d.node("heatmap").Input[0] = "node_pointwise4" }, `2 nodes read "node_pointwise4"`},
		"a gap in the chain":    {func(d *drawn) { d.node("node_pointwise3").Input[0] = "elsewhere" }, `0 nodes read "node_depthwise3"`},
		"another operation":     {func(d *drawn) { d.node("node_depthwise2").Op = "MaxPool" }, `operation "MaxPool", want FusedDepthwise`},
		"another stride":        {func(d *drawn) { d.node("node_depthwise2").Attr["strides"] = integers(1, 1, 1, 1) }, "attribute strides"},
		"half a stride": {func(d *drawn) {
			d.node("node_conv").Attr["strides"] = map[string]any{"list": map[string]any{"i": []float64{1, 2.5, 2.5, 1}}}
		}, "attribute strides"},
		"dilated":           {func(d *drawn) { d.node("node_depthwise13").Attr["dilations"] = integers(1, 2, 2, 1) }, "attribute dilations"},
		"another padding":   {func(d *drawn) { d.node("node_conv").Attr["padding"] = text("VALID") }, `attribute padding: "VALID"`},
		"channels first":    {func(d *drawn) { d.node("node_conv").Attr["data_format"] = text("NCHW") }, "attribute data_format"},
		"ReLU":              {func(d *drawn) { d.node("node_conv").Attr["fused_ops"] = texts("BiasAdd", "Relu") }, "attribute fused_ops"},
		"unknown attribute": {func(d *drawn) { d.node("node_conv").Attr["leak"] = integers(1) }, "attribute leak"},
		"attribute missing": {func(d *drawn) { delete(d.node("node_conv").Attr, "strides") }, "attribute strides is missing"},
		"no bias":           {func(d *drawn) { n := d.node("node_conv"); n.Input = n.Input[:2] }, "2 inputs, want image, weights and bias"},
		"a tensor missing":  {func(d *drawn) { d.tensor("depthwise5_b").Name = "other" }, `tensor "depthwise5_b" is missing`},
		"another shape":     {func(d *drawn) { d.tensor("depthwise5_w").Shape = []int{3, 3, 1, 192} }, "has the shape [3 3 1 192], want [3 3 192 1]"},
		"a negative side":   {func(d *drawn) { d.tensor("depthwise5_b").Shape = []int{-192} }, "has the shape [-192]"},
		"an endless tensor": {func(d *drawn) { d.tensor("depthwise5_b").Shape = []int{60000, 60000, 60000} }, "has the shape [60000 60000 60000]"},
		"two of one name":   {func(d *drawn) { d.tensor("depthwise5_b").Name = "conv_w" }, `two tensors have the name "conv_w"`},
		"half precision":    {func(d *drawn) { d.tensor("conv_w").DType = "float16" }, "float16 or quantized"},
		"short file":        {func(d *drawn) { d.data = d.data[:len(d.data)-1] }, "end inside tensor"},
		"long file":         {func(d *drawn) { d.data = append(d.data, 0) }, "4 bytes more"},
		"NaN":               {func(d *drawn) { d.data[5] = float32(math.NaN()) }, `value 5 of tensor "conv_w" is NaN`},
		"infinite":          {func(d *drawn) { d.data[5] = float32(math.Inf(1)) }, `value 5 of tensor "conv_w" is +Inf`},
	} {
		d := draw()
		c.spoil(d)
		topology, weights := d.files(t)
		_, err := base.Convert(topology, weights)
		if !errors.Is(err, base.ErrModel) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
	topology, weights := draw().files(t)
	for name, files := range map[string][2][]byte{
		"not JSON":         {[]byte("<html>"), weights},
		"JSON and more":    {append(bytes.Clone(topology), '{'), weights},
		"too large a list": {make([]byte, 5<<20), weights},
		"files exchanged":  {weights, topology},
	} {
		if _, err := base.Convert(files[0], files[1]); !errors.Is(err, base.ErrModel) {
			t.Errorf("%s: error %v, want ErrModel", name, err)
		}
	}
}

func FuzzConvert(f *testing.F) {
	topology, weights := draw().files(f)
	f.Add(topology, weights[:2000])
	f.Add([]byte(`{"format":"graph-model","modelTopology":{"node":[{"op":"Placeholder"}]},"weightsManifest":[{}]}`), []byte{})
	f.Fuzz(func(t *testing.T, topology, weights []byte) {
		if c, err := base.Convert(topology, weights); (c == nil) == (err == nil) {
			t.Fatalf("checkpoint %v, error %v", c, err)
		}
	})
}

// The real file is what this version of the converter makes. `make base` checks the same.
func TestBase(t *testing.T) {
	found := basetest.Require(t)
	if got := found.Checkpoint.Graph.Hash(); got != graph.Mobile(base.Size, base.Blocks).Hash() {
		t.Errorf("%s holds network %s", found.Path, got)
	}
}
