//go:build !linux && !darwin && !freebsd

package health

import "errors"

// DiskFree returns how many bytes the agent can still write to the disk of dir.
func DiskFree(string) (uint64, error) { return 0, errors.ErrUnsupported }
