//go:build !linux

package camera

import (
	"errors"
	"fmt"
)

// applyControls fails, because only Linux has V4L2.
func applyControls(device string, c Controls) error {
	if c == (Controls{}) {
		return nil
	}
	return fmt.Errorf("set camera controls of %s: %w", device, errors.ErrUnsupported)
}
