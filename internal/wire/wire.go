// Package wire checks MessagePack from outside before it is decoded: bundles, checkpoints and
// verdicts.
//
// A decoder allocates an array before it reads the elements, so a few hostile bytes can make it
// allocate all memory. [Check], the one call of this package, walks over the bytes first and
// allocates nothing.
package wire

import (
	"errors"
	"fmt"

	"github.com/tinylib/msgp/msgp"
)

// ErrMalformed marks bytes that are not one well-formed value within the limits.
var ErrMalformed = errors.New("malformed MessagePack")

// maxNesting is more than any of our formats needs.
const maxNesting = 8

// Check returns nil if b holds exactly one MessagePack value and none of its arrays and maps has
// more than limit elements. Otherwise the error wraps ErrMalformed.
func Check(b []byte, limit int) error {
	rest, err := walk(b, limit, 0)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d extra bytes after the value", len(rest))
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return nil
}

// walk returns the bytes after the first value of b.
func walk(b []byte, limit, depth int) ([]byte, error) {
	if depth > maxNesting {
		return nil, fmt.Errorf("nested deeper than %d", maxNesting)
	}
	var n uint32
	var err error
	per := 1 // values in one element
	switch msgp.NextType(b) {
	case msgp.ArrayType:
		n, b, err = msgp.ReadArrayHeaderBytes(b)
	case msgp.MapType:
		n, b, err = msgp.ReadMapHeaderBytes(b)
		per = 2
	default:
		return msgp.Skip(b)
	}
	if err == nil && int64(n) > int64(limit) {
		err = fmt.Errorf("%d elements, the limit is %d", n, limit)
	}
	for i := 0; i < int(n)*per && err == nil; i++ {
		b, err = walk(b, limit, depth+1)
	}
	return b, err
}
