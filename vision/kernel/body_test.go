package kernel

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// exercised notes the bodies that eachBody ran.
var exercised sync.Map

// eachBody runs f as a subtest for every body of this CPU.
func eachBody(t *testing.T, f func(t *testing.T, b *Body)) {
	for _, b := range Bodies() {
		t.Run(b.name, func(t *testing.T) {
			exercised.Store(b.name, true)
			f(t, b)
		})
	}
}

const requireEnv = "KERNEL_REQUIRE"

// KERNEL_REQUIRE=avx2,avx512vnni fails the run when one of these bodies was not exercised, so that
// a machine that lacks an instruction set cannot pass for one that tests it.
func TestMain(m *testing.M) {
	code := m.Run()
	if names := os.Getenv(requireEnv); names != "" && code == 0 {
		for _, name := range strings.Split(names, ",") {
			if _, ok := exercised.Load(name); !ok {
				fmt.Fprintf(os.Stderr, requireEnv+": kernel %s was not exercised; this CPU has %s\n", name, bodyNames())
				code = 1
			}
		}
	}
	os.Exit(code)
}

// A test must look at the variable, or the go command would answer from its cache.
func TestRequiredKernelsExist(t *testing.T) {
	for _, name := range strings.Split(os.Getenv(requireEnv), ",") {
		if _, err := Choose(name); name != "" && err != nil {
			t.Errorf("%s: %v", requireEnv, err)
		}
	}
}

func bodyNames() string {
	var names []string
	for _, b := range Bodies() {
		names = append(names, b.name)
	}
	return strings.Join(names, ", ")
}

func TestChoose(t *testing.T) {
	t.Setenv(Env, "")
	have := Bodies()
	if b, err := Choose(""); err != nil || b.name != have[0].name {
		t.Errorf("by default %v, %v, want %s", b, err, have[0].name)
	}
	t.Setenv(Env, "generic")
	if b, err := Choose(""); err != nil || b != Generic {
		t.Errorf("%s=generic gives %v, %v", Env, b, err)
	}
	for _, h := range have {
		if b, err := Choose(h.name); err != nil || b.name != h.name {
			t.Errorf("%s gives %v, %v", h.name, b, err)
		}
	}
	t.Setenv(Env, "mmx")
	_, err := Choose("")
	if !errors.Is(err, ErrNoBody) || !strings.Contains(err.Error(), Env+"=mmx") || !strings.Contains(err.Error(), bodyNames()) {
		t.Errorf("%s=mmx: error %v", Env, err)
	}
	if !slices.Contains(have, Generic) {
		t.Error("no generic body")
	}
}
