package locate

import (
	"image"
	"math"

	"tirewatch/vision/frame"
)

// Region takes a fixed rectangle for the tire: for stations where a stop or a fixture puts every
// tire at the same place. Without learning there is always a tire. With learning, the first frames
// must show the empty place, and a tire is there when the picture differs from it.
type Region struct {
	rect  image.Rectangle // empty: the whole frame
	learn int             // frames that teach the empty place, 0: always present

	seen  int
	grid  grid
	empty []float32 // mean grey of the empty place, as grid.pix
	w, h  int       // size of the grid that was learned
	tires [1]Tire
}

// presentAbove is the mean difference of grey levels from which a place is not empty any more.
// Lamps and noise stay below ten, a black tire on a grey belt reaches fifty and more.
const presentAbove = 16

// adaptEmpty is the share of an empty frame that goes into the learned picture: daylight changes
// within minutes.
const adaptEmpty = 0.01

// NewRegion makes a locator for a fixed rectangle in px; the empty rectangle stands for the whole
// frame. learn is the number of frames at the start that show the empty place; 0 takes a tire for
// always present.
func NewRegion(rect image.Rectangle, learn int) *Region { return &Region{rect: rect, learn: learn} }

// Find gives the region when a tire is in it.
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

// occupied compares the region with the empty place. A change of the camera's resolution starts the
// learning anew.
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

// blend moves the learned picture by the given share towards the present one.
func (r *Region) blend(share float32) {
	for i, p := range r.grid.pix {
		r.empty[i] += (float32(p) - r.empty[i]) * share
	}
}
