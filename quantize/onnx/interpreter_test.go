package onnx_test

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"tirewatch/quantize/onnx"
)

// array is a value of the graph: its shape and its numbers. The last axis varies fastest.
type array struct {
	shape []int
	v     []float64
}

// interpret runs a decoded file as the ONNX specification defines the operators. Sums of bytes are
// exact in float64. Where an operator multiplies in float32, so does the interpreter.
func interpret(t testing.TB, f *onnx.Model, image array) map[string]array {
	t.Helper()
	env := map[string]array{f.Inputs[0].Name: image}
	for _, c := range f.Tensors {
		if _, twice := env[c.Name]; twice {
			t.Fatalf("two values are named %s", c.Name)
		}
		env[c.Name] = numbers(t, c)
	}
	for _, n := range f.Nodes {
		in := make([]array, len(n.Inputs))
		for i, name := range n.Inputs {
			a, ok := env[name]
			if !ok {
				t.Fatalf("%s reads %s, which does not exist yet", n.Name, name)
			}
			in[i] = a
		}
		name := n.Outputs[0]
		if _, twice := env[name]; twice {
			t.Fatalf("two values are named %s", name)
		}
		env[name] = operate(t, n, in)
	}
	return env
}

func operate(t testing.TB, n onnx.Node, in []array) array {
	t.Helper()
	x := in[0]
	switch n.Domain + n.Op {
	case "Conv":
		return conv(n, x, in[1], in[2])
	case "QLinearConv":
		noZeroPoint(t, n, in[2], in[5], in[7])
		bias := array{v: make([]float64, in[3].shape[0])}
		if len(in) > 8 {
			bias = in[8]
		}
		return requantize(conv(n, x, in[3], bias), in[1], in[4], in[6])
	case "ConvInteger":
		noZeroPoint(t, n, in[2])
		w := in[1].each(func(v float64) float64 { return v - in[3].v[0] })
		return conv(n, x, w, array{v: make([]float64, w.shape[0])})
	case "Add": // a number
		return x.each(func(v float64) float64 { return v + in[1].v[0] })
	case "Mul": // two float32 numbers
		return x.each(func(v float64) float64 { return float64(float32(v) * float32(in[1].v[0])) })
	case "Cast": // to float32
		return x.each(func(v float64) float64 { return float64(float32(v)) })
	case "Clip":
		return x.each(func(v float64) float64 { return min(max(v, in[1].v[0]), in[2].v[0]) })
	case "AveragePool":
		return slide(n, x, x.shape[1], func(c int, taps []tap) float64 {
			sum := 0.0
			for _, p := range taps {
				sum += x.at(c, p.y, p.x)
			}
			return sum / float64(len(taps))
		})
	case "GlobalAveragePool":
		per := x.shape[2] * x.shape[3]
		out := array{shape: []int{1, x.shape[1], 1, 1}, v: make([]float64, x.shape[1])}
		for i, v := range x.v {
			out.v[i/per] += v / float64(per)
		}
		return out
	case "TopK":
		v := slices.Clone(x.v)
		slices.Sort(v)
		slices.Reverse(v)
		k := int(in[1].v[0])
		return array{[]int{1, k}, v[:k]}
	case "ReduceSum", "ReduceMean":
		sum := 0.0
		for _, v := range x.v {
			sum += v
		}
		if n.Op == "ReduceMean" {
			sum /= float64(len(x.v))
		}
		return array{[]int{1, 1}, []float64{sum}}
	case "Gemm":
		return gemm(x, in[1], in[2])
	case "com.microsoftQGemm":
		noZeroPoint(t, n, in[2], in[5])
		sums := gemm(x, in[3], in[6])
		if len(in) > 7 {
			noZeroPoint(t, n, in[8])
			return requantize(sums, in[1], in[4], in[7])
		}
		for i := range sums.v {
			sums.v[i] = float64(float32(sums.v[i]) * (float32(in[1].v[0]) * float32(in[4].v[i%len(in[4].v)])))
		}
		return sums
	case "MaxPool":
		return slide(n, x, x.shape[1], func(c int, taps []tap) float64 {
			best := math.Inf(-1)
			for _, p := range taps {
				best = max(best, x.at(c, p.y, p.x))
			}
			return best
		})
	case "Flatten":
		return array{[]int{1, len(x.v)}, x.v}
	case "QuantizeLinear":
		noZeroPoint(t, n, in[2])
		return x.each(func(v float64) float64 { return min(max(math.RoundToEven(v/in[1].v[0]), 0), 255) })
	case "DequantizeLinear":
		if len(in) > 2 {
			noZeroPoint(t, n, in[2])
		}
		per := len(x.v)
		if len(in[1].shape) > 0 { // along axis 0
			per /= x.shape[0]
		}
		out := array{x.shape, slices.Clone(x.v)}
		for i := range out.v {
			out.v[i] *= in[1].v[i/per]
		}
		return out
	case "Relu":
		return x.each(func(v float64) float64 { return max(v, 0) })
	case "Sigmoid":
		return x.each(func(v float64) float64 { return 1 / (1 + math.Exp(-v)) })
	}
	t.Fatalf("unexpected operator %s of %q", n.Op, n.Domain)
	return array{}
}

func (a array) at(c, y, x int) float64 { return a.v[(c*a.shape[2]+y)*a.shape[3]+x] }

func (a array) each(f func(float64) float64) array {
	v := slices.Clone(a.v)
	for i := range v {
		v[i] = f(v[i])
	}
	return array{a.shape, v}
}

func conv(n onnx.Node, x, w, bias array) array {
	channels, kh, kw := w.shape[1], w.shape[2], w.shape[3]
	perGroup := w.shape[0] // filters of a group; a group reads channels of its own
	for _, a := range n.Attrs {
		if a.Name == "group" {
			perGroup /= int(a.Int)
		}
	}
	return slide(n, x, w.shape[0], func(c int, taps []tap) float64 {
		sum, first := bias.v[c], c/perGroup*channels
		for _, p := range taps {
			for ic := range channels {
				sum += x.at(first+ic, p.y, p.x) * w.v[((c*channels+ic)*kh+p.ky)*kw+p.kx]
			}
		}
		return sum
	})
}

// tap is a place of a window inside the input.
type tap struct{ ky, kx, y, x int }

func slide(n onnx.Node, x array, channels int, f func(c int, taps []tap) float64) array {
	a := map[string][]int64{}
	for _, attr := range n.Attrs {
		a[attr.Name] = attr.Ints
	}
	k, stride, pads := a["kernel_shape"], a["strides"], a["pads"]
	count := func(axis int) int {
		return (x.shape[2+axis]+int(pads[axis]+pads[2+axis]-k[axis]))/int(stride[axis]) + 1
	}
	out := array{shape: []int{1, channels, count(0), count(1)}}
	for c := range channels {
		for oy := range out.shape[2] {
			for ox := range out.shape[3] {
				var taps []tap
				for ky := range int(k[0]) {
					for kx := range int(k[1]) {
						p := tap{ky, kx, oy*int(stride[0]) - int(pads[0]) + ky, ox*int(stride[1]) - int(pads[1]) + kx}
						if p.y >= 0 && p.y < x.shape[2] && p.x >= 0 && p.x < x.shape[3] {
							taps = append(taps, p)
						}
					}
				}
				out.v = append(out.v, f(c, taps))
			}
		}
	}
	return out
}

// gemm returns x * w transposed + bias.
func gemm(x, w, bias array) array {
	out := array{shape: []int{1, w.shape[0]}}
	for u := range w.shape[0] {
		sum := bias.v[u]
		for i, v := range x.v {
			sum += v * w.v[u*w.shape[1]+i]
		}
		out.v = append(out.v, sum)
	}
	return out
}

// requantize turns sums (1, C, ...) into bytes: scaled by x_scale * w_scale[c] / y_scale in
// float32, rounded to even, saturated.
func requantize(sums, xScale, wScale, yScale array) array {
	per := len(sums.v) / sums.shape[1]
	for i, v := range sums.v {
		scale := float32(xScale.v[0]) * float32(wScale.v[i/per]) / float32(yScale.v[0])
		sums.v[i] = min(max(math.RoundToEven(float64(float32(v)*scale)), 0), 255)
	}
	return sums
}

func noZeroPoint(t testing.TB, n onnx.Node, points ...array) {
	t.Helper()
	for _, p := range points {
		for _, v := range p.v {
			if v != 0 {
				t.Fatalf("%s has zero point %g", n.Name, v)
			}
		}
	}
}

func numbers(t testing.TB, c onnx.Tensor) array {
	t.Helper()
	var v []float64
	switch c.Type {
	case onnx.Float32:
		for b := c.Data; len(b) > 0; b = b[4:] {
			v = append(v, float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
		}
	case onnx.Int32:
		for b := c.Data; len(b) > 0; b = b[4:] {
			v = append(v, float64(int32(binary.LittleEndian.Uint32(b))))
		}
	case onnx.Int64:
		for b := c.Data; len(b) > 0; b = b[8:] {
			v = append(v, float64(int64(binary.LittleEndian.Uint64(b))))
		}
	case onnx.Uint8, onnx.Int8s:
		for _, b := range c.Data {
			if c.Type == onnx.Int8s {
				v = append(v, float64(int8(b)))
			} else {
				v = append(v, float64(b))
			}
		}
	default:
		t.Fatalf("constant %s of type %d", c.Name, c.Type)
	}
	size := 1
	for _, d := range c.Shape {
		size *= d
	}
	if size != len(v) {
		t.Fatalf("constant %s has %d numbers, want %[4]d for shape %[3]v", c.Name, len(v), c.Shape, size)
	}
	return array{c.Shape, v}
}
