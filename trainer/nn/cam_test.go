package nn

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"tirewatch/vision/graph"
)

// camSide is the side of the drawn images, px.
const camSide = 63

// camGraph is a small version of the thesis network. Like that, it ends in a map of one position.
func camGraph() *graph.Graph {
	return network(graph.Shape{H: camSide, W: camSide, C: 1},
		convLayer("c1", 16, 3, 2, graph.Valid), poolLayer("p1", 2, 2, graph.Valid),
		convLayer("c2", 16, 3, 2, graph.Valid), poolLayer("p2", 2, 2, graph.Valid),
		convLayer("c3", 16, 3, 1, graph.Valid))
}

// spot draws noise and, when crack is set, a short dark line around (x, y).
func spot(rng *rand.Rand, crack bool, x, y int) []byte {
	pix := make([]byte, camSide*camSide)
	for i := range pix {
		pix[i] = uint8(120 + rng.IntN(40))
	}
	for d := -5; crack && d <= 5; d++ {
		pix[(y+d/2)*camSide+x+d], pix[(y+d/2+1)*camSide+x+d] = 10, 10
	}
	return pix
}

// A network that was trained on cracks in any place looks at the crack.
func TestCAMFindsTheCrack(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 2))
	n, err := New(camGraph(), rng)
	if err != nil {
		t.Fatal(err)
	}
	somewhere := func() (x, y int) { return 9 + rng.IntN(38), 9 + rng.IntN(38) }
	trainOnSpots(n, rng, somewhere)

	e, err := n.NewExplainer()
	if err != nil {
		t.Fatal(err)
	}
	var found, on int
	for range 40 {
		x, y := somewhere()
		h, err := e.CAM(spot(rng, true, x, y))
		if err != nil {
			t.Fatal(err)
		}
		if h.Layer != "c1" || h.W != 13 || h.H != 13 || h.Step != 4 || h.FirstX != 2 || h.FirstY != 2 {
			t.Fatalf("%s, %d x %d from %g, %g by %g px", h.Layer, h.W, h.H, h.FirstX, h.FirstY, h.Step)
		}
		if h.Logit < 0 {
			continue
		}
		found++
		best := 0
		for i, v := range h.Values {
			if v > h.Values[best] {
				best = i
			}
		}
		dx, dy := h.FirstX+float64(best%h.W)*h.Step-float64(x), h.FirstY+float64(best/h.W)*h.Step-float64(y)
		if math.Abs(dx) <= 5+4 && math.Abs(dy) <= 3+4 { // half the crack and a window
			on++
		}
	}
	t.Logf("%d of 40 cracks were found; in %d of these the hottest place is on the crack", found, on)
	if found < 36 || on < found-1 {
		t.Errorf("want at least 36 found, and at most one of them off the crack")
	}
}

// trainOnSpots takes plain gradient steps until the network separates cracks from noise.
func trainOnSpots(n *Net, rng *rand.Rand, somewhere func() (x, y int)) {
	w, grads := n.NewWorker(), n.NewGradients()
	live := n.LiveInput()
	x := make([]float32, live.Size())
	const batch, momentum = 16, 0.9
	var speed [][]float32
	for _, p := range n.Params() {
		speed = append(speed, make([]float32, len(p.Data)))
	}
	for range 250 {
		grads.Clear()
		for i := range batch {
			px, py := somewhere()
			pix := spot(rng, i%2 == 0, px, py)
			for y := range live.H {
				for k, v := range pix[y*camSide:][:live.W] {
					x[y*live.W+k] = float32(v) / 255
				}
			}
			w.Step(x, float64(1-i%2), rng, grads)
		}
		for i, p := range n.Params() {
			for k := range p.Data {
				speed[i][k] = momentum*speed[i][k] - 0.02/batch*grads.data[i][k]
				p.Data[k] += speed[i][k]
			}
		}
		n.Changed()
	}
}

// Without a convolution there is no position to show.
func TestCAMNeedsAConvolution(t *testing.T) {
	n, err := New(network(graph.Shape{H: 4, W: 4, C: 1}), rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.NewExplainer(); !errors.Is(err, ErrNoMap) {
		t.Errorf("error %v, want ErrNoMap", err)
	}
}

// In the thesis network, the map is that of conv2 and its pool, with a window every 16 pixels.
func TestCAMOfTheThesis(t *testing.T) {
	n, err := New(graph.Thesis(), rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	e, err := n.NewExplainer()
	if err != nil {
		t.Fatal(err)
	}
	h, err := e.CAM(make([]byte, n.InputSize()))
	if err != nil || h.Layer != "conv2" || h.W != 21 || h.H != 21 || h.Step != 16 {
		t.Errorf("%s, %d x %d every %g px, %v", h.Layer, h.W, h.H, h.Step, err)
	}
	if _, err := e.CAM(make([]byte, 3)); err == nil {
		t.Error("an image of 3 bytes was accepted")
	}
}

// In the mobile network, the map is that of the scores.
func TestCAMOfTheMobileNetwork(t *testing.T) {
	n, err := New(graph.Mobile(224, 7), rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	e, err := n.NewExplainer()
	if err != nil {
		t.Fatal(err)
	}
	h, err := e.CAM(make([]byte, n.InputSize()))
	if err != nil || h.Layer != "score" || h.W != 14 || h.H != 14 || h.Step != 16 || h.FirstX != 15 || h.FirstY != 15 {
		t.Errorf("%s, %d x %d from %g, %g every %g px, %v", h.Layer, h.W, h.H, h.FirstX, h.FirstY, h.Step, err)
	}
}

// A 1x1 convolution has a map like any other.
func TestCAMOfAProduct(t *testing.T) {
	n, err := New(network(graph.Shape{H: 20, W: 20, C: 1}, convLayer("c1", 4, 3, 2, graph.Valid), convLayer("c2", 16, 1, 1, graph.Valid)),
		rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	e, err := n.NewExplainer()
	if err != nil {
		t.Fatal(err)
	}
	h, err := e.CAM(make([]byte, n.InputSize()))
	if err != nil || h.Layer != "c2" || h.W != 9 || len(h.Values) != 81 {
		t.Errorf("%s, %d x %d, %d values, %v", h.Layer, h.W, h.H, len(h.Values), err)
	}
}
