package web

import (
	"image"

	"tirewatch/vision/frame"
)

// pictureWidth is what the page's picture has at most, px.
const pictureWidth = 960

// shrink draws the grey frame into dst, made smaller by a whole number: each point is the mean of
// its pixels.
func shrink(dst *image.Gray, f *frame.Frame) {
	step := (f.Width + pictureWidth - 1) / pictureWidth
	w, h := f.Width/step, max(f.Height/step, 1)
	if dst.Rect.Dx() != w || dst.Rect.Dy() != h {
		*dst = *image.NewGray(image.Rect(0, 0, w, h))
	}
	rows := min(step, f.Height)
	n := uint32(step * rows)
	sum := make([]uint32, w)
	for y := range h {
		clear(sum)
		for k := range rows {
			row := f.Pix[(y*step+k)*f.Stride:][:w*step]
			for x := range sum {
				for _, p := range row[x*step:][:step] {
					sum[x] += uint32(p)
				}
			}
		}
		for x, s := range sum {
			dst.Pix[y*dst.Stride+x] = uint8(s / n)
		}
	}
}

// light is how bright a part of a frame is.
type light struct {
	Mean float64 `json:"mean"` // grey, 0 to 255
	Dark float64 `json:"dark"` // share of pixels that are black
	// share of pixels that are white, where nothing is to be seen any more
	Bright    float64              `json:"bright"`
	Upper     int                  `json:"upper"` // grey below which 95 % lie
	Histogram [histogramBins]int32 `json:"histogram"`
}

const histogramBins = 32 // bins

// Greys from which a pixel counts as black and as white: noise leaves the ends of the scale by a
// few.
const (
	blackLevel = 4
	whiteLevel = 251
)

// measuredSide is the side of the square in the middle of a part that is measured, px: the sharpness of
// a lens shows there as well, in a hundredth of the time.
const measuredSide = 512

// measure gives the sharpness of a part of the frame and how bright it is.
//
// Sharpness is the energy of the Laplacian (M. Subbarao, T. Choi, A. Nikzad: Focusing techniques,
// Optical Engineering 32, 1993), divided by the variance of the grey levels, so that more light is
// not taken for better focus. It has no unit: the higher, the sharper, for one picture.
func measure(f *frame.Frame, part image.Rectangle) (focus float64, l light) {
	mid := part.Min.Add(part.Max).Div(2)
	part = part.Intersect(image.Rect(mid.X-measuredSide/2, mid.Y-measuredSide/2, mid.X+measuredSide/2, mid.Y+measuredSide/2))
	w, h := part.Dx(), part.Dy()
	if w < 3 || h < 3 {
		return 0, l
	}
	grey := f.Gray(nil, part) // of a grey frame a copy without gaps
	var count [256]int32
	for _, p := range grey {
		count[p]++
	}
	n := float64(len(grey))
	sum, squares, below := 0.0, 0.0, int32(0)
	for v, k := range count {
		sum += float64(v) * float64(k)
		squares += float64(v) * float64(v) * float64(k)
		l.Histogram[v*histogramBins/256] += k
		if float64(below) < 0.95*n {
			l.Upper = v
		}
		below += k
		if v <= blackLevel {
			l.Dark += float64(k) / n
		}
		if v >= whiteLevel {
			l.Bright += float64(k) / n
		}
	}
	l.Mean = sum / n
	var energy int64
	for y := 1; y < h-1; y++ {
		up, row, down := grey[(y-1)*w:][:w], grey[y*w:][:w], grey[(y+1)*w:][:w]
		for x := 1; x < w-1; x++ {
			d := int64(up[x]) + int64(down[x]) + int64(row[x-1]) + int64(row[x+1]) - 4*int64(row[x])
			energy += d * d
		}
	}
	if variance := squares - sum*sum/n; variance > 0 {
		focus = 100 * float64(energy) / variance
	}
	return focus, l
}
