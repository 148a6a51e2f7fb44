//go:build !amd64

package dataset

func sumsOf(a, b *thumb, pa, pb, w, h int) sums { return sumsGeneric(a, b, pa, pb, w, h) }

func closest(hashes []uint64, to uint64) int { return closestGeneric(hashes, to) }
