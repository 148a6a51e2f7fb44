// Package onnx writes a network as an ONNX file, so that any other runtime can run it, and reads
// the networks of other tools.
//
//	train -> checkpoint -> Float    -> float.onnx
//	quantize -> bundle  -> Int8     -> int8.onnx
//	                    -> Int8QDQ  -> qdq.onnx
//	another tool        -> FILE.onnx -> Decode, Import -> checkpoint
//
// To write, start with [Float] or [Int8] and then [Model.Encode]. To read, start with [Decode] and
// then [Import]. Comparisons with other runtimes use Int8: its graph is the integer arithmetic of
// package infer in ONNX operators, so a runtime that follows their definition returns our sums to
// the last bit. All graphs that this package writes have ONNX's order (N, C, H, W) and take one
// image at a time:
//
//	image        float32 (1, C, H, W), pixel / 255, or uint8 (1, C, H, W), the pixel itself
//	probability  float32 (1, 1), of a crack
//	logit        float32 (1, 1), before the sigmoid; a station averages it over the frames of a tire
//
// Every other value is named after its layer, NAME/out; constants are NAME/w, NAME/b and
// NAME/scale.
//
// # Versions
//
// The operators are those of ONNX 1.8: operator set 13, file version 7. Int8 also needs QGemm of
// the set com.microsoft, version 1, because ONNX itself has no quantized dense layer with a bias.
// Int8QDQ needs only ONNX. Dropout acts in training only, so it has no node. The metadata hold the
// whole network, and Import restores names, dropout and threshold from them.
package onnx

import "errors"

// ErrUnsupported marks a network that this package cannot write as ONNX.
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

// size returns the number of bytes of one element, or 0 for an unsupported type.
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

// AnySize is an extent that the file leaves open, mostly that of the batch.
const AnySize = -1

// Model is an ONNX model: the nodes of the graph in execution order, and the constants that they
// read.
type Model struct {
	Doc       string
	Operators []OperatorSet // the sets that the nodes use
	Inputs    []Value
	Outputs   []Value
	Tensors   []Tensor
	Nodes     []Node
	Metadata  []Entry // ONNX viewers show it; runtimes ignore it
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
	Shape []int // nil: not stated
	Doc   string
}

// Tensor is a constant. A scalar has no shape.
type Tensor struct {
	Name    string
	Type    Type
	Shape   []int
	Data    []byte // little endian
	Outside bool   // the numbers are in another file, which this package does not read
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

// Attr is a constant of a node. Kind says which field holds its value.
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

// Microsoft is the domain of the operators that ONNX Runtime adds to those of ONNX.
const Microsoft = "com.microsoft"

// Names of the input and the outputs. All names made from a layer's name contain a slash, so these
// cannot clash with them.
const (
	Image       = "image"
	Logit       = "logit"
	Probability = "probability"
)
