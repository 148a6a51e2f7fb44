package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Tools write more than layers: constants inside nodes, and shapes that are computed because the
// batch may have any size. Import computes all of it, with the batch size of the input, or 1.

// floats returns a copy of the numbers of a float32 constant.
func (t *Tensor) floats() ([]float32, error) {
	if t.Type != Float32 {
		return nil, fmt.Errorf("constant %q is of type %d, want float32; export the network in float32", t.Name, t.Type)
	}
	f := make([]float32, len(t.Data)/4)
	for i := range f {
		f[i] = math.Float32frombits(binary.LittleEndian.Uint32(t.Data[4*i:]))
	}
	return f, nil
}

// ints returns the numbers of a list of integers, which are a shape or a part of one.
func (t *Tensor) ints() ([]int64, error) {
	var v []int64
	switch size := int(t.Type.size()); t.Type {
	case Int64, Int32, Bool:
		if len(t.Data)/size > maxList {
			return nil, fmt.Errorf("a list of %d integers, the limit is %d", len(t.Data)/size, maxList)
		}
		for b := t.Data; len(b) > 0; b = b[size:] {
			switch t.Type {
			case Int64:
				v = append(v, int64(binary.LittleEndian.Uint64(b)))
			case Int32:
				v = append(v, int64(int32(binary.LittleEndian.Uint32(b))))
			default:
				v = append(v, int64(b[0]))
			}
		}
		return v, nil
	}
	return nil, fmt.Errorf("constant %q is of type %d, want integers", t.Name, t.Type)
}

// maxList is the limit for the length of lists that are computed with. Shapes have a few numbers.
const maxList = 1 << 10

// intList returns a constant of integers: a list, or a number without axes if scalar.
func intList(v []int64, scalar bool) *value {
	t := &Tensor{Type: Int64, Shape: []int{len(v)}, Data: packed(v, Int64)}
	if scalar {
		t.Shape = nil
	}
	return &value{constant: t}
}

// decimal returns the shortest decimal number with the same float32 value: 0.2, where the float32
// is 0.200000003.
func decimal(f float32) float64 {
	d, err := strconv.ParseFloat(strconv.FormatFloat(float64(f), 'g', -1, 32), 64)
	if err != nil {
		return float64(f)
	}
	return d
}

func foldConstant(_ *walk, c call) (*value, error) {
	for _, a := range c.Attrs {
		switch a.Name {
		case "value":
			if a.Tensor != nil {
				return &value{constant: a.Tensor}, nil
			}
		case "value_int":
			return intList([]int64{a.Int}, true), nil
		case "value_ints":
			return intList(a.Ints, false), nil
		case "value_float":
			return &value{constant: &Tensor{Type: Float32, Data: float32s([]float32{a.Float})}}, nil
		}
	}
	return nil, c.refuse("its value is not a number or a tensor")
}

func foldShape(_ *walk, c call) (*value, error) {
	v := c.in[0]
	dims := v.dims
	if v.constant != nil {
		dims = v.constant.Shape
	}
	var shape []int64
	for i, d := range dims {
		from, to := c.intAttr("start", 0), c.intAttr("end", int64(len(dims)))
		if from < 0 {
			from += int64(len(dims))
		}
		if to < 0 {
			to += int64(len(dims))
		}
		if int64(i) >= from && int64(i) < to {
			shape = append(shape, int64(d))
		}
	}
	return intList(shape, false), nil
}

// foldLists computes an operation on lists of integers.
func foldLists(op func(c call, lists [][]int64) ([]int64, error)) func(*walk, call) (*value, error) {
	return func(w *walk, c call) (*value, error) {
		var lists [][]int64
		scalar := true
		for i := range c.in {
			t, err := c.constant(i)
			if err != nil {
				return nil, err
			}
			if t == nil || len(t.Shape) > 1 {
				return nil, c.refuse("it is supported on lists of integers only")
			}
			v, err := t.ints()
			if err != nil {
				return nil, c.refuse("%v", err)
			}
			lists = append(lists, v)
			if i == len(c.in)-1 || c.Op != "Gather" { // the index alone decides the rank of a Gather
				scalar = scalar && len(t.Shape) == 0
			}
		}
		v, err := op(c, lists)
		if err == nil && len(v) > maxList {
			err = fmt.Errorf("a list of %d integers, the limit is %d", len(v), maxList)
		}
		if err != nil {
			return nil, c.refuse("%v", err)
		}
		return intList(v, scalar && len(v) == 1), w.spend(len(v))
	}
}

func gatherLists(_ call, lists [][]int64) ([]int64, error) {
	var out []int64
	from := lists[0]
	for _, i := range lists[1] {
		if i < 0 {
			i += int64(len(from))
		}
		if i < 0 || i >= int64(len(from)) {
			return nil, fmt.Errorf("index %d is outside of the list %v", i, from)
		}
		out = append(out, from[i])
	}
	return out, nil
}

func concatLists(_ call, lists [][]int64) ([]int64, error) { return slices.Concat(lists...), nil }

// sliceLists reads data, starts, ends, and optionally axes and steps.
func sliceLists(_ call, lists [][]int64) ([]int64, error) {
	if len(lists) < 3 || len(lists[1]) != 1 || len(lists[2]) != 1 ||
		len(lists) > 4 && !slices.Equal(lists[4], []int64{1}) {
		return nil, fmt.Errorf("want one start, one end and steps of 1")
	}
	n := int64(len(lists[0]))
	bound := func(i int64) int64 {
		if i < 0 {
			i = max(i, -n) + n
		}
		return min(i, n)
	}
	from, to := bound(lists[1][0]), bound(lists[2][0])
	return slices.Clone(lists[0][from:max(from, to)]), nil
}

// computeLists combines two lists, or a list and a number.
func computeLists(c call, lists [][]int64) ([]int64, error) {
	a, b := lists[0], lists[1]
	n := max(len(a), len(b))
	if len(a) == 0 || len(b) == 0 || len(a) != n && len(a) != 1 || len(b) != n && len(b) != 1 {
		return nil, fmt.Errorf("the lists %v and %v have different lengths", a, b)
	}
	out := make([]int64, n)
	for i := range out {
		x, y := a[min(i, len(a)-1)], b[min(i, len(b)-1)]
		switch c.Op {
		case "Add":
			out[i] = x + y
		case "Sub":
			out[i] = x - y
		case "Mul":
			out[i] = x * y
		default:
			if y == 0 {
				return nil, fmt.Errorf("division by zero")
			}
			out[i] = x / y
		}
	}
	return out, nil
}

func foldCast(_ *walk, c call) (*value, error) {
	t, to := c.in[0].constant, Type(c.intAttr("to", 0))
	if t.Type == to {
		return c.in[0], nil
	}
	v, err := t.ints()
	if err != nil || (to != Int64 && to != Int32 && to != Float32) {
		return nil, c.refuse("it casts from type %d to type %d, want integers to integers or float32", t.Type, to)
	}
	made := &Tensor{Name: t.Name, Type: to, Shape: t.Shape, Data: packed(v, to)}
	if to == Float32 {
		made.Data = nil
		for _, i := range v {
			made.Data = append(made.Data, float32s([]float32{float32(i)})...)
		}
	}
	return &value{constant: made}, nil
}

// foldTranspose transposes a constant: some tools store weights that way.
func foldTranspose(w *walk, c call) (*value, error) {
	t, err := c.constant(0)
	if err != nil {
		return nil, err
	}
	size, perm := int(t.Type.size()), c.attr("perm").Ints
	if size == 0 || len(t.Shape) != 2 ||
		perm != nil && !slices.Equal(perm, []int64{1, 0}) && !slices.Equal(perm, []int64{0, 1}) {
		return nil, c.refuse("order %v for a constant of shape %v, want two axes", perm, t.Shape)
	}
	if perm != nil && perm[0] == 0 {
		return c.in[0], nil
	}
	if err := w.spend(len(t.Data)); err != nil {
		return nil, err
	}
	high, wide := t.Shape[0], t.Shape[1]
	moved := &Tensor{Name: t.Name, Type: t.Type, Shape: []int{wide, high}, Data: make([]byte, 0, len(t.Data))}
	for x := range wide {
		for y := range high {
			moved.Data = append(moved.Data, t.Data[(y*wide+x)*size:][:size]...)
		}
	}
	return &value{constant: moved}, nil
}
