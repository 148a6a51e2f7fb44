//go:build unix

package config

import "golang.org/x/sys/unix"

// errReadOnlyDisk is what writing gives where the file system may only be read, as the service's
// view of /etc.
var errReadOnlyDisk error = unix.EROFS
