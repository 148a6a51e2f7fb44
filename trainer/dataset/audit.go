package dataset

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Audit is the result of Check. Paths are relative to Dir, with "/". Lists are sorted, so that the
// same files give the same report.
type Audit struct {
	Dir     string      `json:"dir"`
	Parts   []PartAudit `json:"parts"`
	Damaged []Damage    `json:"damaged"` // image files that cannot be read
	Other   []string    `json:"other"`   // files in class folders without an image extension

	Width   Range   `json:"width_px"`
	Height  Range   `json:"height_px"`
	Sizes   []Tally `json:"sizes"`   // number of images of each size, the most frequent first
	Formats []Tally `json:"formats"` // number of images of each file extension

	Copies []Twin `json:"copies"`          // pairs of identical files
	Near   []Twin `json:"near_duplicates"` // see Twin
	Groups int    `json:"groups"`          // groups formed by the pairs of both lists
	// images in the largest group, before a split limits its size
	LargestOf int `json:"largest_group"`

	Runs   int `json:"runs"`        // station runs of at least two images: see run.go
	Parted int `json:"runs_parted"` // those on more than one side

	// photographs with at least two tiles: see tile.go
	Tires       int `json:"tires"`
	TiresParted int `json:"tires_parted"` // those on more than one side

	Given *Groups `json:"given_groups,omitempty"` // that Set.Group found in manifest.csv or by a pattern

	Shortcuts []Shortcut `json:"shortcuts"` // properties other than cracks that predict the class

	Warnings []string `json:"warnings"`
	// why the set cannot be used for training; empty when it can
	Unusable string `json:"unusable,omitempty"`
}

// PartAudit counts the readable images of one side.
type PartAudit struct {
	Name   string `json:"name"`
	Normal int    `json:"normal"`
	Crack  int    `json:"crack"`
}

// Damage is a file that cannot be read as an image.
type Damage struct {
	Path    string `json:"path"`
	Problem string `json:"problem"`
}

// Range is the spread of an image dimension.
type Range struct {
	Min    int `json:"min"`
	Median int `json:"median"`
	Max    int `json:"max"`
}

// Tally counts the images that share a property.
type Tally struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

// Twin is a pair of images with the same content, or where each shows at least half of the other.
type Twin struct {
	A           string  `json:"a"`
	B           string  `json:"b"`
	Correlation float64 `json:"correlation"` // correlation of their detail, at most 1
	Turned      bool    `json:"turned"`      // B must be mirrored or turned to match A
	Leak        bool    `json:"leak"`        // they are on different sides of the set
	// they show the same view and have different labels
	Contradiction bool `json:"contradiction"`
}

// Check reads every image and reports what could spoil a training: damaged files, imbalance,
// near-duplicates across sides or with contradictory labels, shortcuts. A damaged file is part of
// the report, not an error. Only the end of ctx is an error. progress may be nil.
func Check(ctx context.Context, s *Set, progress func(done, total int)) (*Audit, error) {
	var items []Item
	var sideOf []string
	for _, p := range s.Parts() {
		items = append(items, p.Items...)
		for range p.Items {
			sideOf = append(sideOf, p.Name)
		}
	}
	photos, err := survey(ctx, items, examine, progress)
	if err != nil {
		return nil, err
	}
	found, err := pairs(ctx, photos, nil)
	if err != nil {
		return nil, err
	}

	a := newAudit(s)
	a.countParts(s, photos, sideOf)
	a.measure(photos)
	for _, p := range found {
		t := Twin{A: s.Rel(items[p.a].Path), B: s.Rel(items[p.b].Path), Correlation: p.corr, Turned: p.turn != 0,
			Leak:          sideOf[p.a] != sideOf[p.b],
			Contradiction: items[p.a].Class != items[p.b].Class && p.same()}
		if p.exact {
			a.Copies = append(a.Copies, t)
		} else {
			a.Near = append(a.Near, t)
		}
	}
	groups, _ := group(len(photos), found, len(photos))
	for _, g := range groups {
		if len(g) > 1 {
			a.Groups++
			a.LargestOf = max(a.LargestOf, len(g))
		}
	}
	parted := func(groups [][]int) (n int) {
		for _, g := range groups {
			if slices.ContainsFunc(g, func(i int) bool { return sideOf[i] != sideOf[g[0]] }) {
				n++
			}
		}
		return n
	}
	runs, tires := stationRuns(photos), tires(photos)
	a.Runs, a.Parted, a.Tires, a.TiresParted = len(runs), parted(runs), len(tires), parted(tires)
	a.Shortcuts = append(a.Shortcuts, shortcuts(photos)...)
	a.judge(len(photos))
	return a, nil
}

// newAudit returns a report with the other files. Empty lists are [] in JSON, not null.
func newAudit(s *Set) *Audit {
	a := &Audit{
		Dir: s.Dir, Parts: []PartAudit{}, Damaged: []Damage{}, Other: []string{},
		Sizes: []Tally{}, Formats: []Tally{}, Copies: []Twin{}, Near: []Twin{},
		Shortcuts: []Shortcut{}, Warnings: []string{},
	}
	if s.groups != nil && !s.groups.FromNames {
		a.Given = s.groups
	}
	for _, p := range s.Other {
		a.Other = append(a.Other, s.Rel(p))
	}
	slices.Sort(a.Other)
	return a
}

// countParts lists the damaged files and counts the others.
func (a *Audit) countParts(s *Set, photos []photo, sideOf []string) {
	for i, p := range photos {
		if len(a.Parts) == 0 || a.Parts[len(a.Parts)-1].Name != sideOf[i] {
			a.Parts = append(a.Parts, PartAudit{Name: sideOf[i]})
		}
		part := &a.Parts[len(a.Parts)-1]
		switch {
		case p.err != nil:
			// The error has the path that the caller used; the report has the path below Dir.
			problem := strings.TrimPrefix(p.err.Error(), p.item.Path+": ")
			a.Damaged = append(a.Damaged, Damage{Path: s.Rel(p.item.Path), Problem: problem})
		case p.item.Class == Crack:
			part.Crack++
		default:
			part.Normal++
		}
	}
}

// measure adds the sizes and formats of the readable images.
func (a *Audit) measure(photos []photo) {
	var widths, heights []int
	sizes, formats := make(map[string]int), make(map[string]int)
	for _, p := range photos {
		if p.err != nil {
			continue
		}
		widths, heights = append(widths, p.width), append(heights, p.height)
		sizes[fmt.Sprintf("%d x %d", p.width, p.height)]++
		formats[format(p.item.Path)]++
	}
	a.Width, a.Height = rangeOf(widths), rangeOf(heights)
	a.Sizes, a.Formats = append(a.Sizes, tallies(sizes)...), append(a.Formats, tallies(formats)...)
}

// format returns the file extension in one spelling.
func format(path string) string {
	switch ext := strings.TrimPrefix(strings.ToLower(filepath.Ext(path)), "."); ext {
	case "jpeg", "jpe", "jfif":
		return "jpg"
	case "tiff":
		return "tif"
	default:
		return ext
	}
}

func rangeOf(v []int) Range {
	if len(v) == 0 {
		return Range{}
	}
	slices.Sort(v)
	return Range{Min: v[0], Median: v[len(v)/2], Max: v[len(v)-1]}
}

func tallies(count map[string]int) []Tally {
	var t []Tally
	for name, n := range count {
		t = append(t, Tally{name, n})
	}
	slices.SortFunc(t, func(x, y Tally) int { return cmp.Or(y.Count-x.Count, strings.Compare(x.Name, y.Name)) })
	return t
}

// Limits for the warnings.
const (
	minPerClass = 50  // readable training images of a class below which a model learns little
	maxRatio    = 3   // larger class divided by smaller class
	largeGroup  = 0.1 // share of all images in one group of near-duplicates
)

// judge turns the findings into warnings, the most serious first, and says whether the set can be
// used.
func (a *Audit) judge(total int) {
	if len(a.Parts) == 0 {
		a.Unusable = "it has no images"
		return
	}
	a.judgeParts()
	a.judgePairs()
	a.judgeContent(total)
}

// warn adds a warning.
func (a *Audit) warn(format string, args ...any) {
	a.Warnings = append(a.Warnings, fmt.Sprintf(format, args...))
}

// judgeParts checks that both classes are in each part, and that there is a training part.
func (a *Audit) judgeParts() {
	for _, p := range a.Parts {
		if p.Normal > 0 && p.Crack > 0 {
			continue
		}
		missing := Normal
		if p.Crack == 0 {
			missing = Crack
		}
		if p.Name == PartTrain {
			a.Unusable = fmt.Sprintf("training has no readable %s images, but a classifier needs both classes", missing)
		} else {
			a.warn("%s has no readable %s images: it cannot measure that class", p.Name, missing)
		}
	}
	if a.Parts[0].Name != PartTrain {
		a.Unusable = "training has no images"
	}
}

// judgePairs checks labels of the same view, and what must be on one side.
func (a *Audit) judgePairs() {
	const tooGood = "are on different sides, so test figures will be too good; " +
		"split again with: tirewatch dataset split"
	leaks, contradictions := 0, 0
	for _, t := range slices.Concat(a.Copies, a.Near) {
		if t.Leak {
			leaks++
		}
		if t.Contradiction {
			contradictions++
		}
	}
	if contradictions > 0 {
		a.warn("%d pairs show the same view with different labels: one label of each pair is wrong", contradictions)
	}
	if leaks > 0 {
		a.warn("%d pairs of near-duplicates "+tooGood, leaks)
	}
	if a.Given != nil && a.Given.Shared > 0 {
		a.warn("%d of %d groups by %s "+tooGood, a.Given.Shared, a.Given.Count, a.Given.Source)
	}
	if a.Parted > 0 {
		a.warn("%d of %d station runs "+tooGood, a.Parted, a.Runs)
	}
	if a.TiresParted > 0 {
		a.warn("%d of %d tires have tiles that "+tooGood, a.TiresParted, a.Tires)
	}
}

// judgeContent checks what the training part can teach, and which files are left out. total is the
// number of image files.
func (a *Audit) judgeContent(total int) {
	for _, s := range a.Shortcuts {
		if s.Warn {
			a.warn("%s alone predicts the class (%s, balanced accuracy %.2f): a network may learn that instead of cracks",
				s.Feature, s.Rule, s.Accuracy)
		}
	}
	if n := len(a.Damaged); n > 0 {
		a.warn("%d of %d image files cannot be read; training leaves them out", n, total)
	}
	if p := a.Parts[0]; p.Name == PartTrain && a.Unusable == "" {
		few, many := min(p.Normal, p.Crack), max(p.Normal, p.Crack)
		if few < minPerClass {
			a.warn("only %d training images in the smaller class: expect poor results", few)
		}
		if many > maxRatio*few {
			a.warn("the classes are imbalanced, %d normal to %d crack: judge by recall, not by accuracy",
				p.Normal, p.Crack)
		}
	}
	if float64(a.LargestOf) > largeGroup*float64(total) && a.LargestOf > maxGroup(total) {
		a.warn("the largest group of near-duplicates has %d images: a split cannot keep it together", a.LargestOf)
	}
	if n := len(a.Other); n > 0 {
		a.warn("%d files in class folders have no image extension and are left out", n)
	}
}
