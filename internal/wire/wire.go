// Package wire guards the decoding of MessagePack that came from outside: bundles, checkpoints,
// verdicts.
//
// A decoder allocates an array before it reads the elements, so a few hostile bytes can ask for all
// memory. Check walks over the bytes first, allocating nothing. It is the one call of the package.
package wire

import (
	"errors"
	"fmt"

	"github.com/tinylib/msgp/msgp"
)

// ErrMalformed marks bytes that are not one well-formed value within the limits.
var ErrMalformed = errors.New("malformed MessagePack")

// maxNesting is deeper than anything of ours.
const maxNesting = 8

// Check makes sure that b holds exactly one MessagePack value, no array or map of which has more
// than limit elements. The error wraps ErrMalformed.
func Check(b []byte, limit int) error {
	rest, err := walk(b, limit, 0)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes behind the value", len(rest))
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return nil
}

// walk returns what is behind the first value of b.
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
