package web

import (
	"image"

	"tirewatch/vision/frame"
)

// maxWidth limits the width of the live image, px.
const maxWidth = 960

// shrink draws the grey frame into dst, smaller by a whole number step: each pixel of dst is the
// mean of step x step pixels.
func shrink(dst *image.Gray, f *frame.Frame) {
	step := (f.Width + maxWidth - 1) / maxWidth
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

// light describes the brightness of a part of a frame.
type light struct {
	Mean float64 `json:"mean"` // grey, 0 to 255
	Dark float64 `json:"dark"` // share of black pixels
	// share of white pixels, which show no detail
	Bright    float64              `json:"bright"`
	Upper     int                  `json:"upper"` // 95 % of the pixels are at or below this grey
	Histogram [histogramBins]int32 `json:"histogram"`
}

const histogramBins = 32 // bins

// Greys up to which a pixel is black and from which it is white: noise moves black and white pixels
// a few levels from the ends of the scale.
const (
	blackLevel = 4
	whiteLevel = 251
)

// measuredSide is the side of the square in the middle of a part that measure looks at, px. It
// shows the sharpness as well as the whole part does, in a hundredth of the time.
const measuredSide = 512

// measure returns the sharpness and the brightness of a part of the grey frame. Both are zero for a
// part with a side below 3 px.
//
// Sharpness is the energy of the Laplacian (M. Subbarao, T. Choi, A. Nikzad: Focusing techniques,
// Optical Engineering 32, 1993) divided by the variance of the grey levels, so that more light does
// not look like better focus. It has no unit: higher is sharper, for the same scene.
func measure(f *frame.Frame, part image.Rectangle) (focus float64, l light) {
	mid := part.Min.Add(part.Max).Div(2)
	half := image.Pt(measuredSide/2, measuredSide/2)
	part = part.Intersect(image.Rectangle{Min: mid.Sub(half), Max: mid.Add(half)})
	w, h := part.Dx(), part.Dy()
	if w < 3 || h < 3 {
		return 0, l
	}
	grey := f.Gray(nil, part) // copies the rows without padding
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
