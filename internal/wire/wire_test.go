package wire_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/tinylib/msgp/msgp"

	"tirewatch/internal/wire"
)

func TestCheck(t *testing.T) {
	floats := msgp.AppendArrayHeader(nil, 3)
	for range 3 {
		floats = msgp.AppendFloat32(floats, 1.5)
	}
	for name, c := range map[string]struct {
		b  []byte
		ok bool
	}{
		"an array within the limit":       {floats, true},
		"an array above the limit":        {msgp.AppendArrayHeader(nil, 5), false},
		"an array that ends early":        {floats[:len(floats)-1], false},
		"four billion elements, no bytes": {[]byte{0xdd, 0xff, 0xff, 0xff, 0xff}, false},
		"a map of two billion pairs":      {[]byte{0xdf, 0x7f, 0xff, 0xff, 0xff}, false},
		"something after the value":       {append(bytes.Clone(floats), 0), false},
		"nested without end":              {bytes.Repeat([]byte{0x91}, 1000), false},
		"nothing":                         {nil, false},
	} {
		if err := wire.Check(c.b, 4); (err == nil) != c.ok || err != nil && !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if n := testing.AllocsPerRun(10, func() { wire.Check(floats, 4) }); n > 0 {
		t.Errorf("%g allocations", n)
	}
}
