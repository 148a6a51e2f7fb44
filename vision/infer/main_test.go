package infer_test

import (
	"testing"

	"tirewatch/vision/isa/isatest"
	"tirewatch/vision/kernel"
)

// The tests of vision/kernel print the kernels that this CPU lacks; these only have to run the
// rest.
func TestMain(m *testing.M) {
	var have []string
	for _, b := range kernel.Bodies() {
		have = append(have, b.Name())
	}
	isatest.Main(m, isatest.Bodies{Have: have})
}
