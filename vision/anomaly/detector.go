package anomaly

import (
	"fmt"
	"math"
	"slices"

	"tirewatch/vision/graph"
	"tirewatch/vision/kernel"
)

// Detector computes the scores of a Model. It is not safe for concurrent use.
type Detector struct {
	H, W int // cells of a picture

	model     *Model
	pool      pooler
	row       int // bytes of a row of cells
	sums      *kernel.Sums
	distances []int32
	sorted    []int32
}

// NewDetector checks the model and prepares it for the activations of its layer in the network.
func NewDetector(m *Model, g *graph.Graph) (*Detector, error) {
	if err := m.Validate(g); err != nil {
		return nil, err
	}
	return newDetector(m, g)
}

func newDetector(m *Model, g *graph.Graph) (*Detector, error) {
	s, err := m.step(g)
	if err != nil {
		return nil, err
	}
	body, err := kernel.Choose("")
	if err != nil {
		return nil, fmt.Errorf("prepare anomaly model: %w", err)
	}
	d := &Detector{model: m}
	d.H, d.W = m.size(s)
	in := s.LiveOut
	mean := kernel.Mean{In: kernel.Area{H: in.H, W: in.W, C: in.C, Row: in.W * in.C},
		H: m.Cell, W: m.Cell, Stride: m.Cell, OutW: d.W}
	d.pool, d.row = newPooler(mean.Clone()), d.W*in.C
	w := make([]int8, len(m.W))
	for i, b := range m.W {
		w[i] = int8(b)
	}
	d.sums = kernel.NewSums(body, w, m.Bias)
	d.distances = make([]int32, d.H*d.W)
	d.sorted = make([]int32, d.H*d.W)
	return d, nil
}

// Layer returns the layer whose activation Cells needs.
func (d *Detector) Layer() string { return d.model.Layer }

// Size returns the bytes of the cells of a picture.
func (d *Detector) Size() int { return d.H * d.row }

// Cells writes the mean of each cell of the layer's activation (H, W, C) into dst, Size bytes. They
// are a fraction of the activation, to be kept until there is time for Score.
func (d *Detector) Cells(dst, activation []uint8) {
	for y := range d.H {
		d.pool.row(dst[y*d.row:][:d.row], activation, y)
	}
}

// Score returns the score of a picture, and the distance of each cell (H, W), valid until the next
// call.
func (d *Detector) Score(cells []uint8) (sum int32, distances []int32) {
	d.sums.Each(cells, func(i int, sums []int32) { d.distances[i] = d.model.distance(sums) })
	copy(d.sorted, d.distances)
	slices.Sort(d.sorted)
	for _, v := range d.sorted[len(d.sorted)-d.model.Worst:] {
		sum += v
	}
	return sum, d.distances
}

// distance returns the length of the vector that the sums of a cell stand for.
func (m *Model) distance(sums []int32) int32 {
	squares := int64(0)
	for i, mult := range m.Mult {
		v := float32(float32(sums[i]) * mult)
		z := int64(math.RoundToEven(float64(min(max(v, -largest), largest))))
		squares += z * z
	}
	return int32(math.Sqrt(float64(squares)))
}

// Heat returns the distances as bytes for a heat map: 128 is the mean distance at the limit, and
// 255 twice as much or more.
func (m *Model) Heat(distances []int32) []byte {
	heat := make([]byte, len(distances))
	for i, v := range distances {
		heat[i] = byte(min(255, int64(v)*128*int64(m.Worst)/int64(m.Limit)))
	}
	return heat
}
