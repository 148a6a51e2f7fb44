// Package isatest helps to test loops that have an implementation for each instruction set.
// [EachSet] runs a test with every set of this CPU. [Guarded] returns memory in which an access
// outside the slice ends the test program.
package isatest

import (
	"os"
	"slices"
	"strings"
	"testing"

	"tirewatch/vision/isa"
)

// EachSet runs f with the bodies of every instruction set of this CPU, by way of the package's
// variable set. KERNEL_REQUIRE=avx2,neon fails where one is missing.
func EachSet(t *testing.T, set *isa.Set, f func(t *testing.T)) {
	t.Helper()
	before := *set
	defer func() { *set = before }()
	var have []string
	for _, s := range isa.Have() {
		*set = s
		have = append(have, s.String())
		t.Run(s.String(), f)
	}
	for _, name := range strings.Split(os.Getenv("KERNEL_REQUIRE"), ",") {
		if (name == "avx2" || name == "avx512" || name == "neon") && !slices.Contains(have, name) {
			t.Errorf("KERNEL_REQUIRE names %s, this CPU has %v", name, have)
		}
	}
}
