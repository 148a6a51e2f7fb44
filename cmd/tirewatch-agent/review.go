package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tirewatch/agent/config"
	"tirewatch/agent/doctor"
	"tirewatch/agent/journal"
	"tirewatch/agent/review"
	"tirewatch/vision/cut"
)

func newReviewCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "review",
		Short: "Learn from the line: look at kept pictures, label them, export a data set",
		Long: `A station keeps pictures from which the next network learns most (journal.crops = "review"): of rejected tires, of
uncertain ones, of those that a model on probation and the one before judge differently, and a random sample.
Whoever knows tires says what they show, and the result is a data set for tirewatch train:

  tirewatch-agent review list --config /etc/tirewatch/station.toml
  tirewatch-agent review label crack 812 815 --config /etc/tirewatch/station.toml
  tirewatch-agent review export line1/ --config /etc/tirewatch/station.toml
  tirewatch train line1/ --finetune best.ckpt

Where the network is shown tiles (locate.view), a picture is the tile with the highest score, and so is its label: a tile that
shows no crack is normal, whatever the rest of the tire has. Tires that could not be cut into tiles are kept whole, to see
why; nobody is asked about them.

All of them may be used beside a running agent.`,
		RunE:                       lists,
		Args:                       cobra.ArbitraryArgs,
		SuggestionsMinimumDistance: 2,
	}
	cmd.AddCommand(newReviewListCmd(), newReviewLabelCmd(), newReviewExportCmd())
	return cmd
}

// openReview gives the pictures of the station whose configuration is at path.
func openReview(path string) (*review.Queue, *config.Config, error) {
	cfg, err := loadConfig(path)
	if err != nil {
		return nil, nil, err
	}
	return review.Open(journal.CropFolder(cfg.Journal.Path), cfg.Station.ID(), cut.View(cfg.Locate.View)), cfg, nil
}

func newReviewListCmd() *cobra.Command {
	var path string
	var n int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list --config FILE",
		Short: "List the pictures that wait for a label",
		Long: `List names the pictures that wait for a label, those first from which most is learned: where two models
disagree, then the least certain ones. Every fourth is one of the random sample, because the others are often of
one kind. Label what comes, in this order, and both kinds will be there.`,
		Example: `  tirewatch-agent review list --config station.toml
  tirewatch-agent review list --config station.toml --json | jq -r '.next[].path' | xargs feh`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if n < 0 {
				return &usageError{errors.New("--number is negative")}
			}
			q, _, err := openReview(path)
			if err != nil {
				return err
			}
			counts, err := q.Count()
			if err != nil {
				return err
			}
			next, err := q.Next(n)
			if err != nil {
				return err
			}
			if asJSON {
				return listJSON(cmd.OutOrStdout(), counts, next)
			}
			return list(cmd.OutOrStdout(), counts, next)
		},
	}
	cmd.Flags().StringVar(&path, "config", "", "the station's configuration `file`")
	cmd.Flags().IntVarP(&n, "number", "n", 20, "how many, at most")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print all that is known of them as JSON")
	return cmd
}

// list prints the queue for a person.
func list(w io.Writer, c review.Counts, next []review.Picture) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(next) > 0 {
		fmt.Fprintln(t, "number\ttime\tverdict\tprobability\tthreshold\tkept for\tpicture")
	}
	for _, p := range next {
		said, score, threshold := string(p.Verdict), fmt.Sprintf("%.4f", p.Probability), fmt.Sprintf("%.4f", p.Threshold)
		if said == "" {
			said, score, threshold = "unknown", "", ""
		}
		why := make([]string, len(p.Why))
		for i, r := range p.Why {
			why[i] = string(r)
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", p.Seq, p.Time.Format(time.DateTime), said, score, threshold, strings.Join(why, ", "), p.Path)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d wait; labelled are %d crack and %d normal, of which an export has %d; %d unsure\n", c.Waiting, c.Crack, c.Normal, c.Exported, c.Unsure)
	if err == nil && c.Other > 0 {
		_, err = fmt.Fprintf(w, "%d are not asked about: they do not show what the network is shown, as tires that could not be cut into tiles\n", c.Other)
	}
	return err
}

// listJSON prints the queue for a program.
func listJSON(w io.Writer, c review.Counts, next []review.Picture) error {
	type waiting struct {
		review.Picture
		Path string `json:"path"`
	}
	out := struct {
		review.Counts
		Next []waiting `json:"next"`
	}{c, make([]waiting, len(next))}
	for i, p := range next {
		out.Next[i] = waiting{p, p.Path}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(out)
}

// labelWords are what a person says.
var labelWords = map[string]review.Label{"crack": review.Crack, "normal": review.Normal, "unsure": review.Unsure, "none": review.None}

func newReviewLabelCmd() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "label crack|normal|unsure|none NUMBER... --config FILE",
		Short: "Say what pictures show",
		Long: `Label says what the pictures of these verdicts show, whatever the network said and whatever is known of the tire: the
next network learns from the picture, which may be a tile without the crack. It may be said again; none takes
a label back, and the picture waits again. Unsure pictures are asked about no more and are not exported.

Root labels as the user who owns the journal's folder.`,
		Example: `  tirewatch-agent review label crack 812 815 --config station.toml
  tirewatch-agent review label none 815 --config station.toml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			l, known := "", false
			if len(args) > 0 {
				l = args[0]
				_, known = labelWords[l]
			}
			if !known || len(args) < 2 {
				return withHint(&usageError{errors.New("want crack, normal, unsure or none, and the numbers of verdicts")},
					cmd.CommandPath()+" --help shows the flags and examples")
			}
			var seqs []uint64
			for _, a := range args[1:] {
				seq, err := strconv.ParseUint(a, 10, 63)
				if err != nil {
					return withHint(&usageError{fmt.Errorf("%q is no number of a verdict", a)}, "tirewatch-agent review list shows them")
				}
				seqs = append(seqs, seq)
			}
			q, cfg, err := openReview(path)
			if err != nil {
				return err
			}
			if _, err := doctor.Become(filepath.Dir(cfg.Journal.Path)); err != nil {
				return err
			}
			for _, seq := range seqs {
				if err := q.Label(seq, labelWords[l]); err != nil {
					if errors.Is(err, review.ErrGone) {
						err = withHint(err, "tirewatch-agent review list shows the pictures that are there")
					}
					return err
				}
			}
			return nil
		},
	}
	cmd.Args = cobra.ArbitraryArgs
	cmd.Flags().StringVar(&path, "config", "", "the station's configuration `file`")
	return cmd
}

func newReviewExportCmd() *cobra.Command {
	var path string
	var fresh bool
	cmd := &cobra.Command{
		Use:   "export DIR --config FILE",
		Short: "Make a data set of labelled pictures",
		Long: `Export writes the labelled pictures to DIR/crack and DIR/normal, and DIR/manifest.json, which says where each
comes from. DIR must be missing or empty; it appears when it is whole. The names tell station and time, so that
tirewatch keeps what passed within ten minutes on one side of a split, also when several exports are merged.

Pictures that do not show what the network is shown (locate.view) are left out and counted: a network that judges tiles
learns nothing true from whole tires.

The pictures stay at the station as long as there is room, but are the first to go.`,
		Example: `  tirewatch-agent review export /media/stick/line1 --config station.toml
  tirewatch-agent review export /media/stick/monday --new --config station.toml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return withHint(&usageError{errors.New("name one folder for the data set")}, cmd.CommandPath()+" --help shows the flags and examples")
			}
			q, _, err := openReview(path)
			if err != nil {
				return err
			}
			m, unmarked, err := q.Export(cmd.Context(), args[0], fresh)
			switch {
			case errors.Is(err, review.ErrNothingLabelled):
				return withHint(err, "tirewatch-agent review list shows what waits, tirewatch-agent review label labels it")
			case errors.Is(err, review.ErrNotEmpty):
				return withHint(err, "name a new folder")
			case err != nil:
				return err
			}
			n := map[review.Label]int{}
			for _, p := range m.Pictures {
				n[p.Label]++
			}
			if unmarked != nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "warning: the pictures are not marked as exported, and stay as if they were not: %v\n", unmarked)
			}
			if m.LeftOut > 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "left out: %d labelled pictures that do not show what the network is shown (locate.view = %q)\n", m.LeftOut, m.View)
			}
			if n[review.Crack] == 0 || n[review.Normal] == 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "warning: only one of crack and normal has pictures; to train, both must\n")
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d crack, %d normal\n", args[0], n[review.Crack], n[review.Normal])
			return err
		},
	}
	cmd.Args = cobra.ArbitraryArgs
	cmd.Flags().StringVar(&path, "config", "", "the station's configuration `file`")
	cmd.Flags().BoolVar(&fresh, "new", false, "leave out what an earlier export has")
	return cmd
}
