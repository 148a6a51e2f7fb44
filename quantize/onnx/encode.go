package onnx

import "math"

// Encode returns the bytes of the file. The same model always has the same bytes.
//
// The graph is the last field, with its length before it. So a truncated file is never a valid
// smaller one.
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
	for _, o := range m.Operators {
		var set message
		set.text(1, o.Domain)
		set.int(2, o.Version)
		f.bytes(8, set)
	}
	for _, e := range m.Metadata {
		var entry message
		entry.text(1, e.Key)
		entry.text(2, e.Value)
		f.bytes(14, entry)
	}
	f.bytes(7, g)
	return f
}

func (n *Node) encode() message {
	var m message
	for _, s := range n.Inputs {
		m.bytes(1, []byte(s)) // empty too: an omitted input keeps its place
	}
	for _, s := range n.Outputs {
		m.bytes(2, []byte(s))
	}
	m.text(3, n.Name)
	m.text(4, n.Op)
	for i := range n.Attrs {
		m.bytes(5, n.Attrs[i].encode())
	}
	m.text(7, n.Domain)
	return m
}

func (a *Attr) encode() message {
	var m message
	m.text(1, a.Name)
	switch a.Kind {
	case FloatAttr:
		m.fixed32(2, math.Float32bits(a.Float))
	case IntAttr:
		m.int(3, a.Int)
	case TextAttr:
		m.bytes(4, []byte(a.Text))
	case TensorAttr:
		m.bytes(5, a.Tensor.encode())
	case IntsAttr:
		for _, v := range a.Ints {
			m.int(8, v)
		}
	}
	m.int(20, int64(a.Kind))
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
			if d == AnySize {
				dim.text(2, "N")
			} else {
				dim.int(1, int64(d))
			}
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
