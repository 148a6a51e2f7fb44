package report

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/jpeg"
	"image/png"
	"slices"
	"strings"

	"golang.org/x/image/draw"
	"gonum.org/v1/plot/vg"

	"tirewatch/trainer/nn"
)

const (
	mostMistakes = 12
	mostHeats    = 6
	thumb        = 240 // longer side of a small picture, px
)

// tile is one small image with its caption.
type tile struct {
	Image
	small image.Image
	Says  string
}

// Data returns the image as a data URL for the page.
func (t tile) Data() (template.URL, error) { return dataJPEG(t.small) }

// heatPair is a crack and its heat map.
type heatPair struct {
	Plain, Heat tile
}

// mistakes returns the worst mistakes. They have the largest distance from the threshold, divided
// by the distance from the threshold to the end of the scale, so that missed cracks and false
// rejects compare. wrong counts all mistakes.
func (r *Report) mistakes() (worst []tile, wrong int, err error) {
	far := func(im Image) float64 {
		if im.Crack {
			return (r.Threshold - im.Score) / max(r.Threshold, 1e-9)
		}
		return (im.Score - r.Threshold) / max(1-r.Threshold, 1e-9)
	}
	var all []Image
	for _, im := range r.Images {
		if r.missed(im) {
			all = append(all, im)
		}
	}
	slices.SortStableFunc(all, func(a, b Image) int {
		return cmp.Or(cmp.Compare(far(b), far(a)), cmp.Compare(a.Name, b.Name))
	})
	for _, im := range all[:min(len(all), mostMistakes)] {
		says := "sound, rejected"
		if im.Crack {
			says = "crack, missed"
		}
		_, small, err := r.load(im)
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", im.Name, err)
		}
		worst = append(worst, tile{Image: im, small: small, Says: says})
	}
	return worst, len(all), nil
}

// heats makes heat maps of sample cracks: the highest score, the lowest, and some at equal steps
// between them.
func (r *Report) heats() (pairs []heatPair, layer string, err error) {
	if r.Explain == nil {
		return nil, "", nil
	}
	var cracks []Image
	for _, im := range r.Images {
		if im.Crack {
			cracks = append(cracks, im)
		}
	}
	slices.SortStableFunc(cracks, func(a, b Image) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Name, b.Name))
	})
	n := min(len(cracks), mostHeats)
	for i := range n {
		at := 0
		if n > 1 {
			at = i * (len(cracks) - 1) / (n - 1)
		}
		im := cracks[at]
		pix, small, err := r.load(im)
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", im.Name, err)
		}
		h, err := r.Explain(pix)
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", im.Name, err)
		}
		says := "found"
		if r.missed(im) {
			says = "missed"
		}
		if slices.Max(h.Values) == 0 {
			says += ", no place looks like a crack"
		}
		layer = h.Layer
		pairs = append(pairs, heatPair{tile{im, small, says}, tile{im, overlay(small, h, float64(r.Width)), says}})
	}
	return pairs, layer, nil
}

// load returns the bytes of an image, and the image in the size of a tile.
func (r *Report) load(im Image) (pix []byte, small *image.Gray, err error) {
	if pix, err = im.Pix.Load(nil); err != nil {
		return nil, nil, err
	}
	small, err = r.small(pix)
	return pix, small, err
}

// small returns an image, as the network saw it, in the size of a tile.
func (r *Report) small(pix []byte) (*image.Gray, error) {
	if len(pix) != r.Width*r.Height || len(pix) == 0 {
		return nil, fmt.Errorf("image of %d bytes, want %d x %d", len(pix), r.Width, r.Height)
	}
	long := max(r.Width, r.Height)
	dst := image.NewGray(image.Rect(0, 0, max(1, r.Width*thumb/long), max(1, r.Height*thumb/long)))
	src := &image.Gray{Pix: pix, Stride: r.Width, Rect: image.Rect(0, 0, r.Width, r.Height)}
	draw.ApproxBiLinear.Scale(dst, dst.Rect, src, src.Rect, draw.Src, nil)
	return dst, nil
}

// overlay draws a heat map over the small version of an image that was width pixels wide. Each map
// is scaled to its own maximum, so the colours compare places in one image, not images.
func overlay(small *image.Gray, h nn.Heat, width float64) image.Image {
	out := image.NewRGBA(small.Rect)
	top := slices.Max(h.Values)
	perPixel := width / float64(small.Rect.Dx())
	for y := range small.Rect.Dy() {
		for x := range small.Rect.Dx() {
			t := 0.0
			if top > 0 {
				mx := ((float64(x)+0.5)*perPixel - 0.5 - h.FirstX) / h.Step
				my := ((float64(y)+0.5)*perPixel - 0.5 - h.FirstY) / h.Step
				t = at(h, mx, my) / float64(top)
			}
			gray := float64(small.GrayAt(x, y).Y)
			alpha := 0.75 * min(1.5*t, 1)
			p := out.Pix[out.PixOffset(x, y):]
			for i, c := range glow(t) {
				p[i] = uint8(gray*(1-alpha) + c*alpha + 0.5)
			}
			p[3] = 0xff
		}
	}
	return out
}

// at interpolates the heat map between its positions. Outside of it, it uses the border.
func at(h nn.Heat, x, y float64) float64 {
	x, y = min(max(x, 0), float64(h.W-1)), min(max(y, 0), float64(h.H-1))
	x0, y0 := int(x), int(y)
	x1, y1 := min(x0+1, h.W-1), min(y0+1, h.H-1)
	fx, fy := x-float64(x0), y-float64(y0)
	v := func(x, y int) float64 { return float64(h.Values[y*h.W+x]) }
	return (v(x0, y0)*(1-fx)+v(x1, y0)*fx)*(1-fy) + (v(x0, y1)*(1-fx)+v(x1, y1)*fx)*fy
}

// glow returns the colour of heat t, 0 to 1: from violet through red to yellow.
func glow(t float64) [3]float64 {
	stops := [4][3]float64{{70, 20, 120}, {190, 40, 90}, {245, 125, 20}, {255, 240, 80}}
	i := min(int(t*3), 2)
	f := t*3 - float64(i)
	var c [3]float64
	for k := range c {
		c[k] = stops[i][k]*(1-f) + stops[i+1][k]*f
	}
	return c
}

func dataJPEG(img image.Image) (template.URL, error) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 85}); err != nil {
		return "", fmt.Errorf("encode picture: %w", err)
	}
	return template.URL("data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(b.Bytes())), nil
}

// grids draws mistakes.png and gradcam.png, for people who want to send a single file.
func (p *page) grids() ([]picture, error) {
	note := func(n int, text string) string {
		if n == 0 {
			return text
		}
		return ""
	}
	title := fmt.Sprintf("the worst of %d mistakes on %d images", p.Wrong, len(p.Images))
	mistakes, err := grid(p.Mistakes, 4, title, note(p.Wrong, "no mistakes on these images"))
	if err != nil {
		return nil, fmt.Errorf("mistakes.png: %w", err)
	}
	out := []picture{{file: "mistakes.png", data: mistakes}}
	if p.Explain != nil {
		var tiles []tile
		for _, h := range p.Heats {
			tiles = append(tiles, h.Plain, h.Heat)
		}
		heats, err := grid(tiles, 4, "places that look like a crack (Grad-CAM of "+p.HeatOf+")",
			note(len(tiles), "no cracks in these images"))
		if err != nil {
			return nil, fmt.Errorf("gradcam.png: %w", err)
		}
		out = append(out, picture{file: "gradcam.png", data: heats})
	}
	return out, nil
}

// grid draws tiles in columns under a title. When instead is not empty, it is drawn in place of the
// tiles.
func grid(tiles []tile, columns int, title, instead string) ([]byte, error) {
	const (
		cell    = 1.45 * vg.Inch
		caption = 0.42 * vg.Inch
		pad     = 7
		head    = 0.4 * vg.Inch
	)
	rows := max(1, (len(tiles)+columns-1)/columns)
	w, h := pad+vg.Length(columns)*(cell+pad), head+vg.Length(rows)*(cell+caption)+pad
	c, dc := canvas(w, h)
	dc.FillText(letters(13, ink), vg.Point{X: w / 2, Y: h - head/2}, title)
	if instead != "" {
		dc.FillText(letters(13, ink), vg.Point{X: w / 2, Y: (h - head) / 2}, instead)
	}
	for i, t := range tiles {
		x, y := pad+vg.Length(i%columns)*(cell+pad), h-head-vg.Length(i/columns)*(cell+caption)-cell
		b := t.small.Bounds()
		scale := cell / vg.Length(max(b.Dx(), b.Dy()))
		iw, ih := scale*vg.Length(b.Dx()), scale*vg.Length(b.Dy())
		from := vg.Point{X: x + (cell-iw)/2, Y: y + (cell-ih)/2}
		dc.DrawImage(vg.Rectangle{Min: from, Max: vg.Point{X: from.X + iw, Y: from.Y + ih}}, t.small)
		dc.FillText(letters(8, ink), vg.Point{X: x + cell/2, Y: y - 8}, short(t.Name, 24))
		dc.FillText(letters(8, middle), vg.Point{X: x + cell/2, Y: y - 18},
			fmt.Sprintf("%s, score %.3f", t.Says, t.Score))
	}
	return encode(c, png.BestSpeed)
}

// short returns the last part of a name, without its middle when it is longer than limit letters.
func short(name string, limit int) string {
	letters := []rune(name[strings.LastIndex(name, "/")+1:])
	if len(letters) <= limit {
		return string(letters)
	}
	return string(letters[:limit/2]) + "…" + string(letters[len(letters)-limit/2+1:])
}
