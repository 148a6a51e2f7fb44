package dataset

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// Folds is a set in parts for a cross-validation: each part is tested once, by a network that was
// trained on the others. The images of a group are in one fold. Near-duplicates are, too, unless
// manifest.csv says what the folds are.
type Folds struct {
	Names []string // in the order of the folds

	reading *Reading
	photos  []photo  // readable images, sorted by path
	fold    []int    // of each photo
	group   []string // of each photo; an image that belongs to no other is a group of its own
}

// Whole returns the set with the images of all parts in Train. A cross-validation makes its own
// parts.
func (s *Set) Whole() *Set {
	whole := &Set{Dir: s.Dir, Train: slices.Concat(s.Train, s.Val, s.Test), Other: s.Other, groups: s.groups}
	slices.SortFunc(whole.Train, func(a, b Item) int { return strings.Compare(a.Path, b.Path) })
	return whole
}

// Folds divides the training images into n folds with the same share of both classes. The same seed
// makes the same folds. progress reports the search for near-duplicates and may be nil. Errors:
// ErrTooFew when a class has fewer groups than folds, and that of ctx.
func (r *Reading) Folds(ctx context.Context, n int, seed uint64, progress func(done, total int)) (*Folds, error) {
	f := newFolds(r)
	groups, _, err := inseparable(ctx, f.photos, maxGroup(len(f.photos)), progress)
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		f.name(g)
	}
	if f.fold, err = deal(f.photos, groups, n, seed); err != nil {
		return nil, fmt.Errorf("divide %s into %d folds: %w", r.set.Dir, n, err)
	}
	for k := range n {
		f.Names = append(f.Names, strconv.Itoa(k+1))
	}
	return f, nil
}

// GivenFolds uses the folds that Group found in manifest.csv. Errors are *GroupError: an image
// without a fold, a group in two folds, a fold without images of a class.
func (r *Reading) GivenFolds() (*Folds, error) {
	f := newFolds(r)
	without, example := 0, ""
	for _, p := range f.photos {
		if p.item.Fold == "" {
			without++
			example = cmp.Or(example, r.set.Rel(p.item.Path))
		} else if !slices.Contains(f.Names, p.item.Fold) {
			f.Names = append(f.Names, p.item.Fold)
		}
	}
	if without > 0 {
		return nil, &GroupError{
			Why:    fmt.Sprintf("%d of %d images have no fold, for example %s", without, len(f.photos), example),
			Advice: "write the name of its fold into the row of each image"}
	}
	if len(f.Names) < 2 {
		return nil, &GroupError{Why: fmt.Sprintf("all %d images are in one fold", len(f.photos)),
			Advice: "name a column with at least 2 different folds"}
	}
	slices.SortFunc(f.Names, byNumber)
	for _, p := range f.photos {
		f.fold = append(f.fold, slices.Index(f.Names, p.item.Fold))
	}
	return f, f.check()
}

// newFolds starts with the readable images, each in its own group if nobody gave another.
func newFolds(r *Reading) *Folds {
	f := &Folds{reading: r}
	for _, p := range r.train {
		if p.err == nil {
			f.photos = append(f.photos, p)
			f.group = append(f.group, r.set.GroupOf(p.item))
		}
	}
	return f
}

// name gives the images of an inseparable group one name, if they have none of their own.
func (f *Folds) name(group []int) {
	name := f.group[group[0]]
	for _, i := range group {
		if g := f.photos[i].item.Group; g != "" {
			name = g
			break
		}
	}
	for _, i := range group {
		if f.photos[i].item.Group == "" {
			f.group[i] = name
		}
	}
}

// Rel is [Set.Rel] of the set.
func (f *Folds) Rel(path string) string { return f.reading.set.Rel(path) }

// ID identifies which image is in which fold, 16 hexadecimal digits.
func (f *Folds) ID() string {
	h := sha256.New()
	for i, p := range f.photos {
		fmt.Fprintf(h, "%q %q %q\n", f.Rel(p.item.Path), f.group[i], f.Names[f.fold[i]])
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// check refuses folds that share a group, or that lack a class.
func (f *Folds) check() error {
	first, divided := make(map[string]int), make(map[string]string)
	counts := make([][2]int, len(f.Names))
	for i, p := range f.photos {
		counts[f.fold[i]][p.item.Class]++
		k, seen := first[f.group[i]]
		if !seen {
			first[f.group[i]] = f.fold[i]
		} else if k != f.fold[i] && divided[f.group[i]] == "" {
			divided[f.group[i]] = fmt.Sprintf("group %s is in the folds %s and %s", f.group[i], f.Names[k], f.Names[f.fold[i]])
		}
	}
	if n := len(divided); n > 0 {
		var examples []string
		for _, text := range divided {
			examples = append(examples, text)
		}
		return &GroupError{
			Why: fmt.Sprintf("%d of %d groups are in more than one fold, for example: %s", n, len(first),
				slices.Min(examples)),
			Advice: "the column of the folds does not fit the column of the groups: choose another with --group-column, " +
				"or let tirewatch make the folds with --folds"}
	}
	for k, n := range counts {
		for _, class := range Classes {
			if n[class] == 0 {
				return &GroupError{Why: fmt.Sprintf("fold %s has no %s images, only %d others", f.Names[k], class, n[1-class]),
					Advice: "each fold needs images of both classes"}
			}
		}
	}
	return nil
}

// deal puts each group into a fold: large groups first, each where the shares of both classes stay
// most equal. It is the greedy method of scikit-learn's StratifiedGroupKFold.
func deal(photos []photo, groups [][]int, n int, seed uint64) ([]int, error) {
	counts, total, groupsOf := make([][2]int, len(groups)), [2]int{}, [2]int{}
	for i, g := range groups {
		for _, p := range g {
			counts[i][photos[p].item.Class]++
		}
		for c, k := range counts[i] {
			total[c] += k
			groupsOf[c] += min(k, 1)
		}
	}
	for _, c := range Classes {
		if groupsOf[c] < n {
			return nil, fmt.Errorf("%w: each fold needs a group of each class, and the %d %s images are only %d groups "+
				"(near-duplicates and the images of a group, of a station run or of a tire count as one)",
				ErrTooFew, total[c], c, groupsOf[c])
		}
	}
	order := rand.New(rand.NewPCG(seed, 0)).Perm(len(groups))
	slices.SortStableFunc(order, func(a, b int) int { return len(groups[b]) - len(groups[a]) })
	have, fold := make([][2]int, n), make([]int, len(photos))
	for _, g := range order {
		k := emptiest(have, counts[g], total)
		for c, m := range counts[g] {
			have[k][c] += m
		}
		for _, p := range groups[g] {
			fold[p] = k
		}
	}
	for k := range have {
		if have[k][Normal] == 0 || have[k][Crack] == 0 {
			return nil, fmt.Errorf("%w: fold %d would have %d normal and %d crack images, because groups stay together",
				ErrTooFew, k+1, have[k][Normal], have[k][Crack])
		}
	}
	return fold, nil
}

// emptiest returns the fold where more images make the sum of the squared shares grow least.
func emptiest(have [][2]int, more, total [2]int) (best int) {
	least := 0.0
	for k, h := range have {
		grows := 0.0
		for c, m := range more {
			before, after := float64(h[c])/float64(total[c]), float64(h[c]+m)/float64(total[c])
			grows += after*after - before*before
		}
		if k == 0 || grows < least {
			best, least = k, grows
		}
	}
	return best
}

// byNumber orders names like 2 and 10 by their value, and others as texts.
func byNumber(a, b string) int {
	x, errA := strconv.Atoi(a)
	y, errB := strconv.Atoi(b)
	if errA == nil && errB == nil {
		return cmp.Compare(x, y)
	}
	return strings.Compare(a, b)
}

// Test returns the images of fold k. Group is filled in for each of them: its group, or the first
// file of its near-duplicates, or its own file. Variants made by Enlarge are left out.
func (f *Folds) Test(k int) (images []Image) {
	for i, p := range f.photos {
		if f.fold[i] == k && !isVariant(p.item.Path) {
			im := Image{p.item, p.pix}
			im.Group = f.group[i]
			images = append(images, im)
		}
	}
	return images
}

// Train returns the images of the other folds, a share of them held back for validation as
// [Reading.Validation] does.
func (f *Folds) Train(ctx context.Context, k int, seed uint64, share float64,
	progress func(done, total int)) (train, val []Image, err error) {
	others := *f.reading
	others.train = nil
	for i, p := range f.photos {
		if f.fold[i] != k {
			others.train = append(others.train, p)
		}
	}
	return others.Validation(ctx, seed, share, progress)
}

// Others returns all images of the other folds, for a training without validation images. Group is
// filled in as Test does.
func (f *Folds) Others(k int) (images []Image) {
	for i, p := range f.photos {
		if f.fold[i] != k {
			im := Image{p.item, p.pix}
			im.Group = f.group[i]
			images = append(images, im)
		}
	}
	return images
}

// Together returns the training and the validation images, for a training that divides them itself.
// Group is filled in for each of them, as [Folds.Test] does. Near-duplicates are only looked for in
// a set without a validation folder. progress reports the search and may be nil.
func (r *Reading) Together(ctx context.Context, progress func(done, total int)) ([]Image, error) {
	whole := *r
	whole.train, whole.val = slices.Concat(r.train, r.val), nil
	f := newFolds(&whole)
	groups, _ := group(len(f.photos), append(families(f.photos), together(f.photos)...), 0)
	if len(r.val) == 0 {
		var err error
		if groups, _, err = inseparable(ctx, f.photos, maxGroup(len(f.photos)), progress); err != nil {
			return nil, err
		}
	}
	for _, g := range groups {
		f.name(g)
	}
	f.fold = make([]int, len(f.photos))
	return f.Others(-1), nil
}
