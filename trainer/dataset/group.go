package dataset

import (
	"cmp"
	"slices"
)

// group joins near-duplicates, and in turn their near-duplicates, into groups that a split keeps
// together. groups holds the indices of each group, ordered by the first; most groups have one
// image.
//
// A chain of pairs could join everything into one group, which no split can divide. So a group has
// at most cap images, except for pairs that are certain from names or bytes. The most similar pairs
// are joined first. dropped counts the pairs that were not joined.
func group(n int, found []pair, cap int) (groups [][]int, dropped int) {
	parent, size := make([]int, n), make([]int, n)
	for i := range parent {
		parent[i], size[i] = i, 1
	}
	root := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	order := slices.Clone(found)
	slices.SortStableFunc(order, func(x, y pair) int {
		if x.certain() != y.certain() {
			if x.certain() {
				return -1
			}
			return 1
		}
		return cmp.Compare(y.corr, x.corr)
	})
	for _, p := range order {
		a, b := root(p.a), root(p.b)
		if a == b {
			continue
		}
		if !p.certain() && size[a]+size[b] > cap {
			dropped++
			continue
		}
		a, b = min(a, b), max(a, b)
		parent[b] = a
		size[a] += size[b]
	}
	at := make(map[int]int) // root to index in groups
	for i := range n {
		r := root(i)
		if _, ok := at[r]; !ok {
			at[r] = len(groups)
			groups = append(groups, nil)
		}
		groups[at[r]] = append(groups[at[r]], i)
	}
	return groups, dropped
}

// maxGroup is the size limit of a group in a set of n images: a tenth, so that a fifth can still be
// held back with some choice.
func maxGroup(n int) int { return max(n/10, 4) }
