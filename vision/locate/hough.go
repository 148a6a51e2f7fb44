package locate

// hough searches for centres. Every edge of a dark disc points away from its centre, so each edge
// cell votes for all cells in the opposite direction at the distance of a possible radius. The
// votes of an outline meet in its centre. This is Ballard's generalized Hough transform with
// gradient direction, as in OpenCV's HOUGH_GRADIENT, but only for dark discs: the edges of a bright
// hub in a dark tire and of the gap between two tires point the other way.
type hough struct {
	w, h   int
	votes  []uint32 // (h, w)
	smooth []uint32 // (h, w) votes summed over a small square
	mid    []uint32 // (h, w)
}

// vote fills the accumulator. Radii are in cells.
func (a *hough) vote(g *grid, edges []edge, rmin, rmax float32) {
	a.w, a.h = g.w, g.h
	n := g.w * g.h
	a.votes, a.smooth, a.mid = grow(a.votes, n), grow(a.smooth, n), grow(a.mid, n)
	clear(a.votes)
	steps := int(rmax-rmin) + 1
	const one = 1 << 16 // fixed point, because the loop below takes most of the time
	for _, e := range edges {
		x, y := int((e.x-e.dx*rmin+0.5)*one), int((e.y-e.dy*rmin+0.5)*one)
		dx, dy := int(e.dx*one), int(e.dy*one)
		for range steps {
			cx, cy := x>>16, y>>16
			if uint(cx) >= uint(a.w) || uint(cy) >= uint(a.h) {
				break
			}
			a.votes[cy*a.w+cx]++
			x, y = x-dx, y-dy
		}
	}
}

// blur sums the votes over squares of 2*k+1 cells a side. The directions of edges have errors of a
// few degrees, so the votes meet in a small area and not in one cell.
func (a *hough) blur(k int) {
	boxSums(a.mid, a.votes, a.h, a.w, a.w, 1, k)
	boxSums(a.smooth, a.mid, a.w, a.h, 1, a.w, k)
}

// boxSums writes running sums over 2*k+1 cells along lines of n cells. The distance between lines
// is lineStep, between cells cellStep.
func boxSums(dst, src []uint32, lines, n, lineStep, cellStep, k int) {
	for line := range lines {
		base := line * lineStep
		var sum uint32
		for i := range min(k, n) {
			sum += src[base+i*cellStep]
		}
		for i := range n {
			if i+k < n {
				sum += src[base+(i+k)*cellStep]
			}
			if i-k-1 >= 0 {
				sum -= src[base+(i-k-1)*cellStep]
			}
			dst[base+i*cellStep] = sum
		}
	}
}

// peak returns the cell with the most votes. It clears all votes within apart cells around it.
func (a *hough) peak(apart int) (x, y int, votes uint32) {
	best := 0
	for i, v := range a.smooth {
		if v > a.smooth[best] {
			best = i
		}
	}
	x, y, votes = best%a.w, best/a.w, a.smooth[best]
	for yy := max(0, y-apart); yy <= min(a.h-1, y+apart); yy++ {
		clear(a.smooth[yy*a.w+max(0, x-apart) : yy*a.w+min(a.w-1, x+apart)+1])
	}
	return x, y, votes
}
