package dataset

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// Division is a list of images in two sides. Near-duplicates, the images of one group or of one
// station run and the tiles of one tire are on one side.
type Division struct {
	Keep    []Item  // the larger side, for training; sorted by path
	Hold    []Item  // the side held back; sorted by path
	Bad     []error // one error per unreadable file; such files are on neither side
	Groups  int     // groups of at least two images that stay together
	Grouped int     // images in these groups
	// pairs that were ignored because their group was too large: near-duplicates may be on both
	// sides
	Dropped  int
	MaxGroup int // the size that no group may exceed
}

// Divide reads the images and holds back a share of each class, 0 < share < 1. progress reports the
// reading and may be nil.
func Divide(ctx context.Context, items []Item, seed uint64, share float64,
	progress func(done, total int)) (*Division, error) {
	photos, err := survey(ctx, items, examine, progress)
	if err != nil {
		return nil, err
	}
	return divide(ctx, photos, seed, share, nil)
}

// divide is Divide for images that are already read. progress reports the search for
// near-duplicates and may be nil.
func divide(ctx context.Context, photos []photo, seed uint64, share float64,
	progress func(done, total int)) (*Division, error) {
	if !(share > 0 && share < 1) {
		return nil, fmt.Errorf("split: share %v is not between 0 and 1", share)
	}
	d := new(Division)
	photos = slices.DeleteFunc(slices.Clone(photos), func(p photo) bool {
		if p.err != nil {
			d.Bad = append(d.Bad, p.err)
		}
		return p.err != nil
	})
	d.MaxGroup = maxGroup(len(photos))
	groups, dropped, err := inseparable(ctx, photos, d.MaxGroup, progress)
	if err != nil {
		return nil, err
	}
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

// inseparable returns the groups that no split divides, as indices of photos: near-duplicates up to
// cap images, and everything that surely belongs together. dropped is that of group.
func inseparable(ctx context.Context, photos []photo, cap int,
	progress func(done, total int)) (groups [][]int, dropped int, err error) {
	found, err := pairs(ctx, photos, progress)
	if err != nil {
		return nil, 0, err
	}
	found = append(found, families(photos)...)
	found = append(found, together(photos)...)
	groups, dropped = group(len(photos), found, cap)
	return groups, dropped, nil
}

// choose says for each photo whether it is held back. It takes groups in random order, each when it
// fits: when no class gets more than its share. It then fills what is missing with the group that
// brings the counts nearest to their aim.
func choose(photos []photo, groups [][]int, seed uint64, share float64) ([]bool, error) {
	s, err := newSides(photos, groups, share)
	if err != nil {
		return nil, err
	}
	order := rand.New(rand.NewPCG(seed, 0)).Perm(len(groups))
	var left []int
	for _, g := range order {
		if s.have[0]+s.counts[g][0] <= s.aim[0] && s.have[1]+s.counts[g][1] <= s.aim[1] {
			s.take(g)
		} else {
			left = append(left, g)
		}
	}
	for len(left) > 0 {
		best := 0
		for i, g := range left {
			if s.miss(s.counts[g]) < s.miss(s.counts[left[best]]) {
				best = i
			}
		}
		if s.miss(s.counts[left[best]]) >= s.miss([2]int{}) {
			break
		}
		s.take(left[best])
		left = slices.Delete(left, best, best+1)
	}
	if s.miss([2]int{}) >= len(photos) {
		return nil, fmt.Errorf("%w: near-duplicates stay together, so both classes cannot be on both sides; "+
			"add photographs", ErrTooFew)
	}
	return s.hold, nil
}

// sides is the state of choose. Arrays of two are indexed by Class.
type sides struct {
	groups [][]int
	counts [][2]int // images of each group
	total  [2]int   // images of all groups
	aim    [2]int   // images to hold back
	have   [2]int   // images held back so far
	hold   []bool   // by photo
}

// newSides counts the classes and sets the aim. Each class needs two independent groups.
func newSides(photos []photo, groups [][]int, share float64) (*sides, error) {
	s := &sides{groups: groups, counts: make([][2]int, len(groups)), hold: make([]bool, len(photos))}
	var groupsOf [2]int
	for i, g := range groups {
		for _, p := range g {
			s.counts[i][photos[p].item.Class]++
		}
		for c, n := range s.counts[i] {
			s.total[c] += n
			if n > 0 {
				groupsOf[c]++
			}
		}
	}
	for c := range s.aim {
		if groupsOf[c] < 2 {
			return nil, fmt.Errorf("%w: %d readable %s images are independent, a split needs 2 "+
				"(near-duplicates and the images of a group, of a station run or of a tire count as one); "+
				"add photographs", ErrTooFew, groupsOf[c], Class(c))
		}
		s.aim[c] = min(max(int(math.Round(share*float64(s.total[c]))), 1), s.total[c]-1)
	}
	return s, nil
}

// take holds a group back.
func (s *sides) take(g int) {
	for _, p := range s.groups[g] {
		s.hold[p] = true
	}
	s.have[0], s.have[1] = s.have[0]+s.counts[g][0], s.have[1]+s.counts[g][1]
}

// miss returns how far the held counts are from the aim when n more images are held back.
func (s *sides) miss(n [2]int) (m int) {
	for c := range s.aim {
		d := s.aim[c] - s.have[c] - n[c]
		m += max(d, -d)
		if s.total[c] == s.have[c]+n[c] { // nothing left for training
			m += len(s.hold)
		}
		if s.have[c]+n[c] == 0 { // nothing held back
			m += len(s.hold)
		}
	}
	return m
}
