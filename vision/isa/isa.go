// Package isa says which instruction sets the loops over pixels may use. The luma of package frame
// and the resampling of package preprocess have a generic Go implementation, which is the
// specification, and assembly for some sets, which equals it byte for byte.
//
// A package with such loops keeps [Chosen] in a variable and switches on it. Its tests run all sets
// that [Have] returns.
package isa

import (
	"os"
	"strings"
)

// Set is a group of instructions that an implementation needs.
type Set int

const (
	Generic Set = iota // plain Go
	NEON               // arm64: every CPU
	AVX2               // amd64: Haswell and later, Zen and later
	AVX512             // amd64 with F, BW, VBMI and VNNI: Ice Lake and later, Zen 4 and later
)

func (s Set) String() string { return [...]string{"generic", "neon", "avx2", "avx512"}[s] }

// Env is the environment variable that selects one set, for tests and measurements. Package kernel
// reads it too.
const Env = "TIREWATCH_KERNEL"

// Have returns the sets of this CPU, the best last.
func Have() []Set { return append([]Set{Generic}, detect()...) }

// Chosen returns the set that Env names, otherwise the best one. The name of a kernel selects the
// set at its beginning, as avx512vnni selects avx512, so that a measurement of a kernel runs the
// whole program as on such a CPU.
func Chosen() Set { return choose(Have(), os.Getenv(Env)) }

func choose(have []Set, name string) Set {
	for _, s := range have {
		if strings.HasPrefix(name, s.String()) {
			return s
		}
	}
	return have[len(have)-1]
}
