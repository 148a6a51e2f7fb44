package bundle_test

import (
	"fmt"
	"log"

	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
)

func ExampleDecode() {
	signed, err := bundle.Encode(bundletest.Small(7), bundletest.Key(1))
	if err != nil {
		log.Fatal(err)
	}
	b, err := bundle.Decode(signed, bundletest.Public(1))
	if err != nil {
		log.Fatal(err)
	}
	_, err = b.SelfTest()
	fmt.Println("serial", b.Serial, "self-test error", err)

	signed[100]++
	_, err = bundle.Decode(signed, bundletest.Public(1))
	fmt.Println(err)
	// Output:
	// serial 7 self-test error <nil>
	// bundle was changed: its signature does not match
}
