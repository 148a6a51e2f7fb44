// Package onnx writes a network as an ONNX file, so that any other runtime can carry it out, and
// reads the networks of other tools.
//
//	train -> checkpoint -> Float    -> float.onnx
//	quantize -> bundle  -> Int8     -> int8.onnx
//	                    -> Int8QDQ  -> qdq.onnx
//	another tool        -> FILE.onnx -> Decode, Import -> checkpoint
//
// Newcomers need Float and Int8 with Model.Encode behind them, or Decode and Import. The comparison
// with other runtimes stands on Int8: its graph is the integer law of package infer in ONNX's
// operators, so that a runtime that keeps to their definition gives our sums to the last bit. All
// graphs that we write are in ONNX's order (N, C, H, W) and take one image at a time:
//
//	image        float32 (1, C, H, W), pixel / 255, or uint8 (1, C, H, W), the pixel itself
//	probability  float32 (1, 1), of a crack
//	logit        float32 (1, 1), before the sigmoid: what a station takes the mean of over the frames of a tire
//
// Every other value is named after its layer, NAME/out; constants are NAME/w, NAME/b and
// NAME/scale.
//
// # Versions
//
// Operators are those of ONNX 1.8: operator set 13, file version 7. Int8 also needs QGemm of the
// set com.microsoft, version 1, because ONNX itself has no quantized dense layer with a bias;
// Int8QDQ needs nothing but ONNX. Dropout acts in training only and leaves a trace in the metadata
// alone, which carry the whole network for Import: names, dropout and threshold come back as they
// were.
package onnx

import "errors"

// ErrUnsupported marks a network that has no form in ONNX here.
var ErrUnsupported = errors.New("no ONNX form for this network")

// Type is an element type, numbered as in TensorProto.DataType.
type Type int64

const (
	Float32 Type = 1
	Uint8   Type = 2
	Int8s   Type = 3
	Int32   Type = 6
	Int64   Type = 7
	Bool    Type = 9
)

// size is the number of bytes of one element, 0 for a type that no network of ours has.
func (t Type) size() int64 {
	switch t {
	case Uint8, Int8s, Bool:
		return 1
	case Float32, Int32:
		return 4
	case Int64:
		return 8
	}
	return 0
}

// AnySize stands for an extent that the file leaves open, mostly that of the batch.
const AnySize = -1

// Model is an ONNX model: the graph's nodes in the order of execution, and the constants that they
// read.
type Model struct {
	Doc       string
	Operators []OperatorSet // that the nodes are taken from
	Inputs    []Value
	Outputs   []Value
	Tensors   []Tensor
	Nodes     []Node
	Metadata  []Entry // shown by every ONNX viewer; runtimes ignore it
}

// OperatorSet is a version of the operators of a domain.
type OperatorSet struct {
	Domain  string // empty for ONNX itself, or Microsoft
	Version int64
}

// Value is an input or output of the graph.
type Value struct {
	Name  string
	Type  Type
	Shape []int // nil: whatever the graph makes of it
	Doc   string
}

// Tensor is a constant. A scalar has no shape.
type Tensor struct {
	Name    string
	Type    Type
	Shape   []int
	Data    []byte // little endian
	Outside bool   // the numbers are in another file, which nobody reads here
}

// Node is one operation.
type Node struct {
	Op      string
	Domain  string // of the operator: empty for ONNX itself, or Microsoft
	Name    string
	Inputs  []string
	Outputs []string
	Attrs   []Attr
}

// Attr is a constant of a node. Its kind says which field holds it.
type Attr struct {
	Name   string
	Kind   AttrKind
	Float  float32
	Int    int64
	Text   string
	Tensor *Tensor
	Ints   []int64
}

// AttrKind is numbered as AttributeProto.AttributeType.
type AttrKind int64

const (
	FloatAttr  AttrKind = 1
	IntAttr    AttrKind = 2
	TextAttr   AttrKind = 3
	TensorAttr AttrKind = 4
	IntsAttr   AttrKind = 7
)

func intAttr(name string, v int64) Attr     { return Attr{Name: name, Kind: IntAttr, Int: v} }
func intsAttr(name string, v ...int64) Attr { return Attr{Name: name, Kind: IntsAttr, Ints: v} }

// Entry is a line of metadata.
type Entry struct{ Key, Value string }

// Microsoft is the domain of the operators that ONNX Runtime adds to ONNX.
const Microsoft = "com.microsoft"

// Names of the graph's ends. Names made from a layer's hold a slash, so these are never taken.
const (
	Image       = "image"
	Logit       = "logit"
	Probability = "probability"
)
