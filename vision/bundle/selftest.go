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

// SelfTest makes a Runner and runs the golden inputs on it. The sums must be exact, and so must the
// scores of the second opinion.
func (b *Bundle) SelfTest() (*infer.Runner, error) {
	r, err := b.runGolden(func(i int, sum, score int32) error {
		if want := b.Golden[i].Sum; sum != want {
			return &GoldenError{Index: i, Got: sum, Want: want}
		}
		if b.Anomaly != nil && score != b.Anomaly.Golden[i] {
			return fmt.Errorf("second opinion: %w", &GoldenError{Index: i, Got: score, Want: b.Anomaly.Golden[i]})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("self-test: %w", err)
	}
	return r, nil
}
