package dataset

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// Division is a list of images cut in two, with near-duplicates, the pictures of one run of a
// station and the tiles of one tire on one side.
type Division struct {
	Keep    []Item  // the larger side, to train on; sorted by path
	Hold    []Item  // the side held back; sorted by path
	Bad     []error // files that cannot be read, each named; they are on no side
	Groups  int     // groups of two or more images that belong together
	Grouped int     // images in them
	// pairs that had to be ignored because their group grew too large: near-duplicates may be on
	// both sides
	Dropped  int
	MaxGroup int // the size that no group may exceed
}

// Divide reads the images and holds back a share of each class, 0 < share < 1. progress, of the
// reading, may be nil.
func Divide(ctx context.Context, items []Item, seed uint64, share float64, progress func(done, total int)) (*Division, error) {
	photos, err := survey(ctx, items, examine, progress)
	if err != nil {
		return nil, err
	}
	return divide(ctx, photos, seed, share, nil)
}

// divide is Divide for images that were read. progress, of the search for near-duplicates, may be
// nil.
func divide(ctx context.Context, photos []photo, seed uint64, share float64, progress func(done, total int)) (*Division, error) {
	if !(share > 0 && share < 1) {
		return nil, fmt.Errorf("share %v is not between 0 and 1", share)
	}
	d := new(Division)
	photos = slices.DeleteFunc(slices.Clone(photos), func(p photo) bool {
		if p.err != nil {
			d.Bad = append(d.Bad, p.err)
		}
		return p.err != nil
	})
	found, err := pairs(ctx, photos, progress)
	if err != nil {
		return nil, err
	}
	found = append(found, families(photos)...)
	found = append(found, together(photos)...)
	d.MaxGroup = maxGroup(len(photos))
	groups, dropped := group(len(photos), found, d.MaxGroup)
	d.Dropped = dropped
	for _, g := range groups {
		if len(g) > 1 {
			d.Groups++
			d.Grouped += len(g)
		}
	}
	hold, err := choose(photos, groups, seed, share)
	if err != nil {
		return nil, err
	}
	for i, p := range photos {
		if hold[i] {
			d.Hold = append(d.Hold, p.item)
		} else {
			d.Keep = append(d.Keep, p.item)
		}
	}
	byPath := func(a, b Item) int { return strings.Compare(a.Path, b.Path) }
	slices.SortFunc(d.Keep, byPath)
	slices.SortFunc(d.Hold, byPath)
	return d, nil
}

// choose says for each photo whether it is held back. Groups come in random order, and a group is
// taken when it fits: when no class gets more than its share. What is missing then is filled by the
// group that brings the counts nearest to their aim.
func choose(photos []photo, groups [][]int, seed uint64, share float64) ([]bool, error) {
	var total, groupsOf [2]int
	counts := make([][2]int, len(groups))
	for i, g := range groups {
		for _, p := range g {
			counts[i][photos[p].item.Class]++
		}
		for c, n := range counts[i] {
			total[c] += n
			if n > 0 {
				groupsOf[c]++
			}
		}
	}
	var aim [2]int
	for c := range aim {
		if groupsOf[c] < 2 {
			return nil, fmt.Errorf("%w: %d readable %s images that are neither near-duplicates of each other nor of one run of a station or one tire, a split needs 2; add photographs",
				ErrTooFew, groupsOf[c], Class(c))
		}
		aim[c] = min(max(int(math.Round(share*float64(total[c]))), 1), total[c]-1)
	}

	hold := make([]bool, len(photos))
	var have [2]int
	take := func(g int) {
		for _, p := range groups[g] {
			hold[p] = true
		}
		have[0], have[1] = have[0]+counts[g][0], have[1]+counts[g][1]
	}
	// miss is how far the held counts are from the aim with n more.
	miss := func(n [2]int) (m int) {
		for c := range aim {
			d := aim[c] - have[c] - n[c]
			m += max(d, -d)
			if total[c] == have[c]+n[c] { // nothing left to train on
				m += len(photos)
			}
			if have[c]+n[c] == 0 { // nothing held back
				m += len(photos)
			}
		}
		return m
	}
	order := rand.New(rand.NewPCG(seed, 0)).Perm(len(groups))
	var left []int
	for _, g := range order {
		if have[0]+counts[g][0] <= aim[0] && have[1]+counts[g][1] <= aim[1] {
			take(g)
		} else {
			left = append(left, g)
		}
	}
	for len(left) > 0 {
		best := 0
		for i, g := range left {
			if miss(counts[g]) < miss(counts[left[best]]) {
				best = i
			}
		}
		if miss(counts[left[best]]) >= miss([2]int{}) {
			break
		}
		take(left[best])
		left = slices.Delete(left, best, best+1)
	}
	if miss([2]int{}) >= len(photos) {
		return nil, fmt.Errorf("%w: near-duplicates leave no way to have both classes on both sides; add photographs", ErrTooFew)
	}
	return hold, nil
}
