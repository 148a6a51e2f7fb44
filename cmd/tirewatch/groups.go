package main

import (
	"fmt"
	"regexp"

	"github.com/spf13/cobra"

	"tirewatch/cmd/internal/cli"
	"tirewatch/trainer/dataset"
)

// groupFlags say which images of a data set belong together.
type groupFlags struct {
	pattern string // regular expression
	column  string // of manifest.csv
	fold    string // column of manifest.csv; only evaluate has the flag
}

func (f *groupFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.pattern, "group", "",
		"images that belong together: a regular expression of the path in DIR, whose first parentheses match the "+
			"name of the group, for example '(tire\\d+)'")
	cmd.Flags().StringVar(&f.column, "group-column", "",
		"column of DIR/manifest.csv with the group of each image (default: group, views_of_one_place, place or tire)")
	cli.Files(cmd, manifestNote)
}

// manifestNote describes manifest.csv on the manual pages.
var manifestNote = cli.Note{Name: "DIR/manifest.csv",
	Text: "Which images belong together: a row for each image, with the columns file and group. " +
		"file is the path in DIR. No group is on both sides of a split."}

// grouping checks the flags.
func (f *groupFlags) grouping() (g dataset.Grouping, err error) {
	if f.pattern != "" && f.column != "" {
		return g, cli.Usagef("--group and --group-column exclude each other")
	}
	g.Column, g.Fold = f.column, f.fold
	if f.pattern == "" {
		return g, nil
	}
	g.Pattern, err = regexp.Compile(f.pattern)
	if err != nil {
		return g, cli.Usagef("--group %q: %w", f.pattern, err)
	}
	if g.Pattern.NumSubexp() == 0 {
		return g, cli.Hint(cli.Usagef("--group %q: the pattern has no parentheses", f.pattern),
			"put the part of the path that names the group into parentheses")
	}
	return g, nil
}

// openSet opens a data set, finds out which of its images belong together, and prints how.
func (f *groupFlags) openSet(cmd *cobra.Command, dir string) (*dataset.Set, error) {
	grouping, err := f.grouping()
	if err != nil {
		return nil, err
	}
	set, err := openSet(dir)
	if err != nil {
		return nil, err
	}
	groups, err := set.Group(grouping)
	if err != nil || groups == nil {
		return set, err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "images that belong together: %s\n", groups)
	return set, nil
}

// openDivided is openSet for commands that use the folders training, validation and testing as they
// are. It warns of groups in more than one of them.
func (f *groupFlags) openDivided(cmd *cobra.Command, dir string) (*dataset.Set, error) {
	set, err := f.openSet(cmd, dir)
	if err != nil {
		return nil, err
	}
	if g := set.Groups(); g != nil && g.Shared > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "warning: %d of %d groups are in more than one folder of training, validation and "+
			"testing, so test figures will be too good; split again with: tirewatch dataset split\n", g.Shared, g.Count)
	}
	return set, nil
}

// groupsID is what a training records about the groups of its images. Those that follow from the
// names of the files are known from the data set.
func groupsID(set *dataset.Set) string {
	if g := set.Groups(); g != nil && !g.FromNames {
		return g.ID()
	}
	return ""
}
