package onnx_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"tirewatch/quantize/onnx"
)

// field is one field of a Protocol Buffers message: a number or bytes.
type field struct {
	number int
	value  int64
	bytes  []byte
}

// fields takes a message apart. It knows the encoding and nothing of how our encoder works.
func fields(t testing.TB, m []byte) []field {
	t.Helper()
	varint := func() uint64 {
		v, n := binary.Uvarint(m)
		if n <= 0 {
			t.Fatalf("broken varint before %x", m)
		}
		m = m[n:]
		return v
	}
	var fs []field
	for len(m) > 0 {
		key := varint()
		f := field{number: int(key >> 3)}
		switch key & 7 {
		case 0:
			f.value = int64(varint())
		case 2:
			n := varint()
			if n > uint64(len(m)) {
				t.Fatalf("field %d of %d bytes, %d are left", f.number, n, len(m))
			}
			f.bytes, m = m[:n], m[n:]
		default:
			t.Fatalf("field %d of kind %d", f.number, key&7)
		}
		fs = append(fs, f)
	}
	return fs
}

// file is what a reader of the ONNX file learns.
type file struct {
	version int64
	opsets  map[string]int64
	onnx.Model
}

// decode reads an ONNX file by the field numbers of onnx.proto. A field that it does not know fails the test.
func decode(t testing.TB, data []byte) *file {
	t.Helper()
	f := &file{opsets: map[string]int64{}}
	for _, v := range fields(t, data) {
		switch v.number {
		case 1:
			f.version = v.value
		case 2: // producer_name
		case 6:
			f.Doc = string(v.bytes)
		case 7:
			f.graph(t, v.bytes)
		case 8:
			domain, version := "", int64(0)
			for _, o := range fields(t, v.bytes) {
				switch o.number {
				case 1:
					domain = string(o.bytes)
				case 2:
					version = o.value
				}
			}
			f.opsets[domain] = version
		case 14:
			var e onnx.Entry
			for _, o := range fields(t, v.bytes) {
				switch o.number {
				case 1:
					e.Key = string(o.bytes)
				case 2:
					e.Value = string(o.bytes)
				}
			}
			f.Metadata = append(f.Metadata, e)
		default:
			t.Fatalf("ModelProto has no field %d here", v.number)
		}
	}
	return f
}

func (f *file) graph(t testing.TB, m []byte) {
	for _, v := range fields(t, m) {
		switch v.number {
		case 1:
			f.Nodes = append(f.Nodes, node(t, v.bytes))
		case 2: // name
		case 5:
			f.Tensors = append(f.Tensors, constant(t, v.bytes))
		case 11:
			f.Inputs = append(f.Inputs, value(t, v.bytes))
		case 12:
			f.Outputs = append(f.Outputs, value(t, v.bytes))
		default:
			t.Fatalf("GraphProto has no field %d here", v.number)
		}
	}
}

func node(t testing.TB, m []byte) (n onnx.Node) {
	for _, v := range fields(t, m) {
		switch v.number {
		case 1:
			n.Inputs = append(n.Inputs, string(v.bytes))
		case 2:
			n.Outputs = append(n.Outputs, string(v.bytes))
		case 3:
			n.Name = string(v.bytes)
		case 4:
			n.Op = string(v.bytes)
		case 5:
			n.Attrs = append(n.Attrs, attr(t, v.bytes))
		case 7:
			n.Domain = string(v.bytes)
		default:
			t.Fatalf("NodeProto has no field %d here", v.number)
		}
	}
	return n
}

func attr(t testing.TB, m []byte) (a onnx.Attr) {
	kind := int64(0)
	for _, v := range fields(t, m) {
		switch v.number {
		case 1:
			a.Name = string(v.bytes)
		case 3:
			a.Int = v.value
		case 8:
			a.Ints = append(a.Ints, v.value)
		case 20:
			kind = v.value
		default:
			t.Fatalf("AttributeProto has no field %d here", v.number)
		}
	}
	if want := map[bool]int64{true: 7, false: 2}[a.Ints != nil]; kind != want {
		t.Fatalf("attribute %s is of type %d, want %d", a.Name, kind, want)
	}
	return a
}

func constant(t testing.TB, m []byte) (c onnx.Tensor) {
	for _, v := range fields(t, m) {
		switch v.number {
		case 1:
			c.Shape = append(c.Shape, int(v.value))
		case 2:
			c.Type = onnx.Type(v.value)
		case 8:
			c.Name = string(v.bytes)
		case 9:
			c.Data = v.bytes
		default:
			t.Fatalf("TensorProto has no field %d here", v.number)
		}
	}
	return c
}

func value(t testing.TB, m []byte) (v onnx.Value) {
	for _, f := range fields(t, m) {
		switch f.number {
		case 1:
			v.Name = string(f.bytes)
		case 2:
			tensor := only(t, fields(t, f.bytes), 1)
			for _, f := range fields(t, tensor) {
				switch f.number {
				case 1:
					v.Type = onnx.Type(f.value)
				case 2:
					for _, f := range fields(t, f.bytes) {
						dim := fields(t, f.bytes)
						if len(dim) != 1 || dim[0].number != 1 {
							t.Fatalf("dimension %v", dim)
						}
						v.Shape = append(v.Shape, int(dim[0].value))
					}
				}
			}
		case 3:
			v.Doc = string(f.bytes)
		}
	}
	return v
}

func only(t testing.TB, fs []field, number int) []byte {
	t.Helper()
	if len(fs) != 1 || fs[0].number != number {
		t.Fatal(fmt.Errorf("fields %v, want field %d alone", fs, number))
	}
	return fs[0].bytes
}
