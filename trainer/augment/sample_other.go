//go:build !amd64

package augment

func (t Transform) fast([]float32, int, int, []byte, int, int, float32) bool { return false }
