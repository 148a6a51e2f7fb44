package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// ErrDamaged marks bytes that are not a complete ONNX file.
var ErrDamaged = errors.New("not an ONNX file, or a damaged one")

func damaged(err error) error { return fmt.Errorf("%w: %w", ErrDamaged, err) }

func damagedf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// Limits for files of other tools, far above any network that package graph supports. One byte of a
// file may need much more memory, an empty node a hundred times. So everything is counted.
const (
	MaxSize = 1 << 28 // bytes of a file

	maxNodes = 1 << 12 // nodes, constants, and entries of any other list of a file
	maxNames = 1 << 6  // inputs, outputs or attributes of one node
	maxRank  = 1 << 3  // axes of a constant
	// numbers of an attribute, or of a constant that is stored as a list of varints
	maxInts   = 1 << 20
	maxString = 1 << 16 // bytes of a text; metadata may hold a whole network
)

// Decode reads an ONNX file. Constants in all storage forms become little endian bytes; tensors
// share the memory of data. Fields that Model does not have are ignored. The error wraps
// ErrDamaged.
func Decode(data []byte) (*Model, error) {
	if len(data) > MaxSize {
		return nil, damagedf("%d bytes, the limit is %d", len(data), MaxSize)
	}
	m := new(Model)
	var graphs int
	err := eachField(data, func(f field) (err error) {
		switch f.number {
		case 6:
			m.Doc, err = f.text()
		case 7:
			graphs++
			err = m.decodeGraph(f.bytes)
		case 8:
			err = list(&m.Operators, maxNames, f, decodeOperatorSet)
		case 14:
			err = list(&m.Metadata, maxNames, f, decodeEntry)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if graphs != 1 || len(m.Operators) == 0 {
		return nil, damagedf("%d graphs and %d operator sets, want 1 graph and its set", graphs, len(m.Operators))
	}
	return m, nil
}

// list appends the element in a field, and refuses more than limit elements.
func list[T any](to *[]T, limit int, f field, decode func([]byte) (T, error)) error {
	if len(*to) == limit {
		return damagedf("field %d appears more than %d times", f.number, limit)
	}
	v, err := decode(f.bytes)
	*to = append(*to, v)
	return err
}

func (f field) text() (string, error) {
	if len(f.bytes) > maxString {
		return "", damagedf("a text of %d bytes", len(f.bytes))
	}
	return string(f.bytes), nil
}

func decodeText(b []byte) (string, error) { return field{bytes: b}.text() }

func decodeOperatorSet(b []byte) (o OperatorSet, err error) {
	err = eachField(b, func(f field) (err error) {
		switch f.number {
		case 1:
			o.Domain, err = f.text()
		case 2:
			o.Version = int64(f.value)
		}
		return err
	})
	return o, err
}

func decodeEntry(b []byte) (e Entry, err error) {
	err = eachField(b, func(f field) (err error) {
		switch f.number {
		case 1:
			e.Key, err = f.text()
		case 2:
			e.Value, err = f.text()
		}
		return err
	})
	return e, err
}

func (m *Model) decodeGraph(b []byte) error {
	return eachField(b, func(f field) error {
		switch f.number {
		case 1:
			return list(&m.Nodes, maxNodes, f, decodeNode)
		case 5:
			return list(&m.Tensors, maxNodes, f, decodeTensor)
		case 11:
			return list(&m.Inputs, maxNodes, f, decodeValue)
		case 12:
			return list(&m.Outputs, maxNodes, f, decodeValue)
		}
		return nil
	})
}

func decodeNode(b []byte) (n Node, err error) {
	err = eachField(b, func(f field) (err error) {
		switch f.number {
		case 1:
			err = list(&n.Inputs, maxNames, f, decodeText)
		case 2:
			err = list(&n.Outputs, maxNames, f, decodeText)
		case 3:
			n.Name, err = f.text()
		case 4:
			n.Op, err = f.text()
		case 5:
			err = list(&n.Attrs, maxNames, f, decodeAttr)
		case 7:
			n.Domain, err = f.text()
		}
		return err
	})
	return n, err
}

func decodeAttr(b []byte) (a Attr, err error) {
	err = eachField(b, func(f field) (err error) {
		switch f.number {
		case 1:
			a.Name, err = f.text()
		case 2:
			a.Float = math.Float32frombits(uint32(f.value))
		case 3:
			a.Int = int64(f.value)
		case 4:
			a.Text, err = f.text()
		case 5:
			var t Tensor
			t, err = decodeTensor(f.bytes)
			a.Tensor = &t
		case 8:
			a.Ints, err = f.varints(a.Ints, maxInts)
		case 20:
			a.Kind = AttrKind(f.value)
		}
		return err
	})
	return a, err
}

func decodeTensor(b []byte) (t Tensor, err error) {
	var dims, ints []int64
	var floats, lists int
	err = eachField(b, func(f field) (err error) {
		switch f.number {
		case 1:
			dims, err = f.varints(dims, maxRank)
		case 2:
			t.Type = Type(f.value)
		case 4: // packed, or one at a time
			floats++
			if t.Data = f.bytes; f.bytes == nil || floats > 1 {
				err = damagedf("the numbers of a constant are split")
			}
		case 5, 7:
			lists++
			ints, err = f.varints(ints, maxInts)
		case 8:
			t.Name, err = f.text()
		case 9:
			floats++
			t.Data = f.bytes
		case 14:
			t.Outside = f.value == 1
		}
		return err
	})
	if err != nil {
		return t, err
	}
	if lists > 0 && floats == 0 {
		t.Data = packed(ints, t.Type)
	}
	t.Data = slices.Clip(t.Data)
	return t, t.shape(dims)
}

// packed returns the numbers of int32_data or int64_data in the form of raw_data.
func packed(ints []int64, t Type) []byte {
	var b []byte
	for _, v := range ints {
		switch t {
		case Int64:
			b = binary.LittleEndian.AppendUint64(b, uint64(v))
		case Int32:
			b = binary.LittleEndian.AppendUint32(b, uint32(v))
		default: // bytes and truth values
			b = append(b, byte(v))
		}
	}
	return b
}

// shape sets the shape of a constant and checks that it has as many numbers. Unsupported types are
// not checked.
func (t *Tensor) shape(dims []int64) error {
	values := int64(1)
	for _, d := range dims {
		if d < 0 || d > MaxSize || values*max(d, 1) > MaxSize {
			return damagedf("constant %s has the invalid shape %v", t.Name, dims)
		}
		values *= d
		t.Shape = append(t.Shape, int(d))
	}
	if size := t.Type.size(); size > 0 && !t.Outside && int64(len(t.Data)) != values*size {
		return damagedf("constant %s of shape %v holds %d bytes, want %d", t.Name, dims, len(t.Data), values*size)
	}
	return nil
}

func decodeValue(b []byte) (v Value, err error) {
	err = eachField(b, func(f field) (err error) {
		switch f.number {
		case 1:
			v.Name, err = f.text()
		case 2:
			err = v.decodeType(f.bytes)
		case 3:
			v.Doc, err = f.text()
		}
		return err
	})
	return v, err
}

func (v *Value) decodeType(b []byte) error {
	return eachField(b, func(f field) error {
		if f.number != 1 { // a sequence or a map
			return nil
		}
		return eachField(f.bytes, func(f field) error {
			switch f.number {
			case 1:
				v.Type = Type(f.value)
			case 2:
				v.Shape = []int{}
				return eachField(f.bytes, func(f field) error {
					if f.number != 1 {
						return nil
					}
					return list(&v.Shape, maxRank, f, decodeDim)
				})
			}
			return nil
		})
	})
}

func decodeDim(b []byte) (int, error) {
	d := AnySize
	err := eachField(b, func(f field) error {
		// some tools write 0 or -1 for any size
		if f.number == 1 && f.value > 0 && f.value <= MaxSize {
			d = int(f.value)
		}
		return nil
	})
	return d, err
}
