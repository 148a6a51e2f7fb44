// Package locate finds the tire in a frame:
//
//	camera -> frame -> LOCATE, crop, normalise -> int8 forward -> verdict
//
// A Locator returns the tires in view. Round searches for the outline of tires that lie on the belt
// under the camera. Region uses a fixed rectangle. Both are pure Go and need no OpenCV, so that a
// PC and a Pi find the same tires. Both keep their buffers between frames. Start with [NewRound]
// and [Tire.Crop], which frames a tire as in the training images.
package locate

import (
	"image"
	"math"

	"tirewatch/vision/frame"
)

// Locator finds the tires in a frame. Only one goroutine may use it.
type Locator interface {
	// Find returns the tires that are completely in view, the most certain first. The slice is
	// valid until the next call.
	Find(f *frame.Frame) []Tire
}

// Point is a position in a frame. Pixel (i, j) covers i to i+1 and j to j+1.
type Point struct{ X, Y float64 } // px

// Sub returns the vector from q to p.
func (p Point) Sub(q Point) Point { return Point{p.X - q.X, p.Y - q.Y} }

// Add returns p moved by the vector q.
func (p Point) Add(q Point) Point { return Point{p.X + q.X, p.Y + q.Y} }

// Scale returns the vector p times s.
func (p Point) Scale(s float64) Point { return Point{p.X * s, p.Y * s} }

// Dot returns the scalar product of two vectors.
func (p Point) Dot(q Point) float64 { return p.X*q.X + p.Y*q.Y }

// Len returns the length of the vector p.
func (p Point) Len() float64 { return math.Hypot(p.X, p.Y) }

// Tire is the position of a tire in a frame.
type Tire struct {
	Centre Point   // px
	Radius float64 // of the outer boundary, px
	Score  float64 // 0 to 1: how much of the outline was seen
	// the fixed rectangle that was used without a search; empty for a tire that was found
	Region image.Rectangle
}

// Crop returns the part of a frame with these bounds that the network judges: a square around the
// tire with margin times the diameter on each side. If it extends over the border, it is moved
// inside; it is never larger than the frame. For a fixed region, Crop returns the region.
func (t Tire) Crop(bounds image.Rectangle, margin float64) image.Rectangle {
	if !t.Region.Empty() {
		return t.Region.Intersect(bounds)
	}
	side := int(math.Round(2 * t.Radius * (1 + 2*margin)))
	side = max(1, min(side, bounds.Dx(), bounds.Dy()))
	fit := func(centre float64, low, high int) int {
		return max(low, min(int(math.Round(centre-float64(side)/2)), high-side))
	}
	x, y := fit(t.Centre.X, bounds.Min.X, bounds.Max.X), fit(t.Centre.Y, bounds.Min.Y, bounds.Max.Y)
	return image.Rect(x, y, x+side, y+side)
}
