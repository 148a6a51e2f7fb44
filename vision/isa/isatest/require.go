package isatest

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"tirewatch/vision/isa"
)

// RequireEnv is the environment variable that names the bodies which the tests of a package must
// exercise, separated by commas: a machine that lacks an instruction set then cannot pass for one
// that tests it. The name auto means every body that this CPU can run.
const RequireEnv = "KERNEL_REQUIRE"

// auto in RequireEnv means every body that this CPU can run.
const auto = "auto"

// Bodies are the names of one package's bodies.
type Bodies struct {
	Built []string // for this architecture, whatever the CPU
	Have  []string // that this CPU can run
}

// exercised holds the names of the bodies that a test ran.
var exercised sync.Map

// Main runs the tests of a package and exits. With RequireEnv it fails when a required body was not
// exercised, and auto prints one line for each body that this CPU lacks.
func Main(m *testing.M, b Bodies) { run(m, b, required()) }

// MainSets is Main for a package whose tests use [EachSet]. It ignores the names in RequireEnv that
// are kernels of vision/kernel and not instruction sets.
func MainSets(m *testing.M) {
	run(m, sets(), slices.DeleteFunc(required(), func(name string) bool {
		return name != auto && !slices.Contains(allSets(), name)
	}))
}

// Exercise runs f as a subtest and notes that the body of this name was exercised, unless f skips.
func Exercise(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		defer func() {
			if !t.Skipped() {
				Exercised(name)
			}
		}()
		f(t)
	})
}

// Exercised notes that a test ran the body of this name.
func Exercised(name string) {
	os.Getenv(RequireEnv) // without this read, go test would reuse a result of another requirement
	exercised.Store(name, true)
}

func required() []string {
	return strings.FieldsFunc(os.Getenv(RequireEnv), func(r rune) bool { return r == ',' })
}

func run(m *testing.M, b Bodies, require []string) {
	code := m.Run()
	missing, lacking := b.check(require, func(name string) bool {
		_, ok := exercised.Load(name)
		return ok
	})
	suite := strings.TrimSuffix(filepath.Base(os.Args[0]), ".test")
	for _, name := range lacking {
		fmt.Printf("%s: kernel %s not tested: this CPU lacks it\n", suite, name)
	}
	if code == 0 && len(missing) > 0 {
		for _, name := range missing {
			fmt.Fprintf(os.Stderr, "%s: %s: kernel %s was not exercised; this CPU has %s\n",
				suite, RequireEnv, name, strings.Join(b.Have, ", "))
		}
		code = 1
	}
	os.Exit(code)
}

// check lists the required bodies that no test exercised, and, where auto requires, those that this
// CPU lacks.
func (b Bodies) check(require []string, ran func(name string) bool) (missing, lacking []string) {
	for _, name := range require {
		if name != auto {
			missing = append(missing, name)
			continue
		}
		missing = append(missing, b.Have...)
		lacking = slices.Clone(b.Built)
		lacking = slices.DeleteFunc(lacking, func(name string) bool { return slices.Contains(b.Have, name) })
	}
	slices.Sort(missing)
	return slices.DeleteFunc(slices.Compact(missing), ran), lacking
}

// sets are the bodies of a package that has one for each instruction set.
func sets() Bodies {
	b := Bodies{Built: []string{isa.Generic.String()}}
	switch runtime.GOARCH {
	case "amd64":
		b.Built = append(b.Built, isa.AVX2.String(), isa.AVX512.String())
	case "arm64":
		b.Built = append(b.Built, isa.NEON.String())
	}
	for _, s := range isa.Have() {
		b.Have = append(b.Have, s.String())
	}
	return b
}

// allSets are the names of the instruction sets of every architecture.
func allSets() []string {
	return []string{isa.Generic.String(), isa.NEON.String(), isa.AVX2.String(), isa.AVX512.String()}
}
