package wire_test

import (
	"fmt"

	"tirewatch/internal/wire"
)

func ExampleCheck() {
	pair := []byte{0x92, 1, 2}                      // an array of two numbers
	hostile := []byte{0xdd, 0xff, 0xff, 0xff, 0xff} // says that four billion elements follow
	fmt.Println(wire.Check(pair, 100))
	fmt.Println(wire.Check(hostile, 100))
	// Output:
	// <nil>
	// malformed MessagePack: 4294967295 elements, the limit is 100
}
