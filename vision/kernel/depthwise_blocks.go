//go:build amd64 || arm64

package kernel

// depthwiseBlock is the number of channels that the kernels for depthwise convolutions compute
// together. The last block of a layer overlaps the one before it if it is not whole, and computes
// the same bytes again.
const depthwiseBlock = 16

// depthwiseAt returns the first channel of block i.
func depthwiseAt(i, channels int) int { return min(i*depthwiseBlock, channels-depthwiseBlock) }

func depthwiseBlocks(channels int) int { return padTo(channels, depthwiseBlock) / depthwiseBlock }

// depthwiseRows returns the values of the three rows under n windows. If a row or dst is too short,
// it panics before any assembly runs.
func depthwiseRows(dst []uint8, rows [][]uint8, x, stride, n, channels int) (row0, row1, row2 []uint8) {
	return sharedRows(dst, rows, x, (n-1)*stride+3, n, channels)
}

// sharedRows returns the given number of columns of the three rows under n windows.
func sharedRows(dst []uint8, rows [][]uint8, x, columns, n, channels int) (row0, row1, row2 []uint8) {
	_ = dst[n*channels-1]
	size := columns * channels
	return rows[0][x*channels:][:size], rows[1][x*channels:][:size], rows[2][x*channels:][:size]
}

// zeroColumn is a column of zeros in each of the three rows.
var zeroColumn [16]uint8

// beyond returns how many columns of n windows from x on are left and right of the rows: 0 or 1.
func beyond(rows [][]uint8, x, n, channels int) (left, right int) {
	if x < 0 {
		left = 1
	}
	if (x+n+2)*channels > len(rows[0]) {
		right = 1
	}
	return left, right
}
