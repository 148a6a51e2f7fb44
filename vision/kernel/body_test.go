package kernel

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"tirewatch/vision/isa/isatest"
)

// eachBody runs f as a subtest for every body of this CPU.
func eachBody(t *testing.T, f func(t *testing.T, b *Body)) {
	for _, b := range Bodies() {
		isatest.Exercise(t, b.name, func(t *testing.T) { f(t, b) })
	}
}

func TestMain(m *testing.M) {
	isatest.Main(m, isatest.Bodies{Built: names(built), Have: names(Bodies())})
}

func names(bodies []*Body) []string {
	var names []string
	for _, b := range bodies {
		names = append(names, b.name)
	}
	return names
}

func TestBodiesAreBuilt(t *testing.T) {
	for _, name := range names(Bodies()) {
		if !slices.Contains(names(built), name) {
			t.Errorf("this CPU has %s, and the list of all bodies lacks it", name)
		}
	}
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
	if !errors.Is(err, ErrNoBody) || !strings.Contains(err.Error(), Env+"=mmx") || !strings.Contains(err.Error(), strings.Join(names(have), ", ")) {
		t.Errorf("%s=mmx: error %v", Env, err)
	}
	if !slices.Contains(have, Generic) {
		t.Error("no generic body")
	}
}
