//go:build !linux && !darwin && !freebsd

package health

import "errors"

// DiskFree is how many bytes the agent may still write to the disk of dir.
func DiskFree(string) (uint64, error) { return 0, errors.ErrUnsupported }
