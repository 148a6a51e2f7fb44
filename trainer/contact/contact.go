// Package contact draws contact sheets: many images side by side with a few words under each, for a
// person to check.
//
//	evaluate, compare -> images of interest -> CONTACT -> a picture
//
// Start with [Draw].
package contact

import (
	"errors"
	"image"
	"image/color"
	"image/draw"
	"strings"

	xdraw "golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
)

// Tile is one image of a sheet.
type Tile struct {
	Image image.Image
	// text under the image; a line that is too long loses its start, because names differ at the
	// end
	Lines  []string
	Colour color.Color
}

// Sizes of a sheet, px.
const (
	side   = 168 // width and height of an image
	frame  = 4   // coloured, around an image
	gap    = 8
	line   = 14
	letter = 7 // width of a letter of the font
)

// MaxTiles limits a sheet to what a person can look over.
const MaxTiles = 200

// ErrTiles says that there is nothing to draw, or too much.
var ErrTiles = errors.New("contact sheet: want 1 to 200 images")

// Draw places the tiles row by row on an almost square sheet. The same tiles make the same image.
func Draw(tiles []Tile) (*image.RGBA, error) {
	if len(tiles) == 0 || len(tiles) > MaxTiles {
		return nil, ErrTiles
	}
	columns, lines := 1, 0
	for columns*columns < len(tiles) {
		columns++
	}
	for _, t := range tiles {
		lines = max(lines, len(t.Lines))
	}
	rows := (len(tiles) + columns - 1) / columns
	width, height := side+2*frame+gap, side+2*frame+lines*line+gap
	sheet := image.NewRGBA(image.Rect(0, 0, gap+columns*width, gap+rows*height))
	draw.Draw(sheet, sheet.Bounds(), image.White, image.Point{}, draw.Src)
	for i, t := range tiles {
		at := image.Pt(gap+i%columns*width, gap+i/columns*height)
		outer := image.Rectangle{at, at.Add(image.Pt(side+2*frame, side+2*frame))}
		draw.Draw(sheet, outer, image.NewUniform(t.Colour), image.Point{}, draw.Src)
		draw.Draw(sheet, outer.Inset(frame), image.NewUniform(color.Gray{Y: 64}), image.Point{}, draw.Src)
		inner := fit(outer.Inset(frame), t.Image.Bounds())
		xdraw.ApproxBiLinear.Scale(sheet, inner, t.Image, t.Image.Bounds(), draw.Src, nil)
		pen := font.Drawer{Dst: sheet, Src: image.Black, Face: basicfont.Face7x13}
		for k, text := range t.Lines {
			pen.Dot = fixed.P(at.X, outer.Max.Y+(k+1)*line-2)
			pen.DrawString(shorten(text, (side+2*frame)/letter))
		}
	}
	return sheet, nil
}

// fit returns the largest rectangle with the image's proportions, centred in r.
func fit(r, img image.Rectangle) image.Rectangle {
	w, h := r.Dx(), r.Dy()
	if iw, ih := img.Dx(), img.Dy(); iw > ih {
		h = max(h*ih/iw, 1)
	} else if ih > iw {
		w = max(w*iw/ih, 1)
	}
	at := r.Min.Add(image.Pt((r.Dx()-w)/2, (r.Dy()-h)/2))
	return image.Rectangle{at, at.Add(image.Pt(w, h))}
}

// shorten keeps the end of a text, at most n letters. The font has only ASCII; any other letter
// becomes a question mark.
func shorten(text string, n int) string {
	runes := []rune(strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text))
	if len(runes) > n {
		runes = append([]rune(".."), runes[len(runes)-n+2:]...)
	}
	return string(runes)
}
