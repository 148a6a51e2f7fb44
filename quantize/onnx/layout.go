package onnx

import (
	"fmt"
	"slices"

	"tirewatch/vision/graph"
)

// axis is a direction of an activation.
type axis byte

const (
	batch   axis = 'N'
	rows    axis = 'H'
	columns axis = 'W'
	depth   axis = 'C'
)

// layout describes how an activation is stored in ONNX's memory. It keeps two things apart: the
// extents that ONNX sees, and the axes in the order in which they vary, the slowest first. An axis
// of one element is not listed, because it can be anywhere:
//
//	(1, 16, 11, 11)  output of a convolution            order C H W
//	(1, 11, 11, 16)  after a Transpose to (N, H, W, C)  order H W C
//	(1, 1936)        after a Reshape                    order H W C, which a dense layer reads
//
// So a Reshape changes only the extents, whatever its purpose: to flatten, to drop an axis, or to
// replace a Transpose, as in tf2onnx files with one channel. Networks with axes in any order are
// read correctly without a special case for each tool.
type layout struct {
	dims  []int  // extents as ONNX counts them
	order []axis // of more than one element, the slowest first
	batch int
	shape graph.Shape // of one image
}

// maxSide is the limit for the batch and for the sides of an image, as in package graph, so that no
// product of them overflows.
const maxSide = 4096

// imageLayout interprets the extents of the input as grey images: (N, 1, H, W), (N, H, W, 1) or (N,
// H, W).
func imageLayout(dims []int) (layout, error) {
	l := layout{dims: slices.Clone(dims)}
	if len(dims) > 0 && dims[0] == AnySize {
		l.dims[0] = 1
	}
	d := l.dims
	for _, n := range d {
		if n > maxSide {
			return l, fmt.Errorf("its size is %v, the limit is %d for each side", dims, maxSide)
		}
	}
	switch {
	case slices.Contains(d, AnySize):
		return l, fmt.Errorf("its size %v is not fixed, export the network for images of one size", dims)
	case len(d) == 4 && d[1] == 1:
		l.shape = graph.Shape{H: d[2], W: d[3], C: 1}
	case len(d) == 4 && d[3] == 1, len(d) == 3:
		l.shape = graph.Shape{H: d[1], W: d[2], C: 1}
	case len(d) == 4:
		return l, fmt.Errorf("its size is %v, but only grey images with one channel are supported", dims)
	default:
		return l, fmt.Errorf("its size is %v, want (N, 1, H, W), (N, H, W, 1) or (N, H, W)", dims)
	}
	l.batch = d[0]
	l.order = l.present(batch, rows, columns)
	return l, nil
}

func (l layout) extent(a axis) int {
	switch a {
	case batch:
		return l.batch
	case rows:
		return l.shape.H
	case columns:
		return l.shape.W
	}
	return l.shape.C
}

// count returns the number of values.
func (l layout) count() int {
	n := 1
	for _, d := range l.dims {
		n *= d
	}
	return n
}

// present removes the axes of one element.
func (l layout) present(order ...axis) []axis {
	return slices.DeleteFunc(order, func(a axis) bool { return l.extent(a) == 1 })
}

// channelsFirst reports whether the extents are (N, C, H, W), as sliding windows need them.
func (l layout) channelsFirst() bool {
	return slices.Equal(l.dims, []int{l.batch, l.shape.C, l.shape.H, l.shape.W}) &&
		slices.Equal(l.order, l.present(batch, depth, rows, columns))
}

// windowed returns the layout after a convolution or pool with output shape s.
func (l layout) windowed(s graph.Shape) layout {
	l.shape, l.dims = s, []int{l.batch, s.C, s.H, s.W}
	l.order = l.present(batch, depth, rows, columns)
	return l
}

// dense returns the layout after a dense layer, which replaces the last extent.
func (l layout) dense(units int) layout {
	l.shape, l.dims = graph.Shape{H: 1, W: 1, C: units}, append(slices.Clone(l.dims[:len(l.dims)-1]), units)
	l.order = l.present(batch, depth)
	return l
}

// flat reports whether the last extent holds a whole image, as a dense layer needs it.
func (l layout) flat() bool {
	n := l.shape.Size()
	return len(l.dims) > 1 && l.dims[len(l.dims)-1] == n && l.count() == n*l.batch &&
		(l.batch == 1 || len(l.order) > 0 && l.order[0] == batch)
}

// places returns, for each value of a flat image in memory order, its place in our order (H, W, C).
func (l layout) places() []int {
	places := []int{0}
	for _, a := range l.order {
		if a == batch {
			continue
		}
		step := map[axis]int{rows: l.shape.W * l.shape.C, columns: l.shape.C, depth: 1}[a]
		next := make([]int, 0, len(places)*l.extent(a))
		for _, p := range places {
			for i := range l.extent(a) {
				next = append(next, p+i*step)
			}
		}
		places = next
	}
	return places
}

// perChannel reports whether a constant with extents c, broadcast to this layout as in ONNX, has
// one number for each channel or one for all.
func (l layout) perChannel(c []int) bool {
	if len(c) > len(l.dims) {
		return false
	}
	groups, err := l.groups()
	if err != nil {
		return false
	}
	for i, n := range c {
		at := len(l.dims) - len(c) + i
		if n > 1 && !(n == l.shape.C && slices.Equal(groups[at], []axis{depth})) {
			return false
		}
	}
	return true
}

// groups returns the axes in each extent.
func (l layout) groups() ([][]axis, error) {
	groups, order := make([][]axis, len(l.dims)), l.order
	for i, d := range l.dims {
		for n := 1; n < d; {
			if len(order) == 0 || d%(n*l.extent(order[0])) != 0 {
				return nil, fmt.Errorf("an axis is split in %v", l.dims)
			}
			n *= l.extent(order[0])
			groups[i], order = append(groups[i], order[0]), order[1:]
		}
	}
	return groups, nil
}

// transpose reorders the extents as ONNX's Transpose does.
func (l layout) transpose(perm []int64) (layout, error) {
	groups, err := l.groups()
	if err != nil {
		return l, err
	}
	if perm == nil { // ONNX: reversed
		for i := range l.dims {
			perm = append(perm, int64(len(l.dims)-1-i))
		}
	}
	sorted := slices.Sorted(slices.Values(perm))
	if len(perm) != len(l.dims) || len(slices.Compact(sorted)) != len(perm) ||
		sorted[0] != 0 || sorted[len(sorted)-1] != int64(len(perm)-1) {
		return l, fmt.Errorf("invalid order %v of %d axes", perm, len(l.dims))
	}
	moved := l
	moved.dims, moved.order = nil, nil
	for _, p := range perm {
		moved.dims = append(moved.dims, l.dims[p])
		moved.order = append(moved.order, groups[p]...)
	}
	return moved, nil
}

// reshape changes the extents: 0 keeps the old extent, -1 is computed from the others.
func (l layout) reshape(dims []int64, zeroKeeps bool) (layout, error) {
	if len(dims) > maxRank {
		return l, fmt.Errorf("%d axes, the limit is %d", len(dims), maxRank)
	}
	size, open := 1, -1
	made := make([]int, len(dims))
	for i, d := range dims {
		switch {
		case d == 0 && zeroKeeps && i < len(l.dims):
			made[i] = l.dims[i]
		case d == -1 && open < 0:
			open = i
			continue
		case d > 0 && d <= MaxSize:
			made[i] = int(d)
		default:
			return l, fmt.Errorf("shape %v of %v", dims, l.dims)
		}
		if made[i] == 0 || size > l.count()/made[i] {
			return l, fmt.Errorf("shape %v of %v", dims, l.dims)
		}
		size *= made[i]
	}
	if open >= 0 {
		made[open] = l.count() / size
		size *= made[open]
	}
	if size != l.count() {
		return l, fmt.Errorf("shape %v of %v", dims, l.dims)
	}
	l.dims = made
	return l, nil
}
