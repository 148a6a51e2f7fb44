//go:build !amd64 && !arm64

package kernel

// detect returns the assembly bodies that this CPU can run, the fastest first.
func detect() []*Body { return nil }
