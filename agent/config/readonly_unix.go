//go:build unix

package config

import "golang.org/x/sys/unix"

// errReadOnlyDisk is the error of a write to a read-only file system, like the service's view of
// /etc.
var errReadOnlyDisk error = unix.EROFS
