package dataset

import (
	"cmp"
	"slices"
)

// group joins near-duplicates, and their near-duplicates in turn, into groups that a split keeps
// together. groups holds the indices of each group, ordered by the first; most have one.
//
// A chain of pairs may end in one group of everything, of which no split could take a part. So no
// group grows beyond cap images, except by what names and bytes say; the most alike are joined
// first, and dropped counts the pairs that were not.
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
	at := make(map[int]int) // root to place in groups
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

// maxGroup is the largest group in a set of n images: a tenth, so that a fifth can still be held
// back with some choice.
func maxGroup(n int) int { return max(n/10, 4) }
