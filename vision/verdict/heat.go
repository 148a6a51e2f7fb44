package verdict

import (
	"image"
	"image/color"
	"image/draw"
	"math"
)

// HeatMap draws the scores of the tiles on the frame from which they were cut, and returns the part
// of the frame with the tire. The colour is clear for a low probability, then yellow, and red from
// threshold on. Where tiles overlap, the larger score counts. The deciding tile has a white border.
// frame may be nil: the tiles are then drawn on grey.
func (p *Tiling) HeatMap(frame image.Image, threshold float64) *image.RGBA {
	area := p.area()
	if frame != nil {
		area = area.Intersect(frame.Bounds())
	}
	if uint(area.Dx()) > maxHeat || uint(area.Dy()) > maxHeat { // in a hostile verdict
		area = image.Rectangle{}
	}
	img := image.NewRGBA(area)
	draw.Draw(img, area, image.NewUniform(color.Gray{Y: 96}), image.Point{}, draw.Src)
	if frame != nil {
		draw.Draw(img, area, frame, area.Min, draw.Src)
	}
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			heat, border := p.at(x, y)
			c := img.RGBAAt(x, y)
			if border {
				c = color.RGBA{R: 255, G: 255, B: 255, A: 255}
			} else {
				c = heated(c, Probability(heat), threshold)
			}
			img.SetRGBA(x, y, c)
		}
	}
	return img
}

// maxHeat is the largest side of a heat map, px.
const maxHeat = 1 << 12

// area returns the box around all tiles.
func (p *Tiling) area() (r image.Rectangle) {
	for _, t := range p.Tiles {
		r = r.Union(t.box())
	}
	return r
}

func (t Tile) box() image.Rectangle { return image.Rect(t.Crop[0], t.Crop[1], t.Crop[2], t.Crop[3]) }

// at returns the largest logit of the tiles that contain a pixel, -Inf if there are none, and
// whether the pixel is on the border of the deciding tile.
func (p *Tiling) at(x, y int) (heat float64, border bool) {
	heat = math.Inf(-1)
	inside := p.inside(x, y)
	for i, t := range p.Tiles {
		if !inside(t, 0) {
			continue
		}
		heat = max(heat, t.Logit)
		border = border || i == p.Worst && !inside(t, 2)
	}
	return heat, border
}

// inside returns a function that reports whether the pixel (x, y) is in a tile, at least by px from
// its border.
func (p *Tiling) inside(x, y int) func(t Tile, by int) bool {
	if p.Ring == nil {
		return func(t Tile, by int) bool { return image.Pt(x, y).In(t.box().Inset(by)) }
	}
	px, py := float64(x)+0.5, float64(y)+0.5
	from := func(c Circle) float64 { return math.Hypot(px-c.X, py-c.Y) }
	outer, inner := from(p.Ring.Outer), from(p.Ring.Inner)
	angle := math.Atan2(px-p.Ring.Outer.X, p.Ring.Outer.Y-py) * 180 / math.Pi
	return func(t Tile, by int) bool {
		b := float64(by)
		edge := b / max(1, outer) * 180 / math.Pi
		turned := math.Mod(angle-t.From+720, 360)
		return outer <= p.Ring.Outer.R-b && inner >= p.Ring.Inner.R+b &&
			turned >= edge && turned <= t.To-t.From-edge
	}
}

// heated mixes the colour of a probability into the colour c.
func heated(c color.RGBA, probability, threshold float64) color.RGBA {
	hot, alpha := color.RGBA{R: 230, G: 30, B: 20}, 0.55
	if probability < threshold {
		share := probability / threshold
		hot, alpha = color.RGBA{R: 250, G: uint8(220 - 80*share), B: 40}, 0.45*share
	}
	mix := func(a, b uint8) uint8 { return uint8(float64(a) + (float64(b)-float64(a))*alpha + 0.5) }
	return color.RGBA{R: mix(c.R, hot.R), G: mix(c.G, hot.G), B: mix(c.B, hot.B), A: 255}
}
