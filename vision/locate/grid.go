package locate

import (
	"image"
	"math"

	"tirewatch/vision/frame"
)

// gridWidth is the approximate width of the search grid, cells. A tire that fills a third of the
// image is then 80 cells wide, and its outline can be placed to a few tenths of a cell: well below
// one per cent.
const gridWidth = 240

// grid is a frame, or a part of it, grey and reduced: cell (x, y) is the mean of step x step
// pixels.
type grid struct {
	w, h, step int
	pix        []byte // (h, w)

	row []byte   // one row of the frame in grey
	sum []uint32 // (w) sums of a row of cells
}

// fill makes the grid of the rectangle rect of f. It leaves out columns and rows at the right and
// lower border that do not fill a cell.
func (g *grid) fill(f *frame.Frame, rect image.Rectangle) { g.fillTo(f, rect, gridWidth) }

// fillTo is fill with a grid about width cells wide.
func (g *grid) fillTo(f *frame.Frame, rect image.Rectangle, width int) {
	g.step = max(1, (max(rect.Dx(), rect.Dy())+width/2)/width)
	g.w, g.h = rect.Dx()/g.step, rect.Dy()/g.step
	g.pix, g.sum = grow(g.pix, g.w*g.h), grow(g.sum, g.w)
	// Four rows of each cell are enough to average out the noise. Cells of large images have more.
	every := max(1, g.step/4)
	for y := range g.h {
		clear(g.sum)
		rows := 0
		for k := 0; k < g.step; k += every {
			top := rect.Min.Y + y*g.step + k
			g.row = f.Gray(g.row, image.Rect(rect.Min.X, top, rect.Min.X+g.w*g.step, top+1))
			addCells(g.sum, g.row, g.step)
			rows++
		}
		n := uint32(rows * g.step)
		out := g.pix[y*g.w:][:g.w]
		for x := range out {
			out[x] = byte((g.sum[x] + n/2) / n)
		}
	}
}

// addCells adds step pixels of the row to each cell's sum.
func addCells(sum []uint32, row []byte, step int) {
	for x := range sum {
		s := uint32(0)
		for _, p := range row[x*step:][:step] {
			s += uint32(p)
		}
		sum[x] += s
	}
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// at interpolates the grid at (x, y), cells. (0, 0) is the centre of the first cell. Outside the
// grid, ok is false.
func (g *grid) at(x, y float32) (v float32, ok bool) {
	if !(x >= 0 && y >= 0 && x < float32(g.w-1) && y < float32(g.h-1)) {
		return 0, false
	}
	xi, yi := int(x), int(y)
	fx, fy := x-float32(xi), y-float32(yi)
	up := g.pix[yi*g.w+xi:][:2]
	down := g.pix[(yi+1)*g.w+xi:][:2]
	a := float32(up[0]) + (float32(up[1])-float32(up[0]))*fx
	b := float32(down[0]) + (float32(down[1])-float32(down[0]))*fx
	return a + (b-a)*fy, true
}

// edge is a cell where brightness changes, with the unit vector towards the bright side.
type edge struct{ x, y, dx, dy float32 }

// Edges are cells whose Sobel gradient (8 per grey level and cell) is at least minGradient, at most
// the strongest maxEdgeShare of all cells. On a belt with a coarse weave everything is an edge, and
// the outline is among the strongest.
const (
	minGradient  = 32
	maxEdgeShare = 0.15
)

// edges collects the edge cells into dst. mag is a buffer of (h, w).
func (g *grid) edges(dst []edge, mag []uint16) []edge {
	dst = dst[:0]
	var counts [1443]int // 1442 is the length of the largest Sobel gradient, (1020, 1020)
	w := g.w
	for y := 1; y < g.h-1; y++ {
		up, row, down := g.pix[(y-1)*w:][:w], g.pix[y*w:][:w], g.pix[(y+1)*w:][:w]
		for x := 1; x < w-1; x++ {
			gx, gy := sobel(up, row, down, x)
			m := uint16(math.Sqrt(float64(gx*gx + gy*gy)))
			mag[y*w+x] = m
			counts[m]++
		}
	}
	threshold, left := len(counts)-1, int(maxEdgeShare*float32(w*g.h))
	for threshold > minGradient && left >= counts[threshold] {
		left -= counts[threshold]
		threshold--
	}
	for y := 1; y < g.h-1; y++ {
		up, row, down := g.pix[(y-1)*w:][:w], g.pix[y*w:][:w], g.pix[(y+1)*w:][:w]
		for x := 1; x < w-1; x++ {
			if int(mag[y*w+x]) < threshold {
				continue
			}
			gx, gy := sobel(up, row, down, x)
			inv := 1 / float32(math.Sqrt(float64(gx*gx+gy*gy)))
			dst = append(dst, edge{float32(x), float32(y), float32(gx) * inv, float32(gy) * inv})
		}
	}
	return dst
}

// sobel returns the gradient at cell x of the middle row.
func sobel(up, row, down []byte, x int) (gx, gy int) {
	ul, u, ur := int(up[x-1]), int(up[x]), int(up[x+1])
	l, r := int(row[x-1]), int(row[x+1])
	dl, d, dr := int(down[x-1]), int(down[x]), int(down[x+1])
	return ur + 2*r + dr - ul - 2*l - dl, dl + 2*d + dr - ul - 2*u - ur
}
