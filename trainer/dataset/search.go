package dataset

import (
	"cmp"
	"context"
	"slices"
)

// pair is a pair of near-duplicates, as indices with a < b.
type pair struct {
	a, b int
	overlap
	exact bool // the files are equal byte for byte
	// their group or their names say so: one was made from the other, or both are of one station
	// run or of one tire
	made bool
}

// certain reports whether the two surely belong together.
func (p pair) certain() bool { return p.exact || p.made }

// searchBlock is how many images are compared with all earlier ones at a time. The looks of the
// earlier images then pass through the processor's cache only once per block.
const searchBlock = 64

// pairs finds all near-duplicates, ordered by a, then b. Every image is compared with every other
// one. 20,000 crops of walls and tires take 45 seconds of processor time with AVX-512. As many
// whole tires in one pose, where a quarter of the pairs have similar hashes, would take three to
// four minutes. progress may be nil.
func pairs(ctx context.Context, photos []photo, progress func(done, total int)) ([]pair, error) {
	found := make([][]pair, len(photos)) // by b
	blocks := (len(photos) + searchBlock - 1) / searchBlock
	err := parallel(ctx, blocks, progress, func(k int) error {
		k = blocks - 1 - k // the longest blocks first, so that the processors finish together
		searchIn(photos, k*searchBlock, min((k+1)*searchBlock, len(photos)), found)
		return nil
	})
	all := slices.Concat(found...)
	slices.SortFunc(all, func(x, y pair) int { return cmp.Or(cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b)) })
	return all, err
}

// searchIn finds the pairs of the images from <= b < to with earlier images.
func searchIn(photos []photo, from, to int, found [][]pair) {
	type candidate struct{ a, distance int }
	var near [searchBlock][]candidate // by b - from
	for a := range to {
		p := &photos[a]
		if p.look == nil {
			continue
		}
		for b := max(from, a+1); b < to; b++ {
			q := &photos[b]
			if q.look == nil {
				continue
			}
			if d := p.look.distance(q.look); d <= maxHashBits { // 0 for copies
				near[b-from] = append(near[b-from], candidate{a, d})
			}
		}
	}
	for b := from; b < to; b++ {
		if len(near[b-from]) == 0 {
			continue
		}
		second := newViews(photos[b].look)
		for _, c := range near[b-from] {
			if photos[c.a].sum == photos[b].sum {
				found[b] = append(found[b], pair{a: c.a, b: b, overlap: overlap{corr: 1}, exact: true})
			} else if o, ok := photos[c.a].look.overlap(second, c.distance); ok {
				found[b] = append(found[b], pair{a: c.a, b: b, overlap: o})
			}
		}
	}
}
