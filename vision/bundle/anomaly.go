package bundle

import (
	"fmt"

	"tirewatch/vision/anomaly"
	"tirewatch/vision/infer"
)

// checkAnomaly refuses a second opinion that does not fit the network or cannot be tested.
func (b *Bundle) checkAnomaly() error {
	if b.Anomaly == nil {
		return nil
	}
	if err := b.Anomaly.Validate(&b.Model.Graph); err != nil {
		return err
	}
	if n := len(b.Anomaly.Golden); n != len(b.Golden) {
		return fmt.Errorf("second opinion: %d scores for %d golden inputs", n, len(b.Golden))
	}
	return nil
}

// Detector returns the second opinion of the bundle, ready to run, or nil if it has none. It needs
// a Runner of SelfTest.
func (b *Bundle) Detector() (*anomaly.Detector, error) {
	if b.Anomaly == nil {
		return nil, nil
	}
	return anomaly.NewDetector(b.Anomaly, &b.Model.Graph)
}

// newRunner returns a Runner that keeps what the second opinion needs.
func (b *Bundle) newRunner() (*infer.Runner, error) {
	if b.Anomaly == nil {
		return infer.NewRunner(&b.Model)
	}
	return infer.NewRunner(&b.Model, infer.Keep(b.Anomaly.Layer))
}

// SetGolden runs the golden inputs and sets the sums, and the scores of the second opinion.
func (b *Bundle) SetGolden() error {
	if b.Anomaly != nil {
		b.Anomaly.Golden = make([]int32, len(b.Golden))
	}
	_, err := b.runGolden(func(i int, sum int32, score int32) error {
		b.Golden[i].Sum = sum
		if b.Anomaly != nil {
			b.Anomaly.Golden[i] = score
		}
		return nil
	})
	return err
}

// runGolden runs the golden inputs and passes the sum of each to see, with the score of the second
// opinion or 0.
func (b *Bundle) runGolden(see func(i int, sum, score int32) error) (*infer.Runner, error) {
	r, err := b.newRunner()
	if err != nil {
		return nil, err
	}
	d, err := b.Detector()
	if err != nil {
		return nil, err
	}
	var cells []uint8
	if d != nil {
		cells = make([]uint8, d.Size())
	}
	for i, g := range b.Golden {
		sum, err := r.Run(g.Pix)
		if err != nil {
			return nil, fmt.Errorf("golden input %d: %w", i+1, err)
		}
		score := int32(0)
		if d != nil {
			d.Cells(cells, r.Kept())
			score, _ = d.Score(cells)
		}
		if err := see(i, sum, score); err != nil {
			return nil, err
		}
	}
	return r, nil
}
