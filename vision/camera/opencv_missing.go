//go:build !opencv

package camera

import "fmt"

// hasOpenCV reports whether cameras and videos can be opened.
const hasOpenCV = false

// openCapture replaces that of OpenCV in a build without it. It always fails.
func openCapture(o Options) (grabber, float64, error) {
	if !o.Source.NeedsOpenCV() || o.Source.Kind == "" {
		return nil, 0, fmt.Errorf("%w %q", ErrLocation, o.Source)
	}
	return nil, 0, Check(o.Source)
}
