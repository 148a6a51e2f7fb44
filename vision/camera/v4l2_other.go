//go:build !linux

package camera

import (
	"errors"
	"fmt"
)

// applyControls is for Linux, which V4L2 is of.
func applyControls(device string, c Controls) error {
	if c == (Controls{}) {
		return nil
	}
	return fmt.Errorf("%s: controls of a camera: %w", device, errors.ErrUnsupported)
}
