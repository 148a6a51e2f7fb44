package onnx

import (
	"encoding/binary"
	"slices"
)

// The file is one ModelProto of onnx.proto as Protocol Buffers write it. These are the fields that we need, with their numbers:
//
//	ModelProto        ir_version 1, producer_name 2, doc_string 6, graph 7, opset_import 8, metadata_props 14
//	OperatorSetIdProto     domain 1, version 2
//	StringStringEntryProto key 1, value 2
//	GraphProto        node 1, name 2, initializer 5, input 11, output 12
//	NodeProto         input 1, output 2, name 3, op_type 4, attribute 5, domain 7
//	AttributeProto    name 1, i 3, ints 8, type 20 (INT 2, INTS 7)
//	TensorProto       dims 1, data_type 2, name 8, raw_data 9
//	ValueInfoProto    name 1, type 2, doc_string 3
//	TypeProto         tensor_type 1; TypeProto.Tensor: elem_type 1, shape 2
//	TensorShapeProto  dim 1; Dimension: dim_value 1
//
// A field is its number and kind in a varint, then a varint, or a length and as many bytes. Source: onnx/onnx.proto in the ONNX
// repository, and the encoding page of the Protocol Buffers documentation.
const (
	kindVarint = 0
	kindBytes  = 2

	irVersion    = 7
	opset        = 13
	microsoftSet = 1
)

// message is a message under construction.
type message []byte

func (m *message) int(field int, v int64) {
	*m = binary.AppendUvarint(*m, uint64(field<<3|kindVarint))
	*m = binary.AppendUvarint(*m, uint64(v))
}

func (m *message) bytes(field int, b []byte) {
	*m = binary.AppendUvarint(*m, uint64(field<<3|kindBytes))
	*m = append(binary.AppendUvarint(*m, uint64(len(b))), b...)
}

// text leaves an empty string out, which reads back as one.
func (m *message) text(field int, s string) {
	if s != "" {
		m.bytes(field, []byte(s))
	}
}

// Encode gives the bytes of the file. The same model always makes the same bytes.
func (m *Model) Encode() []byte {
	var g message
	for i := range m.Nodes {
		g.bytes(1, m.Nodes[i].encode())
	}
	g.text(2, "tirewatch")
	for i := range m.Tensors {
		g.bytes(5, m.Tensors[i].encode())
	}
	for i := range m.Inputs {
		g.bytes(11, m.Inputs[i].encode())
	}
	for i := range m.Outputs {
		g.bytes(12, m.Outputs[i].encode())
	}

	var f message
	f.int(1, irVersion)
	f.text(2, "tirewatch")
	f.text(6, m.Doc)
	f.bytes(7, g)
	f.bytes(8, operatorSet("", opset))
	if slices.ContainsFunc(m.Nodes, func(n Node) bool { return n.Domain == Microsoft }) {
		f.bytes(8, operatorSet(Microsoft, microsoftSet))
	}
	for _, e := range m.Metadata {
		var entry message
		entry.text(1, e.Key)
		entry.text(2, e.Value)
		f.bytes(14, entry)
	}
	return f
}

func operatorSet(domain string, version int64) message {
	var m message
	m.text(1, domain)
	m.int(2, version)
	return m
}

func (n *Node) encode() message {
	var m message
	for _, s := range n.Inputs {
		m.bytes(1, []byte(s))
	}
	for _, s := range n.Outputs {
		m.bytes(2, []byte(s))
	}
	m.text(3, n.Name)
	m.text(4, n.Op)
	for _, a := range n.Attrs {
		m.bytes(5, a.encode())
	}
	m.text(7, n.Domain)
	return m
}

func (a *Attr) encode() message {
	const typeInt, typeInts = 2, 7
	var m message
	m.text(1, a.Name)
	if a.Ints == nil {
		m.int(3, a.Int)
		m.int(20, typeInt)
		return m
	}
	for _, v := range a.Ints {
		m.int(8, v)
	}
	m.int(20, typeInts)
	return m
}

func (t *Tensor) encode() message {
	var m message
	for _, d := range t.Shape {
		m.int(1, int64(d))
	}
	m.int(2, int64(t.Type))
	m.text(8, t.Name)
	m.bytes(9, t.Data)
	return m
}

func (v *Value) encode() message {
	var tensor, kind, m message
	tensor.int(1, int64(v.Type))
	if v.Shape != nil {
		var shape message
		for _, d := range v.Shape {
			var dim message
			dim.int(1, int64(d))
			shape.bytes(1, dim)
		}
		tensor.bytes(2, shape)
	}
	kind.bytes(1, tensor)
	m.text(1, v.Name)
	m.bytes(2, kind)
	m.text(3, v.Doc)
	return m
}
