package bundle

import (
	"fmt"

	"tirewatch/vision/infer"
)

// GoldenError means that this machine computes another sum than the machine that made the bundle.
// Its memory, its CPU or this program has a fault, and its verdicts cannot be trusted.
type GoldenError struct {
	Index     int // of the golden input, from 0
	Got, Want int32
}

func (e *GoldenError) Error() string {
	return fmt.Sprintf("golden input %d has the sum %d on this machine, want %d", e.Index+1, e.Got, e.Want)
}

// SelfTest makes a Runner and runs the golden inputs on it. The sums must be exact.
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
