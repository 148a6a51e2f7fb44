package onnx

import (
	"errors"
	"fmt"
	"slices"
)

// operator says how Import runs an operator: one way if the image is among its inputs, another if
// all inputs are constants.
type operator struct {
	inputs      int // number of required inputs
	onImage     func(*walk, call) (*value, error)
	onConstants func(*walk, call) (*value, error)
}

// operators lists all supported operators. Source of the definitions: Operators.md in the ONNX
// repository.
var operators map[string]operator

func init() { // the functions use the table, so it cannot be initialized in place
	operators = map[string]operator{
		"Conv":    {2, (*walk).conv, nil},
		"MaxPool": {1, (*walk).maxPool, nil},
		"Gemm":    {2, (*walk).gemm, nil},
		"MatMul":  {2, (*walk).matMul, nil},
		"Relu":    {1, (*walk).relu, nil},
		"Sigmoid": {1, (*walk).headOf, nil},
		"Softmax": {1, (*walk).headOf, nil},
		"Dropout": {1, (*walk).dropout, nil},
		"Clip":    {1, (*walk).clip, nil},
		"TopK":    {2, (*walk).topK, nil},

		"AveragePool":       {1, (*walk).averagePool, nil},
		"GlobalAveragePool": {1, (*walk).globalAveragePool, nil},
		"ReduceMean":        {1, (*walk).reduceMean, nil},

		"Add": {2, (*walk).addBias, foldLists(computeLists)},
		"Mul": {2, (*walk).multiply, foldLists(computeLists)},
		"Div": {2, (*walk).multiply, foldLists(computeLists)},
		"Sub": {2, nil, foldLists(computeLists)},

		"Identity":  {1, same, same},
		"Cast":      {1, (*walk).cast, foldCast},
		"Transpose": {1, (*walk).transpose, foldTranspose},
		"Reshape":   {2, reshape(reshapeTo), reshape(reshapeTo)},
		"Flatten":   {1, reshape(flattenTo), reshape(flattenTo)},
		"Squeeze":   {1, reshape(squeezeTo), reshape(squeezeTo)},
		"Unsqueeze": {1, reshape(unsqueezeTo), reshape(unsqueezeTo)},

		"Constant": {0, nil, foldConstant},
		"Shape":    {1, foldShape, foldShape},
		"Gather":   {2, nil, foldLists(gatherLists)},
		"Concat":   {1, nil, foldLists(concatLists)},
		"Slice":    {3, nil, foldLists(sliceLists)},
	}
}

// quantizedOps are the operators of quantized networks.
var quantizedOps = []string{"QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul", "QGemm",
	"ConvInteger", "MatMulInteger", "DynamicQuantizeLinear", "QLinearAdd"}

func same(_ *walk, c call) (*value, error) { return c.in[0], nil }

// cast returns the image unchanged: this project computes it in float32, whatever type the file
// uses.
func (w *walk) cast(c call) (*value, error) {
	if to := Type(c.intAttr("to", 0)); to != Float32 {
		return nil, c.refuse("it casts to type %d, want float32", to)
	}
	return c.in[0], nil
}

func (w *walk) transpose(c call) (*value, error) {
	v := c.in[0]
	l, err := v.layout.transpose(c.attr("perm").Ints)
	if err != nil {
		return nil, c.refuse("%v", err)
	}
	return &value{layout: l, changes: v.changes}, nil
}

// reshape changes the extents of the first input. shape computes the new ones from the old ones.
func reshape(shape func(w *walk, c call, dims []int) ([]int64, bool, error)) func(*walk, call) (*value, error) {
	return func(w *walk, c call) (*value, error) {
		v := c.in[0]
		l := v.layout
		if v.constant != nil {
			l = layout{dims: v.constant.Shape}
		}
		to, zeroKeeps, err := shape(w, c, l.dims)
		if err == nil {
			l, err = l.reshape(to, zeroKeeps)
		}
		if err != nil {
			return nil, c.refuse("%v", err)
		}
		made := &value{layout: l, changes: v.changes}
		if v.constant != nil {
			t := *v.constant
			t.Shape = l.dims
			made = &value{constant: &t}
		}
		return made, nil
	}
}

func reshapeTo(_ *walk, c call, _ []int) ([]int64, bool, error) {
	t, err := c.constant(1)
	if err != nil {
		return nil, false, err
	}
	to, err := t.ints()
	return to, c.intAttr("allowzero", 0) == 0, err
}

func flattenTo(_ *walk, c call, dims []int) ([]int64, bool, error) {
	axis := int(c.intAttr("axis", 1))
	if axis < 0 {
		axis += len(dims)
	}
	before := int64(1)
	for i, d := range dims {
		if i < axis {
			before *= int64(d)
		}
	}
	return []int64{before, -1}, false, nil
}

// axes returns the axes, which are an attribute before operator set 13 and an input since then. It
// returns nil if there are none.
func axes(c call) ([]int64, error) {
	t, err := c.constant(1)
	if t == nil || err != nil {
		return c.attr("axes").Ints, err
	}
	return t.ints()
}

// isAxis reports whether axis i of rank is in a list, where negative numbers count from the end.
func isAxis(list []int64, i, rank int) bool {
	return slices.Contains(list, int64(i)) || slices.Contains(list, int64(i-rank))
}

func squeezeTo(_ *walk, c call, dims []int) ([]int64, bool, error) {
	drop, err := axes(c)
	var to []int64
	for i, d := range dims {
		if d != 1 || drop != nil && !isAxis(drop, i, len(dims)) {
			to = append(to, int64(d))
		}
	}
	return to, false, err
}

func unsqueezeTo(_ *walk, c call, dims []int) ([]int64, bool, error) {
	added, err := axes(c)
	rank := len(dims) + len(added)
	if err != nil || len(added) == 0 || rank > maxRank {
		return nil, false, errors.Join(fmt.Errorf("invalid axes %v for %v", added, dims), err)
	}
	var to []int64
	for i := range rank {
		if isAxis(added, i, rank) {
			to = append(to, 1)
		} else if len(dims) > 0 {
			to, dims = append(to, int64(dims[0])), dims[1:]
		}
	}
	return to, false, nil
}
