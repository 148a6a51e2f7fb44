package dataset

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
)

// Grouping says how to find out which images belong together: views of one place, of one tire, of
// one delivery. A test on a tire that is in training too measures memory. The zero value uses
// manifest.csv if the set has one, and otherwise the file names of stations and of tiles.
type Grouping struct {
	// Pattern is matched with the path of each image below the set, with "/". What its first
	// parentheses match is the name of the group. Nil: no pattern.
	Pattern *regexp.Regexp
	// Column of manifest.csv that names the group. Empty: the first of group, views_of_one_place,
	// place and tire.
	Column string
	// Fold is the column of manifest.csv with the fold of an image. Empty: the column fold, if a
	// manifest says what belongs together and has one.
	Fold string
}

// Groups describes the groups of a set.
type Groups struct {
	Source string `json:"source"` // "column tire of manifest.csv"
	Count  int    `json:"groups"` // with each image that belongs to no other
	Shared int    `json:"parted"` // groups with images in more than one part of the set

	FromNames bool `json:"-"` // nobody gave them: they follow from names of stations and tiles

	sum string // of names and groups of all images, 16 hexadecimal digits
}

// String returns "462 groups by column tire of manifest.csv".
func (g *Groups) String() string { return fmt.Sprintf("%d groups by %s", g.Count, g.Source) }

// ID identifies the groups of all images, so that a training can refuse to resume with others.
func (g *Groups) ID() string { return fmt.Sprintf("%s, %s", g, g.sum) }

// GroupError says why images cannot be grouped, with what to do about it.
type GroupError struct{ Why, Advice string }

func (e *GroupError) Error() string { return e.Why }

// Hint is the advice, for package hint.
func (e *GroupError) Hint() string { return e.Advice }

// Group fills in the groups and folds of all images. Splits and folds keep a group together from
// then on. The result is nil when nothing says which images belong together. Errors are
// *GroupError, or those of reading manifest.csv.
func (s *Set) Group(g Grouping) (*Groups, error) {
	m, err := readManifest(s.Dir)
	if err != nil {
		return nil, err
	}
	if m == nil && (g.Column != "" || g.Fold != "") {
		return nil, &GroupError{Why: fmt.Sprintf("%s has no %s with the columns of images", s.Dir, ManifestName),
			Advice: "write the columns file and group, or give --group with a pattern of the file names"}
	}
	groups := new(Groups)
	switch {
	case g.Pattern != nil:
		groups.Source = fmt.Sprintf("the pattern %q", g.Pattern)
		err = s.byPattern(g.Pattern)
	case m != nil && (g.Column != "" || m.column(groupColumns...) >= 0):
		groups.Source, err = s.byManifest(m, g.Column)
		if g.Fold == "" && m.column("fold") >= 0 {
			g.Fold = "fold"
		}
	default:
		groups.Source, groups.FromNames = "the file names of stations and tiles", true
		s.byNames()
	}
	if err == nil && g.Fold != "" {
		err = s.foldsFrom(m, g.Fold)
	}
	if err != nil {
		return nil, err
	}
	s.count(groups)
	if groups.FromNames && groups.Count == len(s.all()) {
		return nil, nil
	}
	if groups.Count == 1 {
		return nil, &GroupError{
			Why:    fmt.Sprintf("%s puts all %d images of %s into one group", groups.Source, len(s.all()), s.Dir),
			Advice: "no split can divide one group: choose a pattern or a column that tells tires or places apart",
		}
	}
	s.groups = groups
	return groups, nil
}

// Groups returns the result of the last call of Group.
func (s *Set) Groups() *Groups { return s.groups }

// all returns the images of all parts, to be changed.
func (s *Set) all() (items []*Item) {
	for _, part := range [][]Item{s.Train, s.Val, s.Test} {
		for i := range part {
			items = append(items, &part[i])
		}
	}
	return items
}

// byPattern names the groups by a pattern. Images that it does not match belong to no other.
func (s *Set) byPattern(pattern *regexp.Regexp) error {
	matched, all := 0, s.all()
	for _, it := range all {
		it.Group = ""
		if m := pattern.FindStringSubmatch(s.Rel(it.Path)); m != nil {
			it.Group = m[1]
			matched++
		}
	}
	if matched == 0 && len(all) > 0 {
		return &GroupError{
			Why: fmt.Sprintf("the pattern %q matches none of %d images, for example %s", pattern, len(all),
				s.Rel(all[0].Path)),
			Advice: `the pattern is a regular expression of the path below the data set, for example --group '(IMG_\d+)'`,
		}
	}
	return nil
}

// byManifest names the groups by a column.
func (s *Set) byManifest(m *manifest, column string) (source string, err error) {
	names := groupColumns
	if column != "" {
		names = []string{column}
	}
	err = s.fill(m, names, func(it *Item, cell string) { it.Group = cell })
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("column %s of %s", m.header[m.column(names...)], ManifestName), nil
}

// foldsFrom fills in the folds.
func (s *Set) foldsFrom(m *manifest, column string) error {
	return s.fill(m, []string{column}, func(it *Item, cell string) { it.Fold = cell })
}

// fill passes each image with its cell of a column to set.
func (s *Set) fill(m *manifest, column []string, set func(it *Item, cell string)) error {
	file, err := m.need(fileColumns...)
	if err != nil {
		return err
	}
	at, err := m.need(column...)
	if err != nil {
		return err
	}
	all := s.all()
	images := make([]string, len(all))
	for i, it := range all {
		images[i] = s.Rel(it.Path)
	}
	rows, err := m.match(file, images)
	if err != nil {
		return err
	}
	for i, it := range all {
		set(it, rows[images[i]][at])
	}
	return nil
}

// byNames names the groups that follow from the file names: station runs and tiles of one tire.
func (s *Set) byNames() {
	all := s.all()
	photos := make([]photo, len(all))
	for i, it := range all {
		it.Group = ""
		photos[i].item = *it
	}
	for _, g := range append(stationRuns(photos), tires(photos)...) {
		for _, i := range g {
			all[i].Group = s.Rel(all[g[0]].Path)
		}
	}
}

// count fills in the figures of the groups.
func (s *Set) count(g *Groups) {
	h := sha256.New()
	partsOf := make(map[string][]string)
	for _, p := range s.Parts() {
		for _, it := range p.Items {
			name := s.GroupOf(it)
			if !slices.Contains(partsOf[name], p.Name) {
				partsOf[name] = append(partsOf[name], p.Name)
			}
			fmt.Fprintf(h, "%q %q\n", s.Rel(it.Path), name)
		}
	}
	g.Count = len(partsOf)
	for _, parts := range partsOf {
		if len(parts) > 1 {
			g.Shared++
		}
	}
	g.sum = hex.EncodeToString(h.Sum(nil)[:8])
}

// GroupOf returns the name of an image's group. An image that belongs to no other is a group of its
// own, named like its file.
func (s *Set) GroupOf(it Item) string {
	if it.Group != "" {
		return it.Group
	}
	return s.Rel(it.Path)
}

// given returns the groups of at least two images, as indices of photos.
func given(photos []photo) (found [][]int) {
	of := make(map[string][]int)
	for i, p := range photos {
		if p.item.Group != "" {
			of[p.item.Group] = append(of[p.item.Group], i)
		}
	}
	for _, images := range of {
		if len(images) > 1 {
			found = append(found, images)
		}
	}
	slices.SortFunc(found, func(a, b []int) int { return a[0] - b[0] })
	return found
}
