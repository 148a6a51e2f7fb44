// Package anomaly compares a tire with the sound tires of its type. It knows no cracks, so it also
// notices a defect that nobody has labelled. It is a second opinion and never changes a label.
//
//	photographs of sound tires -> quantize/sound -> Model, in the bundle
//	activation of an early layer -> cells -> ANOMALY: distance of each cell -> score
//
// A Model describes the activations of sound tires as one normal distribution. The distance of a
// cell is its Mahalanobis distance: the number of standard deviations from the mean, where
// directions that vary together count once. Sources: Mahalanobis 1936; Rippel, Mertens, Merhof
// 2020, "Modeling the distribution of normal data in pre-trained deep features for anomaly
// detection". Start with [NewDetector], [Detector.Cells] and [Detector.Score].
//
// # Integers
//
// All CPUs compute the same score. A cell is the mean of Cell x Cell positions, by kernel.Mean. The
// matrix W makes the directions independent; it is a 1x1 convolution for vision/kernel. For a cell
// a and each row i of W:
//
//	z[i]     = clamp(round(float32(W[i].a + Bias[i]) * Mult[i]), -32767, 32767)    in 1/Unit
//	distance = floor(sqrt(sum of z[i]^2))                                          in 1/Unit
//	score    = sum of the Worst largest distances
//
// round is to nearest with ties to even. The sum of squares is below 2^53, so the square root in
// float64 is correctly rounded on every CPU.
package anomaly

import (
	"errors"
	"fmt"
	"math"

	"tirewatch/vision/graph"
)

//go:generate go tool msgp -io=false -tests=false

// Unit is the number of units of a distance in one standard deviation.
const Unit = 64

// Limits of a Model. With them no sum overflows, and a hostile file cannot use all memory.
const (
	MaxChannels = 512
	MaxCells    = 1024 // in a picture
)

// largest is the limit of |z|.
const largest = 1<<15 - 1

// Model describes the sound tires of one type, seen in one view.
type Model struct {
	Layer string    `msg:"layer"` // whose activation is compared
	Cell  int       `msg:"cell"`  // positions of that layer, each way, in a cell
	W     []byte    `msg:"w"`     // int8 as its bytes, (channels, channels)
	Bias  []int32   `msg:"bias"`  // (channels)
	Mult  []float32 `msg:"mult"`  // (channels)
	Worst int       `msg:"worst"` // number of largest distances that are added
	Limit int32     `msg:"limit"` // the score from which a tire is unlike the sound ones
	// scores of the golden inputs of the bundle, in their order
	Golden []int32 `msg:"golden"`
	Result Result  `msg:"result"`
}

// Result holds the figures of the test of a Model, on pictures that were held out.
type Result struct {
	Sound  int `msg:"sound" json:"sound"`   // pictures of sound tires
	Groups int `msg:"groups" json:"groups"` // that belong together
	// sound pictures with a score above the limit
	FalseAlarms int `msg:"false_alarms" json:"false_alarms"`
	// share of the squared distances of a picture that all its cells have in common, mean of the sound
	// pictures: high for tires of many kinds
	Between float64 `msg:"between" json:"between"`

	// The fields below are 0 without pictures of cracks.
	Cracks  int     `msg:"cracks" json:"cracks"` // pictures of cracked tires
	Found   int     `msg:"found" json:"found"`   // of these, with a score above the limit
	AUC     float64 `msg:"auc" json:"auc"`
	AUCLow  float64 `msg:"auc_low" json:"auc_low"` // 95 % interval, bootstrap over groups
	AUCHigh float64 `msg:"auc_high" json:"auc_high"`
}

// ErrModel marks a model that does not fit its network or could overflow.
var ErrModel = errors.New("invalid anomaly model")

// Validate checks everything that a Detector relies on.
func (m *Model) Validate(g *graph.Graph) error {
	s, err := m.step(g)
	if err != nil {
		return fmt.Errorf("%w: %v", ErrModel, err)
	}
	if err := m.check(s); err != nil {
		return fmt.Errorf("%w: %v", ErrModel, err)
	}
	return m.Result.check()
}

// step returns the layer that is compared.
func (m *Model) step(g *graph.Graph) (graph.Step, error) {
	steps, err := g.Plan()
	if err != nil {
		return graph.Step{}, err
	}
	for i, s := range steps {
		if s.Name != m.Layer {
			continue
		}
		hasBytes := s.Activation == graph.ReLU || s.Activation == graph.ReLU6
		pooled := i+1 < len(steps) && steps[i+1].Kind == graph.MaxPool2D
		if !s.HasWindow() || !hasBytes || pooled {
			return s, fmt.Errorf("layer %q keeps no activation to compare", m.Layer)
		}
		return s, nil
	}
	return graph.Step{}, fmt.Errorf("no layer %.40q in the network", m.Layer)
}

// size returns the cells of a picture in a layer.
func (m *Model) size(s graph.Step) (h, w int) { return s.LiveOut.H / m.Cell, s.LiveOut.W / m.Cell }

func (m *Model) check(s graph.Step) error {
	c := s.LiveOut.C
	if c > MaxChannels {
		return fmt.Errorf("layer %s has %d channels, the limit is %d", m.Layer, c, MaxChannels)
	}
	if m.Cell < 1 || m.Cell > min(s.LiveOut.H, s.LiveOut.W) {
		return fmt.Errorf("cells of %d positions in a map of %v", m.Cell, s.LiveOut)
	}
	h, w := m.size(s)
	if h*w > MaxCells {
		return fmt.Errorf("%d cells, the limit is %d", h*w, MaxCells)
	}
	if len(m.W) != c*c || len(m.Bias) != c || len(m.Mult) != c {
		return fmt.Errorf("%d weights, %d biases and %d scales for %d channels", len(m.W), len(m.Bias), len(m.Mult), c)
	}
	if m.Worst < 1 || m.Worst > h*w || m.Limit < 1 {
		return fmt.Errorf("the sum of %d of %d distances, with the limit %d", m.Worst, h*w, m.Limit)
	}
	for i := range c {
		if f := m.Mult[i]; !(f > 0) || math.IsInf(float64(f), 0) {
			return fmt.Errorf("invalid scale %g", f)
		}
		reach := int64(m.Bias[i])
		reach = max(reach, -reach)
		for _, b := range m.W[i*c : (i+1)*c] {
			w := int64(int8(b))
			if w == -128 {
				return errors.New("weight -128, want -127 to 127")
			}
			reach += 255 * max(w, -w)
		}
		if reach > math.MaxInt32 {
			return fmt.Errorf("direction %d: a sum can reach %d and overflows int32", i, reach)
		}
	}
	return nil
}

// check refuses figures that no test can have.
func (r *Result) check() error {
	bad := min(r.Sound, r.Groups, r.FalseAlarms, r.Cracks, r.Found) < 0 ||
		r.FalseAlarms > r.Sound || r.Groups > r.Sound+r.Cracks || r.Found > r.Cracks
	for _, share := range []float64{r.Between, r.AUC, r.AUCLow, r.AUCHigh} {
		bad = bad || !(share >= 0 && share <= 1)
	}
	if bad {
		return fmt.Errorf("%w: its test has an impossible figure", ErrModel)
	}
	return nil
}

// Mean returns a sum of Worst distances as their mean, in standard deviations, for people.
func (m *Model) Mean(sum int32) float64 { return float64(sum) / float64(m.Worst*Unit) }
