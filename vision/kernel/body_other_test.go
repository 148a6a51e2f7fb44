//go:build !amd64 && !arm64

package kernel

// built are the bodies for this architecture, whatever the CPU.
var built = []*Body{Generic}
