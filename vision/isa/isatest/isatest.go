// Package isatest helps to test loops that have an implementation for each instruction set.
// [EachSet] runs a test with every set of this CPU. [Main] fails a run that missed a required one.
// [Guarded] returns memory in which an access outside the slice ends the test program.
package isatest

import (
	"testing"

	"tirewatch/vision/isa"
)

// EachSet runs f as a subtest with the bodies of every instruction set of this CPU, by way of the
// package's variable set.
func EachSet(t *testing.T, set *isa.Set, f func(t *testing.T)) {
	t.Helper()
	before := *set
	defer func() { *set = before }()
	for _, s := range isa.Have() {
		*set = s
		Exercise(t, s.String(), f)
	}
}
