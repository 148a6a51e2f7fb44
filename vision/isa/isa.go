// Package isa says which instruction sets the loops over pixels may use: frame's luma and
// preprocess' resampling each have a generic Go body, which is the specification, and assembly
// bodies for some sets, which equal it byte for byte.
//
// A package with such bodies keeps Chosen() in a variable and switches on it; its tests walk
// through Have().
package isa

import (
	"os"
	"strings"
)

// Set is a group of instructions that a body needs.
type Set int

const (
	Generic Set = iota // plain Go
	NEON               // arm64: every CPU
	AVX2               // amd64: Haswell and later, Zen and later
	AVX512             // amd64 with F, BW, VBMI and VNNI: Ice Lake and later, Zen 4 and later
)

func (s Set) String() string { return [...]string{"generic", "neon", "avx2", "avx512"}[s] }

// Env is the environment variable that forces the bodies of one set, for tests and measurements;
// vision/kernel reads it too.
const Env = "TIREWATCH_KERNEL"

// Have lists the sets of this CPU, the best last.
func Have() []Set { return append([]Set{Generic}, detect()...) }

// Chosen is the set that Env names, or else the best one. The name of a kernel stands for the set
// that it begins with, as avx512vnni for avx512: a measurement of a kernel runs the whole program
// on what that CPU has.
func Chosen() Set { return choose(Have(), os.Getenv(Env)) }

func choose(have []Set, name string) Set {
	for _, s := range have {
		if strings.HasPrefix(name, s.String()) {
			return s
		}
	}
	return have[len(have)-1]
}
