package onnx_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"tirewatch/quantize/onnx"
	"tirewatch/vision/bundle/bundletest"
)

// A truncated file is never a valid smaller one, wherever it ends.
func TestEveryCutIsRefused(t *testing.T) {
	m := bundletest.Model(bundletest.Graph(), 2)
	e, err := onnx.Int8(&m)
	if err != nil {
		t.Fatal(err)
	}
	data := e.Encode()
	for n := range data {
		if got, err := onnx.Decode(data[:n]); !errors.Is(err, onnx.ErrDamaged) || got != nil {
			t.Fatalf("truncated to %d of %d bytes: error %v", n, len(data), err)
		}
	}
}

// raw writes Protocol Buffers by field number, for forms that our encoder never writes.
type raw []byte

func (r raw) bytes(field protowire.Number, b []byte) raw {
	return protowire.AppendBytes(protowire.AppendTag(r, field, protowire.BytesType), b)
}

func (r raw) int(field protowire.Number, v int64) raw {
	return protowire.AppendVarint(protowire.AppendTag(r, field, protowire.VarintType), uint64(v))
}

// rawFile returns a file with the single constant c.
func rawFile(c raw) []byte {
	return raw(nil).bytes(7, raw(nil).bytes(5, c)).bytes(8, raw(nil).int(2, 13))
}

// Tools store constants in four ways, with the same numbers.
func TestStorageForms(t *testing.T) {
	floats := binary.LittleEndian.AppendUint32(nil, math.Float32bits(1.5))
	packed := protowire.AppendVarint(protowire.AppendVarint(nil, 3), math.MaxUint64) // 3, -1
	three := []byte{3, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255}
	for name, c := range map[string]struct {
		tensor raw
		want   []byte
	}{
		"raw_data":               {raw(nil).int(1, 1).int(2, 1).bytes(9, floats), floats},
		"float_data":             {raw(nil).int(1, 1).int(2, 1).bytes(4, floats), floats},
		"int64_data, packed":     {raw(nil).int(1, 2).int(2, 7).bytes(7, packed), three},
		"int64_data, one by one": {raw(nil).int(1, 2).int(2, 7).int(7, 3).int(7, -1), three},
		"int32_data":             {raw(nil).int(1, 1).int(2, 6).int(5, -2), []byte{254, 255, 255, 255}},
		"int32_data of bytes":    {raw(nil).int(1, 2).int(2, 3).int(5, -2).int(5, 7), []byte{254, 7}},
		"dims packed":            {raw(nil).bytes(1, []byte{1, 1}).int(2, 1).bytes(9, floats), floats},
		"a scalar":               {raw(nil).int(2, 1).bytes(9, floats), floats},
	} {
		m, err := onnx.Decode(rawFile(c.tensor))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := m.Tensors[0].Data; !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	empty, nine := raw(nil).bytes(1, nil), bytes.Repeat([]byte{1}, 9)
	for name, data := range map[string][]byte{
		"empty":                           nil,
		"text":                            []byte("some text instead of a network"),
		"no operator set":                 raw(nil).bytes(7, empty),
		"no graph":                        raw(nil).bytes(8, raw(nil).int(2, 13)),
		"two graphs":                      raw(nil).bytes(7, empty).bytes(7, empty).bytes(8, raw(nil).int(2, 13)),
		"more numbers than there are":     rawFile(raw(nil).int(1, 1<<40).int(2, 1)),
		"a shape that overflows":          rawFile(raw(nil).int(1, 1<<28).int(1, 1<<28).int(1, 1<<28).int(2, 1)),
		"a negative extent":               rawFile(raw(nil).int(1, -1).int(2, 1)),
		"fewer numbers than its shape":    rawFile(raw(nil).int(1, 2).int(2, 1).bytes(9, make([]byte, 4))),
		"nine axes":                       rawFile(raw(nil).bytes(1, nine).int(2, 1).bytes(9, make([]byte, 4))),
		"more nodes than the limit":       raw(nil).bytes(7, bytes.Repeat(empty, 1<<13)).bytes(8, raw(nil).int(2, 13)),
		"a very long name":                raw(nil).bytes(6, make([]byte, 1<<20)),
		"a group, which ONNX never had":   {7<<3 | 3},
		"a field that ends in the middle": {7<<3 | 2, 100, 1},
	} {
		if m, err := onnx.Decode(data); !errors.Is(err, onnx.ErrDamaged) || m != nil {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
