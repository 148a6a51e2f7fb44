package onnx

import (
	"google.golang.org/protobuf/encoding/protowire"
)

// The file is one ModelProto of onnx.proto, encoded as Protocol Buffers. These are the fields that
// this package uses, with their numbers. decode.go also reads the other forms in which tools store
// the same data:
//
//	ModelProto        ir_version 1, producer_name 2, doc_string 6, graph 7, opset_import 8,
//	                  metadata_props 14
//	OperatorSetIdProto     domain 1, version 2
//	StringStringEntryProto key 1, value 2
//	GraphProto        node 1, name 2, initializer 5, input 11, output 12
//	NodeProto         input 1, output 2, name 3, op_type 4, attribute 5, domain 7
//	AttributeProto    name 1, f 2, i 3, s 4, t 5, floats 7, ints 8, type 20
//	TensorProto       dims 1, data_type 2, float_data 4, int32_data 5, int64_data 7, name 8,
//	                  raw_data 9, data_location 14
//	ValueInfoProto    name 1, type 2, doc_string 3
//	TypeProto         tensor_type 1; TypeProto.Tensor: elem_type 1, shape 2
//	TensorShapeProto  dim 1; Dimension: dim_value 1, dim_param 2
//
// A field is a varint with its number and kind, and then a varint, four or eight bytes, or a length
// and as many bytes. Sources: onnx/onnx.proto in the ONNX repository, and the page "Encoding" of
// the Protocol Buffers documentation. Package protowire implements the encoding.
const (
	irVersion    = 7
	opset        = 13
	microsoftSet = 1
)

// message is a message under construction.
type message []byte

func (m *message) int(field protowire.Number, v int64) {
	*m = protowire.AppendVarint(protowire.AppendTag(*m, field, protowire.VarintType), uint64(v))
}

func (m *message) fixed32(field protowire.Number, v uint32) {
	*m = protowire.AppendFixed32(protowire.AppendTag(*m, field, protowire.Fixed32Type), v)
}

func (m *message) bytes(field protowire.Number, b []byte) {
	*m = protowire.AppendBytes(protowire.AppendTag(*m, field, protowire.BytesType), b)
}

// text omits an empty string: a missing field is read as an empty string.
func (m *message) text(field protowire.Number, s string) {
	if s != "" {
		m.bytes(field, []byte(s))
	}
}

// field is one decoded field of a message: a number or bytes.
type field struct {
	number protowire.Number
	value  uint64 // of a varint, or the bits of a fixed number
	bytes  []byte // part of the file, nil for a number
}

// eachField calls use for each field of a message. It allocates nothing and reads each byte once.
func eachField(m []byte, use func(f field) error) error {
	for len(m) > 0 {
		number, kind, n := protowire.ConsumeTag(m)
		if n < 0 {
			return damaged(protowire.ParseError(n))
		}
		m = m[n:]
		f := field{number: number}
		switch kind {
		case protowire.VarintType:
			f.value, n = protowire.ConsumeVarint(m)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(m)
			f.value = uint64(v)
		case protowire.Fixed64Type:
			f.value, n = protowire.ConsumeFixed64(m)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(m)
		default: // groups, which ONNX never had
			return damagedf("field %d has the unsupported kind %d", number, kind)
		}
		if n < 0 {
			return damaged(protowire.ParseError(n))
		}
		m = m[n:]
		if err := use(f); err != nil {
			return err
		}
	}
	return nil
}

// varints appends the numbers of a repeated field: one number, or many packed into bytes.
func (f field) varints(to []int64, limit int) ([]int64, error) {
	if f.bytes == nil {
		to = append(to, int64(f.value))
	}
	for b := f.bytes; len(b) > 0 && len(to) <= limit; {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return nil, damaged(protowire.ParseError(n))
		}
		to, b = append(to, int64(v)), b[n:]
	}
	if len(to) > limit {
		return nil, damagedf("a list of more than %d numbers", limit)
	}
	return to, nil
}
