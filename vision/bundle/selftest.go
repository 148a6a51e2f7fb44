package bundle

import (
	"fmt"

	"tirewatch/vision/infer"
)

// GoldenError says that this machine computes another sum than the one that made the bundle: its
// memory, its CPU or this program is at fault, and no verdict of it can be trusted.
type GoldenError struct {
	Index     int // of the golden input, from 0
	Got, Want int32
}

func (e *GoldenError) Error() string {
	return fmt.Sprintf("golden input %d gives the sum %d on this machine, want %d", e.Index+1, e.Got, e.Want)
}

// SelfTest builds a Runner and runs the golden inputs on it. Sums must be equal to the last bit.
func (b *Bundle) SelfTest() (*infer.Runner, error) {
	r, err := infer.NewRunner(&b.Model)
	if err != nil {
		return nil, fmt.Errorf("self-test: %w", err)
	}
	for i, g := range b.Golden {
		sum, err := r.Run(g.Pix)
		if err != nil {
			return nil, fmt.Errorf("self-test: golden input %d: %w", i+1, err)
		}
		if sum != g.Sum {
			return nil, fmt.Errorf("self-test: %w", &GoldenError{Index: i, Got: sum, Want: g.Sum})
		}
	}
	return r, nil
}
