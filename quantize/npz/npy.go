package npz

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// An array as NumPy stores it:
//
//	offset  bytes  content
//	0       6      "\x93NUMPY"
//	6       2      version: 1 0, or 2 0 and 3 0, which have a longer length field
//	8       2 (4)  length n of the header, little endian
//	10 (12) n      header: a Python dictionary, spaces up to a multiple of 64, a line feed
//	...            the numbers; the last axis varies fastest, or the first if fortran_order is True
//
// Source: numpy.lib.format in NumPy's documentation.
const (
	npyMagic  = "\x93NUMPY"
	maxHeader = 1 << 12 // bytes, with the magic
)

// encodeArray writes float32 numbers.
func encodeArray(v []float32, shape []int) []byte {
	dims := make([]string, len(shape))
	for i, d := range shape {
		dims[i] = strconv.Itoa(d)
	}
	tuple := strings.Join(dims, ", ")
	if len(dims) == 1 {
		tuple += "," // without it, Python reads a number
	}
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }", tuple)
	const before = len(npyMagic) + 4
	fill := 63 - (before+len(header))%64
	header += strings.Repeat(" ", fill) + "\n"
	b := append([]byte(npyMagic), 1, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(header)))
	b = append(b, header...)
	for _, f := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return b
}

var headerForm = regexp.MustCompile(`^\{'descr': '([^']{1,20})', 'fortran_order': (True|False), 'shape': \(([0-9, ]{0,100})\),? ?\}\s*$`)

// decodeArray reads float32 numbers of the given shape. In the result the last axis varies fastest.
func decodeArray(b []byte, want []int) ([]float32, error) {
	header, b, err := splitHeader(b)
	if err != nil {
		return nil, err
	}
	m := headerForm.FindStringSubmatch(header)
	if m == nil {
		return nil, fmt.Errorf("%w: header %.200q", ErrDamaged, header)
	}
	kind, fortran := m[1], m[2] == "True"
	var shape []int
	for d := range strings.SplitSeq(strings.TrimSuffix(m[3], ","), ",") {
		n, err := strconv.Atoi(strings.TrimSpace(d))
		if err != nil {
			n = -1 // never equals a wanted extent
		}
		shape = append(shape, n)
	}
	switch {
	case kind != "<f4":
		return nil, fmt.Errorf("%w: its numbers are of type %s, want float32 (<f4)", ErrArrays, kind)
	case !slices.Equal(shape, want):
		return nil, fmt.Errorf("%w: its shape is (%s), want %s", ErrArrays, m[3], tupleText(want))
	}
	size := 1
	for _, d := range want {
		size *= d
	}
	if len(b) != 4*size {
		return nil, fmt.Errorf("%w: %d bytes of numbers, want %d", ErrDamaged, len(b), 4*size)
	}
	v := make([]float32, size)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	if fortran {
		v = firstFastest(v, want)
	}
	return v, nil
}

// splitHeader returns the dictionary and the numbers after it.
func splitHeader(b []byte) (header string, rest []byte, err error) {
	if len(b) < 12 || !bytes.HasPrefix(b, []byte(npyMagic)) {
		return "", nil, fmt.Errorf("%w: it is not a NumPy array", ErrDamaged)
	}
	n, at := uint64(binary.LittleEndian.Uint16(b[8:])), 10
	if b[6] != 1 {
		n, at = uint64(binary.LittleEndian.Uint32(b[8:])), 12
	}
	if b[6] < 1 || b[6] > 3 || b[7] != 0 || n > uint64(len(b)-at) {
		return "", nil, fmt.Errorf("%w: version %d.%d, header of %d bytes", ErrDamaged, b[6], b[7], n)
	}
	return string(b[at:][:n]), b[at:][n:], nil
}

// firstFastest reorders an array whose first axis varies fastest, so that the last one does.
// numpy.savez writes the transpose of a matrix in that order.
func firstFastest(v []float32, shape []int) []float32 {
	moved := make([]float32, 0, len(v))
	at := make([]int, len(shape))
	for range v {
		from := 0
		for i := len(shape) - 1; i >= 0; i-- {
			from = from*shape[i] + at[i]
		}
		moved = append(moved, v[from])
		for i := len(shape) - 1; i >= 0; i-- {
			if at[i]++; at[i] < shape[i] {
				break
			}
			at[i] = 0
		}
	}
	return moved
}

// tupleText formats a shape as Python does.
func tupleText(shape []int) string {
	return "(" + strings.Trim(strings.ReplaceAll(fmt.Sprint(shape), " ", ", "), "[]") + ")"
}
