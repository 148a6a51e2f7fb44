package anomaly

import (
	"bytes"
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"tirewatch/vision/graph"
	"tirewatch/vision/kernel"
)

// sample returns a network whose layer pointwise1 has a map of 7 x 6 positions of 4 channels, and a
// model of it in cells of 2 x 2.
func sample(seed uint64) (*graph.Graph, *Model) {
	g := &graph.Graph{Input: graph.Shape{H: 14, W: 12, C: 1}, Layers: []graph.Layer{
		{Kind: graph.Conv2D, Name: "conv", Filters: 3, Kernel: 3, Stride: 2, Padding: graph.Same, Activation: graph.ReLU6},
		{Kind: graph.Conv2D, Name: "pointwise1", Filters: 4, Kernel: 1, Stride: 1, Padding: graph.Same, Activation: graph.ReLU6},
		{Kind: graph.Conv2D, Name: "score", Filters: 1, Kernel: 1, Stride: 1, Padding: graph.Valid, Activation: graph.Linear},
		{Kind: graph.TopMean, Name: "top", Top: 4, Activation: graph.Sigmoid},
	}}
	rng := rand.New(rand.NewPCG(seed, 0))
	m := &Model{Layer: "pointwise1", Cell: 2, W: make([]byte, 16), Worst: 3, Limit: 1000}
	for i := range m.W {
		m.W[i] = byte(int8(rng.IntN(255) - 127))
	}
	for range 4 {
		m.Bias = append(m.Bias, int32(rng.IntN(20001)-10000))
		m.Mult = append(m.Mult, float32(math.Exp(4*rng.NormFloat64()-3)))
	}
	return g, m
}

// exact computes the distance of a cell in exact arithmetic, with a rounding to 24 bits where the
// package comment has a float32.
func exact(m *Model, cell []uint8) int32 {
	squares := new(big.Int)
	for i := range m.Bias {
		sum := int64(m.Bias[i])
		for j, a := range cell {
			sum += int64(a) * int64(int8(m.W[i*len(cell)+j]))
		}
		round := func() *big.Float { return new(big.Float).SetPrec(24) }
		v, _ := round().Mul(round().SetInt64(sum), round().SetFloat64(float64(m.Mult[i]))).Float64()
		z := big.NewInt(int64(math.RoundToEven(min(max(v, -largest), largest))))
		squares.Add(squares, z.Mul(z, z))
	}
	return int32(new(big.Int).Sqrt(squares).Int64())
}

// Every kernel computes the distances of exact arithmetic, and the score is the sum of the largest.
func TestScoreIsExact(t *testing.T) {
	for _, b := range kernel.Bodies() {
		t.Run(b.Name(), func(t *testing.T) {
			t.Setenv(kernel.Env, b.Name())
			for seed := range uint64(200) {
				g, m := sample(seed)
				d, err := NewDetector(m, g)
				if err != nil {
					t.Fatal(err)
				}
				activation := make([]byte, 7*6*4)
				rng := rand.New(rand.NewPCG(seed, 1))
				for i := range activation {
					activation[i] = byte(rng.Uint32())
				}
				cells := make([]byte, d.Size())
				d.Cells(cells, activation)
				sum, distances := d.Score(cells)
				var want []int32
				for at := 0; at < len(cells); at += 4 {
					want = append(want, exact(m, cells[at:at+4]))
				}
				if !slices.Equal(distances, want) {
					t.Fatalf("seed %d: distances %v, want %v", seed, distances, want)
				}
				slices.Sort(want)
				if n := len(want); sum != want[n-1]+want[n-2]+want[n-3] {
					t.Fatalf("seed %d: score %d of %v", seed, sum, want)
				}
			}
		})
	}
}

// A cell is the mean of its positions; the seventh row of the map, half a cell, is left out.
func TestCells(t *testing.T) {
	g, m := sample(1)
	d, err := NewDetector(m, g)
	if err != nil {
		t.Fatal(err)
	}
	if d.H != 3 || d.W != 3 || d.Size() != 36 || d.Layer() != "pointwise1" {
		t.Fatalf("%d x %d cells in %d bytes of %s", d.H, d.W, d.Size(), d.Layer())
	}
	activation := make([]byte, 7*6*4)
	for y := range 7 {
		for x := range 6 {
			activation[(y*6+x)*4+1] = byte(10*y + x)
		}
	}
	cells := make([]byte, d.Size())
	d.Cells(cells, activation)
	// rows 2 and 3, columns 4 and 5: the mean of 24, 25, 34, 35, to even
	if got := cells[(1*3+2)*4:][:4]; !bytes.Equal(got, []byte{0, 30, 0, 0}) {
		t.Errorf("cell (1, 2) is %v", got)
	}
	if n := testing.AllocsPerRun(5, func() { d.Cells(cells, activation); d.Score(cells) }); n > 1 {
		t.Errorf("%g allocations", n)
	}
}

// The largest values of the format overflow nothing.
func TestLargestScore(t *testing.T) {
	g, m := sample(1)
	for i := range m.Bias {
		m.Bias[i], m.Mult[i] = math.MaxInt32-255*4*127, math.MaxFloat32
	}
	m.Worst = 9
	d, err := NewDetector(m, g)
	if err != nil {
		t.Fatal(err)
	}
	if sum, _ := d.Score(make([]byte, d.Size())); sum != 9*2*largest {
		t.Errorf("score %d, want %d", sum, 9*2*largest)
	}
	if heat := m.Heat([]int32{0, 333, math.MaxInt32}); !bytes.Equal(heat, []byte{0, 127 * 3 / 3, 255}) && heat[2] != 255 {
		t.Errorf("heat %v", heat)
	}
}

func TestHeat(t *testing.T) {
	m := &Model{Worst: 10, Limit: 2000}
	if got, want := m.Heat([]int32{0, 100, 200, 400, math.MaxInt32}), []byte{0, 64, 128, 255, 255}; !bytes.Equal(got, want) {
		t.Errorf("heat %v, want %v", got, want)
	}
	if got := m.Mean(6400); got != 10 {
		t.Errorf("mean %g standard deviations, want 10", got)
	}
}

func TestRefuses(t *testing.T) {
	for name, spoil := range map[string]func(m *Model){
		"unknown layer":     func(m *Model) { m.Layer = "conv9" },
		"scores":            func(m *Model) { m.Layer = "score" },
		"no map":            func(m *Model) { m.Layer = "top" },
		"cell 0":            func(m *Model) { m.Cell = 0 },
		"cell too large":    func(m *Model) { m.Cell = 7 },
		"weights short":     func(m *Model) { m.W = m.W[1:] },
		"weight -128":       func(m *Model) { m.W[3] = 0x80 },
		"bias short":        func(m *Model) { m.Bias = m.Bias[1:] },
		"bias overflows":    func(m *Model) { m.Bias[0] = math.MinInt32 },
		"scale 0":           func(m *Model) { m.Mult[1] = 0 },
		"scale NaN":         func(m *Model) { m.Mult[1] = float32(math.NaN()) },
		"scale infinite":    func(m *Model) { m.Mult[1] = float32(math.Inf(1)) },
		"no cells added":    func(m *Model) { m.Worst = 0 },
		"too many cells":    func(m *Model) { m.Worst = 10 },
		"limit 0":           func(m *Model) { m.Limit = 0 },
		"negative pictures": func(m *Model) { m.Result.Sound = -1 },
		"too many alarms":   func(m *Model) { m.Result.FalseAlarms = 1 },
		"AUC above 1":       func(m *Model) { m.Result.AUC = 1.1 },
		"share NaN":         func(m *Model) { m.Result.Between = math.NaN() },
	} {
		t.Run(name, func(t *testing.T) {
			g, m := sample(1)
			spoil(m)
			if _, err := NewDetector(m, g); !errors.Is(err, ErrModel) {
				t.Errorf("error %v, want ErrModel", err)
			}
		})
	}
}
