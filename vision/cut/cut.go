// Package cut turns a frame of a tire into the pieces that the network judges:
//
//	camera -> frame -> locate -> CUT, normalise -> int8 forward -> verdict
//
// The network sees every input at 379 x 379 pixels. When the input is a whole tire, a crack finer
// than about one of these pixels is lost. Tiles of the tire, or of its side wall unwrapped into a
// strip, show the crack several times larger. Every piece goes through the bundle's preprocess.Spec
// and the same network, one forward pass each. Start with [New] and [Cutter.Cut].
package cut

import (
	"errors"
	"fmt"
	"image"
	"math"

	"tirewatch/vision/frame"
	"tirewatch/vision/locate"
	"tirewatch/vision/preprocess"
)

// View is the way in which a tire is cut.
type View string

const (
	Tire  View = "tire"  // one piece: the square around the tire, or the fixed region
	Tiles View = "tiles" // the same square, in overlapping tiles
	// the ring between outline and rim, unwrapped, in tiles that overlap along the strip
	SideWall View = "sidewall"
)

// Views lists all views.
var Views = []View{Tire, Tiles, SideWall}

// Options are the settings of a Cutter.
type Options struct {
	View   View
	Margin float64 // around the outline, share of the diameter; not used for a side wall
	// For Tiles, the side of a tile as a share of the shorter side of the square. For SideWall, the
	// length of a tile along the middle of the wall, as a share of the wall's height; such a tile
	// is always as high as the wall.
	Tile float64
	// smallest overlap of neighbouring tiles, share of a tile; a shorter crack is whole in one tile
	Overlap float64
}

// DefaultTile returns the usual Options.Tile of a view.
func DefaultTile(v View) float64 {
	if v == SideWall {
		return 1
	}
	return 0.4
}

// Limits returns the smallest and the largest Options.Tile of a view.
func Limits(v View) (low, high float64) {
	if v == SideWall {
		return 0.5, 2
	}
	return 0.2, 1
}

// MaxOverlap is the largest Options.Overlap.
const MaxOverlap = 0.5

// Validate returns an error for tiles that are too small, too large or overlap too much.
func (o Options) Validate() error {
	low, high := Limits(o.View)
	switch {
	case !(o.Tile >= low && o.Tile <= high):
		return fmt.Errorf("tile %v of a %s is outside %v to %v", o.Tile, o.View, low, high)
	case !(o.Overlap >= 0 && o.Overlap <= MaxOverlap):
		return fmt.Errorf("overlap %v is outside 0 to %v", o.Overlap, MaxOverlap)
	case !(o.Margin >= 0 && o.Margin <= 0.5):
		return fmt.Errorf("margin %v is outside 0 to 0.5", o.Margin)
	}
	return nil
}

// MaxPieces limits the pieces of a frame. Each needs a forward pass and an entry in the verdict.
const MaxPieces = 256

var (
	// ErrNoRing marks a tire whose rim was not found.
	ErrNoRing = errors.New("the rim's edge was not found")
	// ErrTooMany marks a tire that would be cut into more than MaxPieces.
	ErrTooMany = errors.New("too many tiles")
)

// Cut is the tire of a frame, in pieces.
type Cut struct {
	Crop   image.Rectangle // the tire, px of the frame
	Ring   *locate.Ring    // for a side wall, otherwise nil
	Pieces []Piece         // for a side wall clockwise from the top of the frame, otherwise row by row
}

// Piece is one input of the network before preprocessing.
type Piece struct {
	Frame  *frame.Frame    // the frame itself, or the strip of its side wall
	Region image.Rectangle // in Frame, px
	// its place in the camera's frame, px; for a piece of side wall, the box around it
	Crop image.Rectangle
	// From and To are the angles of a piece of side wall in the frame, degrees clockwise from the
	// top. To is above From, and above 360 if the piece extends across the top. Both are 0 for
	// other pieces.
	From, To float64
}

// Cutter cuts frames. It keeps its buffers between calls. Only one goroutine may use it.
type Cutter struct {
	o      Options
	rings  *locate.Rings
	unwrap preprocess.Unwrapper
	cut    Cut
	ring   locate.Ring
}

// New makes a cutter.
func New(o Options) *Cutter { return &Cutter{o: o, rings: locate.NewRings()} }

// Cut cuts the tire t in f into pieces. The result is valid until the next call. With the errors
// ErrNoRing and ErrTooMany it has a Crop, but no Pieces.
func (c *Cutter) Cut(f *frame.Frame, t locate.Tire) (Cut, error) {
	c.cut = Cut{Crop: t.Crop(f.Bounds(), c.o.Margin), Pieces: c.cut.Pieces[:0]}
	var err error
	switch c.o.View {
	case Tiles:
		err = c.tiles(f)
	case SideWall:
		err = c.sideWall(f, t)
	default:
		c.cut.Pieces = append(c.cut.Pieces, Piece{Frame: f, Region: c.cut.Crop, Crop: c.cut.Crop})
	}
	return c.cut, err
}

// tiles lays a grid over the square.
func (c *Cutter) tiles(f *frame.Frame) error {
	r := c.cut.Crop
	side := max(1, int(math.Ceil(c.o.Tile*float64(min(r.Dx(), r.Dy())))))
	nx, ny := c.count(r.Dx(), side), c.count(r.Dy(), side)
	if nx*ny > MaxPieces {
		return fmt.Errorf("%w: %d x %d of %d px, at most %d", ErrTooMany, nx, ny, side, MaxPieces)
	}
	for y := range ny {
		for x := range nx {
			at := r.Min.Add(image.Pt(place(x, nx, r.Dx()-side), place(y, ny, r.Dy()-side)))
			tile := image.Rectangle{at, at.Add(image.Pt(side, side))}.Intersect(r)
			c.cut.Pieces = append(c.cut.Pieces, Piece{Frame: f, Region: tile, Crop: tile})
		}
	}
	return nil
}

// count returns the number of tiles that cover a length.
func (c *Cutter) count(length, tile int) int {
	if tile >= length {
		return 1
	}
	return 1 + int(math.Ceil(float64(length-tile)/(float64(tile)*(1-c.o.Overlap))))
}

// place returns the start of tile i of n if the last one starts at last.
func place(i, n, last int) int {
	if n == 1 {
		return 0
	}
	return i * last / (n - 1)
}

// sideWall unwraps the ring and cuts the strip.
func (c *Cutter) sideWall(f *frame.Frame, t locate.Tire) error {
	ring, ok := c.rings.Find(f, t)
	if !ok {
		return ErrNoRing
	}
	p := sixteenths(ring)
	turn, height := p.Turn(), p.Height()
	middle := float64(p.Outer.R+p.Inner.R) / 32 // radius of the middle of the wall, px
	columns := int(math.Round(c.o.Tile * float64(height) * float64(turn) / (2 * math.Pi * middle)))
	columns = max(1, min(columns, turn))
	n := int(math.Ceil(float64(turn) / (float64(columns) * (1 - c.o.Overlap))))
	if n > MaxPieces {
		return fmt.Errorf("%w: %d around a wall of %d px, at most %d", ErrTooMany, n, height, MaxPieces)
	}
	strip, err := c.unwrap.Unwrap(f, p, columns)
	if errors.Is(err, preprocess.ErrRing) {
		return fmt.Errorf("%w: %w", ErrNoRing, err)
	}
	if err != nil {
		return err
	}
	c.ring = ring
	c.cut.Ring = &c.ring
	for i := range n {
		from := i * turn / n
		piece := Piece{Frame: strip, Region: image.Rect(from, 0, from+columns, height)}
		piece.From, piece.To = float64(from)*360/float64(turn), float64(from+columns)*360/float64(turn)
		piece.Crop = box(ring, piece.From, piece.To).Intersect(f.Bounds())
		c.cut.Pieces = append(c.cut.Pieces, piece)
	}
	return nil
}

// sixteenths converts a ring from px to sixteenths of a px.
func sixteenths(r locate.Ring) preprocess.Ring {
	circle := func(c locate.Circle) preprocess.Circle {
		round := func(v float64) int { return int(math.Round(16 * v)) }
		return preprocess.Circle{X: round(c.Centre.X), Y: round(c.Centre.Y), R: round(c.Radius)}
	}
	return preprocess.Ring{Outer: circle(r.Outer), Inner: circle(r.Inner)}
}

// box returns the box around a piece of side wall, px.
func box(r locate.Ring, from, to float64) image.Rectangle {
	const steps = 12
	x0, y0, x1, y1 := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for i := range steps + 1 {
		sin, cos := math.Sincos((from + (to-from)*float64(i)/steps) * math.Pi / 180)
		for _, c := range []locate.Circle{r.Outer, r.Inner} {
			x, y := c.Centre.X+c.Radius*sin, c.Centre.Y-c.Radius*cos
			x0, y0, x1, y1 = min(x0, x), min(y0, y), max(x1, x), max(y1, y)
		}
	}
	return image.Rect(int(math.Floor(x0)), int(math.Floor(y0)), int(math.Ceil(x1)), int(math.Ceil(y1)))
}

// Angle returns the direction of piece i from the middle of the tire: degrees clockwise from the
// top of the frame, below 360.
func (c Cut) Angle(i int) float64 {
	p := c.Pieces[i]
	if c.Ring != nil {
		return math.Mod((p.From+p.To)/2, 360)
	}
	// Twice the middle of each box, which is a whole number.
	d := p.Crop.Min.Add(p.Crop.Max).Sub(c.Crop.Min.Add(c.Crop.Max))
	return math.Mod(math.Atan2(float64(d.X), float64(-d.Y))*180/math.Pi+360, 360)
}
