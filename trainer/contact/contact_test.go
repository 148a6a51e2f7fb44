package contact

import (
	"errors"
	"image"
	"image/color"
	"testing"
)

var red = color.RGBA{R: 200, A: 255}

func grey(w, h int, level uint8) *image.Gray {
	g := image.NewGray(image.Rect(0, 0, w, h))
	for i := range g.Pix {
		g.Pix[i] = level
	}
	return g
}

// Five tiles are in three columns and two rows, each with its frame, its image and black letters
// below.
func TestDraw(t *testing.T) {
	var tiles []Tile
	for i := range 5 {
		tiles = append(tiles, Tile{grey(50, 50, uint8(100+i)), []string{"name"}, red})
	}
	sheet, err := Draw(tiles)
	if err != nil {
		t.Fatal(err)
	}
	w, h := side+2*frame+gap, side+2*frame+line+gap
	if want := image.Rect(0, 0, gap+3*w, gap+2*h); sheet.Bounds() != want {
		t.Fatalf("sheet of %v, want %v", sheet.Bounds(), want)
	}
	for i := range 5 {
		x, y := gap+i%3*w, gap+i/3*h
		if got := sheet.RGBAAt(x+1, y+1); got != red {
			t.Errorf("frame %d is %v", i, got)
		}
		if got := sheet.RGBAAt(x+w/2, y+side/2); got.R != uint8(100+i) {
			t.Errorf("image %d is %v", i, got)
		}
		ink := 0
		for py := y + side + 2*frame; py < y+side+2*frame+line; py++ {
			for px := x; px < x+4*letter; px++ {
				if sheet.RGBAAt(px, py).R == 0 {
					ink++
				}
			}
		}
		if ink < 20 {
			t.Errorf("%d black pixels under image %d", ink, i)
		}
	}
	if got := sheet.RGBAAt(gap+2*w+w/2, gap+h+side/2); got.R != 255 {
		t.Errorf("the empty cell is %v, want white", got)
	}
}

func TestFit(t *testing.T) {
	r := image.Rect(10, 10, 110, 110)
	for _, c := range []struct{ img, want image.Rectangle }{
		{image.Rect(0, 0, 7, 7), r},
		{image.Rect(0, 0, 200, 100), image.Rect(10, 35, 110, 85)},
		{image.Rect(5, 5, 30, 105), image.Rect(47, 10, 72, 110)},
		{image.Rect(0, 0, 1000, 1), image.Rect(10, 59, 110, 60)},
	} {
		if got := fit(r, c.img); got != c.want {
			t.Errorf("%v fits as %v, want %v", c.img, got, c.want)
		}
	}
}

func TestShorten(t *testing.T) {
	for text, want := range map[string]string{"short.jpg": "short.jpg", "very/long/name17.jpg": "..name17.jpg", "Stra\u00dfe.jpg": "Stra?e.jpg"} {
		if got := shorten(text, 12); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestDrawRefuses(t *testing.T) {
	if _, err := Draw(nil); !errors.Is(err, ErrTiles) {
		t.Errorf("nothing: %v", err)
	}
	if _, err := Draw(make([]Tile, MaxTiles+1)); !errors.Is(err, ErrTiles) {
		t.Errorf("too many: %v", err)
	}
}
