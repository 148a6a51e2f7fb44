package locate

import (
	"image"
	"math"

	"tirewatch/vision/frame"
)

// Region uses a fixed rectangle as the tire, for stations where a stop or a fixture puts every tire
// in the same place. Without learning there is always a tire. With learning, the first frames must
// show the empty place, and there is a tire when the image differs from it.
type Region struct {
	rect  image.Rectangle // empty: the whole frame
	learn int             // number of first frames that show the empty place; 0: a tire in every frame

	seen  int
	grid  grid
	empty []float32 // mean grey level of the empty place, laid out as grid.pix
	w, h  int       // size of the learned grid
	tires [1]Tire
}

// presentAbove is the mean difference, grey levels, above which the place is no longer empty. Lamps
// and noise stay below ten, a black tire on a grey belt reaches fifty and more.
const presentAbove = 16

// adaptEmpty is the weight of each empty frame in the learned image, because daylight changes
// within minutes.
const adaptEmpty = 0.01

// NewRegion makes a locator for a fixed rectangle, px. An empty rectangle means the whole frame.
// learn is the number of first frames that show the empty place; with 0 there is a tire in every
// frame.
func NewRegion(rect image.Rectangle, learn int) *Region { return &Region{rect: rect, learn: learn} }

// Find returns the region if a tire is in it.
func (r *Region) Find(f *frame.Frame) []Tire {
	rect := f.Bounds()
	if !r.rect.Empty() {
		rect = r.rect.Intersect(rect)
	}
	if rect.Empty() || r.learn > 0 && !r.occupied(f, rect) {
		return nil
	}
	size := rect.Size()
	r.tires[0] = Tire{
		Centre: Point{float64(rect.Min.X+rect.Max.X) / 2, float64(rect.Min.Y+rect.Max.Y) / 2},
		Radius: float64(min(size.X, size.Y)) / 2,
		Score:  1,
		Region: rect,
	}
	return r.tires[:]
}

// occupied compares the region with the empty place. When the camera's resolution changes, it
// learns again.
func (r *Region) occupied(f *frame.Frame, rect image.Rectangle) bool {
	r.grid.fill(f, rect)
	if r.w != r.grid.w || r.h != r.grid.h {
		r.w, r.h, r.seen = r.grid.w, r.grid.h, 0
		r.empty = make([]float32, len(r.grid.pix))
	}
	if r.seen < r.learn {
		r.seen++
		r.blend(1 / float32(r.seen))
		return false
	}
	var sum float64
	for i, p := range r.grid.pix {
		sum += math.Abs(float64(float32(p) - r.empty[i]))
	}
	if sum > presentAbove*float64(len(r.grid.pix)) {
		return true
	}
	r.blend(adaptEmpty)
	return false
}

// blend moves the learned image by the given share towards the present one.
func (r *Region) blend(share float32) {
	for i, p := range r.grid.pix {
		r.empty[i] += (float32(p) - r.empty[i]) * share
	}
}
