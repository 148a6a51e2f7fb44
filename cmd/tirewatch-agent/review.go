package main

import (
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
	"tirewatch/cmd/internal/cli"
	"tirewatch/vision/cut"
)

func newReviewCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "review",
		Short: "Label kept crops and export them as a data set",
		Long: `With journal.crops = "review" a station keeps the crops from which the next network learns most: those
of rejected tires, of uncertain tires, of tires that the model on probation and the previous model
judge differently, and a random sample. A person labels them. The result is a data set for
tirewatch train:

  tirewatch-agent review list --config /etc/tirewatch/station.toml
  tirewatch-agent review label crack 812 815 --config /etc/tirewatch/station.toml
  tirewatch-agent review export line1/ --config /etc/tirewatch/station.toml
  tirewatch train line1/ --finetune best.ckpt

If the network works on tiles (locate.view), a kept crop is the tile with the highest score. Label
what the tile shows: a tile without a crack is normal, even if the tire has a crack elsewhere.
Tires that could not be cut into tiles are kept as a whole, to find out why. They are not for
labelling.

All these commands can run beside a running agent.`,
	}
	cmd.AddCommand(newReviewListCmd(), newReviewLabelCmd(), newReviewExportCmd())
	return cmd
}

// openReview opens the crops of the station whose configuration is at path.
func openReview(c *cobra.Command, path string) (*review.Queue, *config.Config, error) {
	cfg, err := loadConfig(c, path)
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
		Short: "List the crops that wait for a label",
		Long: `Lists the crops that wait for a label, the most useful first: those on which two models disagree, then
those with the least certain scores. Every fourth one is from the random sample, because the
others are often of one kind. Label them in this order to get cracks and sound tires.`,
		Example: `  tirewatch-agent review list --config station.toml
  tirewatch-agent review list --config station.toml --json | jq -r '.next[].path' | xargs feh`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if n < 0 {
				return cli.Usagef("--number %d: want 0 or more", n)
			}
			q, _, err := openReview(cmd, path)
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
	addConfigFlag(cmd, &path)
	cli.Files(cmd, cropFolder)
	cmd.Flags().IntVarP(&n, "number", "n", 20, "list at most this many")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print all details as JSON, for programs")
	return cmd
}

// list prints the queue for people.
func list(w io.Writer, c review.Counts, next []review.Picture) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(next) > 0 {
		fmt.Fprintln(t, "number\ttime\tverdict\tprobability\tthreshold\tkept for\tcrop")
	}
	for _, p := range next {
		said, score := string(p.Verdict), fmt.Sprintf("%.4f", p.Probability)
		threshold := fmt.Sprintf("%.4f", p.Threshold)
		if said == "" {
			said, score, threshold = "unknown", "", ""
		}
		why := make([]string, len(p.Why))
		for i, r := range p.Why {
			why[i] = string(r)
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", p.Seq, p.Time.Format(time.DateTime), said, score, threshold,
			strings.Join(why, ", "), p.Path)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d wait; %d labelled crack and %d normal, %d of them exported; %d unsure\n", c.Waiting,
		c.Crack, c.Normal, c.Exported, c.Unsure)
	if err == nil && c.Other > 0 {
		_, err = fmt.Fprintf(w,
			"%d are not for labelling: they do not show what the network sees, for example tires that could not "+
				"be cut into tiles\n", c.Other)
	}
	return err
}

// listJSON prints the queue for programs.
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
	return cli.JSON(w, out)
}

// labelWords are the labels on the command line.
var labelWords = map[string]review.Label{
	"crack":  review.Crack,
	"normal": review.Normal,
	"unsure": review.Unsure,
	"none":   review.None,
}

func newReviewLabelCmd() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "label LABEL NUMBER... --config FILE",
		Short: "Label crops: crack, normal, unsure or none",
		Long: `Sets the label of the crops with these verdict numbers. LABEL is crack, normal, unsure or none. Label
what the crop shows, not what the network said or what you know about the tire: the next network
learns from the crop, which may be a tile without the crack.

A label can be changed. none takes it back, and the crop waits again. unsure removes the crop from
the list; it is not exported.

Run by root, label works as the user who owns the folder of the journal.`,
		Example: `  tirewatch-agent review label crack 812 815 --config station.toml
  tirewatch-agent review label none 815 --config station.toml`,
		Args: cli.Args("LABEL", "NUMBER..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			label, known := labelWords[args[0]]
			if !known {
				return cli.Usagef("unknown label %q: want crack, normal, unsure or none", args[0])
			}
			var seqs []uint64
			for _, a := range args[1:] {
				seq, err := strconv.ParseUint(a, 10, 63)
				if err != nil {
					return cli.Hint(cli.Usagef("invalid verdict number %q", a),
						"tirewatch-agent review list shows the numbers")
				}
				seqs = append(seqs, seq)
			}
			return labelCrops(cmd, path, label, seqs)
		},
	}
	addConfigFlag(cmd, &path)
	cli.Files(cmd, cropFolder)
	return cmd
}

func labelCrops(cmd *cobra.Command, path string, label review.Label, seqs []uint64) error {
	q, cfg, err := openReview(cmd, path)
	if err != nil {
		return err
	}
	if _, err := doctor.Become(filepath.Dir(cfg.Journal.Path)); err != nil {
		return err
	}
	for _, seq := range seqs {
		err := q.Label(seq, label)
		if errors.Is(err, review.ErrGone) {
			return cli.Hint(err, "tirewatch-agent review list shows the crops that the station still has")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func newReviewExportCmd() *cobra.Command {
	var path string
	var fresh bool
	cmd := &cobra.Command{
		Use:   "export DIR --config FILE",
		Short: "Write the labelled crops to a data set",
		Long: `Writes the labelled tires to DIR/crack and DIR/normal, and their origin to DIR/manifest.json. DIR must
be missing or empty; it appears when it is complete. The file names contain station and time, so
that tirewatch never splits crops taken within ten minutes of each other, also when several
exports are merged.

The pictures are those of the camera, or the crops of tires without one. DIR/inputs is a second
data set of the same tires, with the crops: what the network saw. Train with one of the two. For
a network for tiles, crack and normal hold the crops, because a label belongs to a tile, and
DIR/camera the pictures of the camera.

Crops that do not show what the network sees (locate.view) are left out and counted: whole tires
would teach a network for tiles the wrong thing.

The station keeps exported crops while there is room, but deletes them first.`,
		Example: `  tirewatch-agent review export /media/stick/line1 --config station.toml
  tirewatch-agent review export /media/stick/monday --new --config station.toml`,
		Args: cli.Args("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return exportCrops(cmd, path, args[0], fresh)
		},
	}
	addConfigFlag(cmd, &path)
	cmd.Flags().BoolVar(&fresh, "new", false, "leave out crops of earlier exports")
	cli.Files(cmd, cropFolder,
		cli.Note{Name: "DIR/manifest.json", Text: "Station, time, verdict and label of every exported crop."})
	return cmd
}

func exportCrops(cmd *cobra.Command, path, dir string, fresh bool) error {
	q, _, err := openReview(cmd, path)
	if err != nil {
		return err
	}
	m, unmarked, err := q.Export(cmd.Context(), dir, fresh)
	switch {
	case errors.Is(err, review.ErrNothingLabelled):
		return cli.Hint(err,
			"tirewatch-agent review list shows the crops that wait, tirewatch-agent review label labels them")
	case errors.Is(err, review.ErrNotEmpty):
		return cli.Hint(err, "name a new folder")
	case err != nil:
		return err
	}
	n := map[review.Label]int{}
	for _, p := range m.Pictures {
		n[p.Label]++
	}
	stderr := cmd.ErrOrStderr()
	if unmarked != nil {
		fmt.Fprintf(stderr, "warning: the crops could not be marked as exported: %v\n", unmarked)
	}
	if m.LeftOut > 0 {
		fmt.Fprintf(stderr, "left out: %d labelled crops that do not show what the network sees (locate.view = %q)\n",
			m.LeftOut, m.View)
	}
	if n[review.Crack] == 0 || n[review.Normal] == 0 {
		fmt.Fprintln(stderr, "warning: one of the classes crack and normal is empty; a training needs both")
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d crack, %d normal\n", dir, n[review.Crack], n[review.Normal])
	return err
}
