//go:build linux || darwin || freebsd

package health

import "golang.org/x/sys/unix"

// DiskFree is how many bytes the agent may still write to the disk of dir. False where nobody knows.
func DiskFree(dir string) (uint64, bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, false
	}
	return uint64(s.Bavail) * uint64(s.Bsize), true // Bavail: without what only root may fill
}
