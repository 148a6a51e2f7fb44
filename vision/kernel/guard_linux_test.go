package kernel

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// guardPages holds mappings until a test no longer needs them.
type guardPages struct {
	t    *testing.T
	maps [][]byte
}

// guards returns a place for guarded slices, and the function that unmaps them.
func guards(t *testing.T) (free func(), g *guardPages) {
	g = &guardPages{t: t}
	return func() {
		for _, m := range g.maps {
			if err := unix.Munmap(m); err != nil {
				t.Errorf("unmap: %v", err)
			}
		}
	}, g
}

// guarded copies s to new memory between two pages that fault on any access, directly at the upper
// or the lower one. A body that accesses one byte outside ends the test program.
func guarded[T any](g *guardPages, s []T, upper bool) []T {
	g.t.Helper()
	if len(s) == 0 {
		return s
	}
	page, size := unix.Getpagesize(), len(s)*int(unsafe.Sizeof(s[0]))
	inner := padTo(size, page)
	mem, err := unix.Mmap(-1, 0, inner+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		g.t.Fatalf("map %d bytes: %v", inner+2*page, err)
	}
	g.maps = append(g.maps, mem)
	for _, guard := range [][]byte{mem[:page], mem[page+inner:]} {
		if err := unix.Mprotect(guard, unix.PROT_NONE); err != nil {
			g.t.Fatalf("protect a guard page: %v", err)
		}
	}
	at := page
	if upper {
		at += inner - size
	}
	out := unsafe.Slice((*T)(unsafe.Pointer(&mem[at])), len(s))
	copy(out, s)
	return out
}
