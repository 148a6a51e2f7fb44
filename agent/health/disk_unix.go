//go:build linux || darwin || freebsd

package health

import (
	"os"

	"golang.org/x/sys/unix"
)

// DiskFree returns how many bytes the agent can still write to the disk of dir.
func DiskFree(dir string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, os.NewSyscallError("statfs", err)
	}
	return uint64(s.Bavail) * uint64(s.Bsize), nil // Bavail: without the reserve for root
}
