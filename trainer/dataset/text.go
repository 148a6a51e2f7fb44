package dataset

import (
	"fmt"
	"slices"
	"strings"
)

// maxListed limits each list of the text report. The JSON report has everything.
const maxListed = 10

// Text returns the report for people.
func (a *Audit) Text() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }

	line("data set %s", a.Dir)
	line("")
	line("  %-12s %8s %8s %8s", "", "normal", "crack", "crack %")
	for _, p := range a.Parts {
		line("  %-12s %8d %8d %7.0f%%", p.Name, p.Normal, p.Crack, 100*share(p.Crack, p.Normal+p.Crack))
	}
	line("")
	line("  width   %5d to %d px, median %d", a.Width.Min, a.Width.Max, a.Width.Median)
	line("  height  %5d to %d px, median %d", a.Height.Min, a.Height.Max, a.Height.Median)
	line("  sizes   %s", listTallies(a.Sizes))
	line("  formats %s", listTallies(a.Formats))

	section(&b, "files that cannot be read", a.Damaged, func(d Damage) string { return d.Path + ": " + d.Problem })
	section(&b, "files without an image extension", a.Other, func(path string) string { return path })
	section(&b, "pairs of identical files", gravest(a.Copies), Twin.text)
	section(&b, "pairs of near-duplicates", gravest(a.Near), Twin.text)
	if a.Groups > 0 {
		line("")
		line("%d groups of near-duplicates, the largest with %d images; a split keeps each group on one side",
			a.Groups, a.LargestOf)
	}
	if a.Given != nil {
		line("")
		line("%s; a split keeps each group on one side", a.Given)
	}
	if a.Runs > 0 {
		line("")
		line("%d station runs (tires within %.0f minutes of each other); a split keeps each run on one side",
			a.Runs, runLength.Minutes())
	}
	if a.Tires > 0 {
		line("")
		line("%d tires cut into tiles; a split keeps each tire on one side", a.Tires)
	}
	if len(a.Shortcuts) > 0 {
		line("")
		line("balanced accuracy of other properties as a predictor of the class (0.50 is chance)")
		for _, s := range a.Shortcuts {
			line("  %-14s %.2f  %s", s.Feature, s.Accuracy, s.Rule)
		}
	}
	line("")
	for _, w := range a.Warnings {
		line("warning: %s", w)
	}
	if a.Unusable != "" {
		line("unusable: %s", a.Unusable)
	} else if len(a.Warnings) == 0 {
		line("no problems found")
	}
	return b.String()
}

// section lists findings under a title with their number. It writes nothing when the list is empty.
func section[T any](b *strings.Builder, title string, items []T, text func(T) string) {
	if len(items) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%d %s\n", len(items), title)
	for i, it := range items {
		if i == maxListed {
			fmt.Fprintf(b, "  and %d more; --json lists all\n", len(items)-maxListed)
			return
		}
		fmt.Fprintf(b, "  %s\n", text(it))
	}
}

// gravest sorts errors of the set before what a split handles.
func gravest(twins []Twin) []Twin {
	rank := func(t Twin) int {
		switch {
		case t.Contradiction:
			return 0
		case t.Leak:
			return 1
		}
		return 2
	}
	sorted := slices.Clone(twins)
	slices.SortStableFunc(sorted, func(a, b Twin) int { return rank(a) - rank(b) })
	return sorted
}

func (t Twin) text() string {
	s := t.A + "  " + t.B
	if t.Correlation < 1 {
		s += fmt.Sprintf("  %.2f", t.Correlation)
	}
	if t.Turned {
		s += "  turned"
	}
	if t.Leak {
		s += "  on different sides"
	}
	if t.Contradiction {
		s += "  different labels"
	}
	return s
}

func listTallies(tallies []Tally) string {
	const most = 4
	var words []string
	rest := 0
	for i, t := range tallies {
		if i < most {
			words = append(words, fmt.Sprintf("%s (%d)", t.Name, t.Count))
		} else {
			rest += t.Count
		}
	}
	if rest > 0 {
		words = append(words, fmt.Sprintf("others (%d)", rest))
	}
	return strings.Join(words, ", ")
}

func share(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}
