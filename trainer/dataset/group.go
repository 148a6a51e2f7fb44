package dataset

import (
	"cmp"
	"context"
	"crypto/sha256"
	"slices"

	"tirewatch/vision/imagefile"
)

// photo is what the audit and the splits know of an image after reading its file once.
type photo struct {
	item   Item
	sum    [sha256.Size]byte // of the file
	size   int64             // bytes
	look   *look             // nil when the image cannot be read
	err    error             // why it cannot be read
	width  int               // px
	height int               // px
	light  float64           // mean grey value, 0 to 255
}

// survey reads all images, in parallel and in order. Only the end of ctx is an error; damaged files carry their own.
func survey(ctx context.Context, items []Item, progress func(done, total int)) ([]photo, error) {
	photos := make([]photo, len(items))
	err := parallel(ctx, len(items), progress, func(i int) {
		photos[i] = examine(items[i])
	})
	return photos, err
}

func examine(it Item) photo {
	p := photo{item: it}
	if p.size, p.sum, p.err = hashFile(it.Path); p.err != nil {
		return p
	}
	f, err := imagefile.Read(it.Path)
	if err != nil {
		p.err = err
		return p
	}
	p.width, p.height = f.Width, f.Height
	p.look, p.err = newLook(f)
	if p.err == nil {
		p.light = p.look.light
	}
	return p
}

// group joins near-duplicates, and their near-duplicates in turn, into groups that a split keeps together. groups holds
// the indices of each group, ordered by the first; most have one.
//
// A chain of pairs may end in one group of everything, of which no split could take a part. So no group grows beyond
// cap images, except by copies of the same file and what was made from it; the most alike are joined first, and dropped counts the pairs that
// were not.
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

// maxGroup is the largest group in a set of n images: a tenth, so that a fifth can still be held back with some choice.
func maxGroup(n int) int { return max(n/10, 4) }
