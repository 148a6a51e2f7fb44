package main

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"tirewatch/cmd/internal/cli"
	"tirewatch/cmd/internal/cli/progress"
	"tirewatch/trainer"
	"tirewatch/trainer/contact"
	"tirewatch/trainer/crossval"
	"tirewatch/trainer/dataset"
	"tirewatch/trainer/metrics"
	"tirewatch/trainer/pixels"
	"tirewatch/vision/preprocess"
	"tirewatch/vision/verdict"
)

func newCompareCmd() *cobra.Command {
	var keys []string
	var picture string
	var asJSON bool
	var groups groupFlags
	var budget budgetFlags
	cmd := &cobra.Command{
		Use:   "compare OLD NEW DIR",
		Short: "Test whether a new model is better than the old one",
		Long: `Classifies the testing images of DIR with both models, each with its own threshold, and counts the
images that only one of them gets right. A model is a checkpoint or a bundle. McNemar's test says
whether the difference could be chance: the last line says that the new model is better, worse or
not distinguishable, at the 5 % level. An unsure answer of a model with two thresholds counts as
not right, because a person has to look at the tire.

The line before it compares the areas under the ROC curve, which no threshold changes. Images that
belong together are drawn together, so give --group or DIR/manifest.csv where images show the same
tires.

compare OLD NEW, without DIR, compares two files of out-of-fold scores: OUT/scores.csv of
tirewatch evaluate --folds. With --max-unsure, or with both other limits, both give three answers.

--picture draws the images with different verdicts: in green where the new model is right, in red
where the old model is right, in grey where neither is.`,
		Example: `  tirewatch compare monday.tire tuesday.tire photos/ --key plant.key.pub --picture differ.png
  tirewatch compare runs/monday/best.ckpt runs/tuesday/best.ckpt photos/ --json
  tirewatch compare runs/thesis/scores.csv runs/cosine/scores.csv
  tirewatch compare runs/thesis/scores.csv runs/cosine/scores.csv --max-unsure 15%`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && isScores(args[0]) {
				return cli.Args("OLD", "NEW")(cmd, args)
			}
			return cli.Args("OLD", "NEW", "DIR")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := compareArgs(cmd, args, keys, picture, &groups, &budget)
			if err != nil {
				return err
			}
			if picture != "" {
				if err := c.draw(cmd, picture); err != nil {
					return err
				}
			}
			if asJSON {
				return cli.JSON(cmd.OutOrStdout(), c)
			}
			return c.write(cmd.OutOrStdout())
		},
	}
	addKeyFlag(cmd, &keys)
	groups.add(cmd)
	budget.add(cmd)
	cmd.Flags().StringVar(&picture, "picture", "", "draw the images with different verdicts into this PNG file")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, for programs")
	cli.Environment(cmd, kernelVariable, tempVariable)
	return cmd
}

// compareArgs compares two models on images, or two files of scores.
func compareArgs(cmd *cobra.Command, args, keys []string, picture string, groups *groupFlags,
	budget *budgetFlags) (*contest, error) {
	budgets, err := budget.budgets(cmd)
	if err != nil {
		return nil, err
	}
	if isScores(args[0]) {
		if len(budgets) > 0 && !twoThresholds(budgets) {
			return nil, cli.Usagef("--max-escape and --max-false-reject choose two thresholds here: set both, or --max-unsure")
		}
		for _, name := range []string{"picture", "key", "group", "group-column"} {
			if cmd.Flags().Changed(name) {
				return nil, cli.Usagef("--%s is for two models, not for two files of scores", name)
			}
		}
		return compareScores(args[0], args[1], budgets)
	}
	if len(budgets) > 0 {
		return nil, cli.Usagef("--%s is for two files of scores: a model has thresholds of its own", budgetFlag(budgets[0]))
	}
	if picture != "" {
		if info, err := os.Stat(filepath.Dir(picture)); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("cannot write %s: its folder does not exist", picture)
		}
	}
	return compareModels(cmd, args[0], args[1], args[2], keys, groups)
}

// contest is what compare prints.
type contest struct {
	Old        contestant             `json:"old"`
	New        contestant             `json:"new"`
	Comparison *metrics.Comparison    `json:"comparison"`
	Sentence   string                 `json:"sentence"`
	AUC        *metrics.AUCDifference `json:"roc_auc,omitempty"` // nil if the images show one class only
	Differ     []difference           `json:"differ"`            // in the order of the images

	spec preprocess.Spec // of the new model; the images are drawn as it sees them
}

// contestant is one of the models with its result.
type contestant struct {
	File   string          `json:"file"`
	Kind   string          `json:"kind"`
	Report *metrics.Report `json:"report"`

	said  []verdict.Label // by image; no_decision is unsure
	right []bool          // by image
}

// difference is an image on which the verdicts differ.
type difference struct {
	Image string        `json:"image"`
	Truth verdict.Label `json:"truth"`
	Right string        `json:"right"` // old or new; none if one is unsure and the other is wrong
	Old   float64       `json:"old_probability"`
	New   float64       `json:"new_probability"`

	pix []byte // as the new model sees it; only for the first contact.MaxTiles
}

// compareModels classifies the same images with both models.
func compareModels(cmd *cobra.Command, oldFile, newFile, dir string, keys []string,
	groups *groupFlags) (*contest, error) {
	oldModel, err := openModel(cmd, oldFile, keys)
	if err != nil {
		return nil, err
	}
	newModel, err := openModel(cmd, newFile, keys)
	if err != nil {
		return nil, err
	}
	set, err := groups.openDivided(cmd, dir)
	if err != nil {
		return nil, err
	}
	items := set.Test
	if len(items) == 0 {
		items = set.Train
		fmt.Fprintf(cmd.ErrOrStderr(), "note: %s has no testing folder, all its images are used;"+
			" a model that was trained on some of them has an unfair advantage\n", dir)
	}
	store := newStore("", len(items), newModel.spec)
	defer store.Close()
	newSees, err := readForCompare(cmd, set, items, newModel.spec, store)
	if err != nil {
		return nil, err
	}
	oldSees := newSees
	if oldModel.spec != newModel.spec {
		store := newStore("", len(items), oldModel.spec)
		defer store.Close()
		if oldSees, err = readForCompare(cmd, set, items, oldModel.spec, store); err != nil {
			return nil, err
		}
		if !slices.EqualFunc(oldSees, newSees, func(a, b trainer.Sample) bool { return a.Name == b.Name }) {
			return nil, fmt.Errorf("compare on %s: some images can be read for only one of the two models", dir)
		}
	}
	c := &contest{Old: contestant{File: oldFile, Kind: oldModel.kind},
		New:    contestant{File: newFile, Kind: newModel.kind},
		Differ: []difference{}, spec: newModel.spec}
	labels := labelsOf(newSees)
	oldScores, err := c.Old.judge(cmd, "the old model", oldModel, oldSees, labels)
	if err != nil {
		return nil, err
	}
	newScores, err := c.New.judge(cmd, "the new model", newModel, newSees, labels)
	if err != nil {
		return nil, err
	}
	belong, known := groupsOf(newSees)
	if !known {
		fmt.Fprintln(cmd.ErrOrStderr(),
			"note: nothing says which images belong together, so each counts as another tire; see --group")
	}
	return c, c.conclude(set, newSees, paired{labels, belong, oldScores, newScores})
}

// paired holds the scores of both models on the same images.
type paired struct {
	labels   []bool
	groups   []string
	old, new []float64
}

// test compares the verdicts and the scores of both models.
func (c *contest) test(p paired) (err error) {
	if c.Comparison, err = metrics.CompareRight(c.Old.right, c.New.right, p.labels); err != nil {
		return err
	}
	c.Sentence = c.Comparison.Sentence()
	if c.Comparison.Crack.Total() == 0 || c.Comparison.Normal.Total() == 0 {
		return nil
	}
	c.AUC, err = metrics.CompareAUC(p.old, p.new, p.labels, p.groups, crossval.Seed)
	return err
}

// differ adds image i if the verdicts on it differ. It reports whether they do.
func (c *contest) differ(i int, name string, p paired) bool {
	if c.Old.said[i] == c.New.said[i] {
		return false
	}
	d := difference{Image: name, Truth: label(p.labels[i]), Right: "none", Old: p.old[i], New: p.new[i]}
	switch {
	case c.New.right[i]:
		d.Right = "new"
	case c.Old.right[i]:
		d.Right = "old"
	}
	c.Differ = append(c.Differ, d)
	return true
}

// conclude compares both models, and loads the images with different verdicts.
func (c *contest) conclude(set *dataset.Set, samples []trainer.Sample, p paired) (err error) {
	if err := c.test(p); err != nil {
		return err
	}
	for i, s := range samples {
		if !c.differ(i, set.Rel(s.Name), p) || len(c.Differ) > contact.MaxTiles {
			continue
		}
		if c.Differ[len(c.Differ)-1].pix, err = s.Pix.Load(nil); err != nil {
			return fmt.Errorf("compare on %s: %w", s.Name, err)
		}
	}
	return nil
}

// readForCompare reads the images, and prints which cannot be read.
func readForCompare(cmd *cobra.Command, set *dataset.Set, items []dataset.Item, spec preprocess.Spec,
	store *pixels.Store) ([]trainer.Sample, error) {
	samples, err := loadSamples(cmd, "reading images", set, items, spec, store)
	if err == nil && len(samples) == 0 {
		err = errors.New("compare: no image could be read")
	}
	return samples, err
}

// judge classifies the images with one model and returns the probabilities.
func (c *contestant) judge(cmd *cobra.Command, name string, m *model, samples []trainer.Sample,
	labels []bool) ([]float64, error) {
	p := progress.New(cmd, "classifying with "+name, len(samples))
	scores, err := m.score(cmd.Context(), samples, p.Set)
	p.Done()
	if err != nil {
		return nil, err
	}
	policy := verdict.Policy{Threshold: m.band.Threshold, SoundBelow: m.band.SoundBelow}
	for i, s := range scores {
		said, _ := policy.Label(s)
		c.say(said, labels[i])
	}
	c.Report, err = metrics.NewBanded(scores, labels, m.band)
	return scores, err
}

// say adds the answer to an image.
func (c *contestant) say(said verdict.Label, crack bool) {
	c.said, c.right = append(c.said, said), append(c.right, said == label(crack))
}

func label(crack bool) verdict.Label {
	if crack {
		return verdict.Crack
	}
	return verdict.Normal
}

// write prints the comparison for people, with the sentence at the end.
func (c *contest) write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	unsure, neither := c.Old.Report.Unsure != nil || c.New.Report.Unsure != nil, "both wrong"
	if unsure {
		neither = "neither right"
	}
	fmt.Fprintln(t, "images\tboth right\tonly old\tonly new\t"+neither+"\t")
	for _, row := range []struct {
		name string
		metrics.Pairs
	}{{"cracks", c.Comparison.Crack}, {"sound tires", c.Comparison.Normal}, {"all", c.Comparison.All}} {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t\n", row.name, row.BothRight, row.OnlyOld, row.OnlyNew, row.BothWrong)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, cells(unsure, "model", "accuracy", "cracks missed", "sound tires rejected", "threshold", "unsure", "file"))
	for _, row := range []struct {
		name string
		contestant
	}{{"old", c.Old}, {"new", c.New}} {
		fmt.Fprintln(t, row.cells(unsure, row.name))
	}
	if len(c.Differ) > 0 {
		fmt.Fprintln(t)
		fmt.Fprintln(t, "right\ttruth\told score\tnew score\timage")
		for _, d := range c.Differ {
			fmt.Fprintf(t, "%s\t%s\t%.4f\t%.4f\t%s\n", d.Right, d.Truth, d.Old, d.New, d.Image)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if c.AUC != nil {
		fmt.Fprintln(w, c.AUC)
	}
	_, err := fmt.Fprintln(w, c.Sentence)
	return err
}

// cells is the row of a model. With an unsure column, the accuracy is that of the decided images.
func (c contestant) cells(unsure bool, name string) string {
	r, a := c.Report, c.Report.Answers()
	threshold := fmt.Sprintf("%.4f", r.Threshold)
	if r.Unsure != nil {
		threshold = fmt.Sprintf("%.4f and %.4f", r.Unsure.SoundBelow, r.Threshold)
	}
	return cells(unsure, name, fmt.Sprintf("%.2f %%", 100*r.Accuracy), fmt.Sprintf("%d of %d", a.FN, a.Cracks()),
		fmt.Sprintf("%d of %d", a.FP, a.Sound()), threshold, fmt.Sprintf("%d of %d", a.UnsureCrack+a.UnsureSound, a.Total()),
		c.File+", "+c.Kind)
}

// cells joins the cells of a row, without the last but one if no model is ever unsure.
func cells(unsure bool, row ...string) string {
	if !unsure {
		row = slices.Delete(row, len(row)-2, len(row)-1)
	}
	return strings.Join(row, "\t")
}

// Colours of the picture.
var (
	newIsRight = color.RGBA{R: 0x2e, G: 0x8b, B: 0x57, A: 0xff}
	oldIsRight = color.RGBA{R: 0xc0, G: 0x30, B: 0x30, A: 0xff}
	noneRight  = color.RGBA{R: 0x8a, G: 0x94, B: 0x9c, A: 0xff}
)

// draw writes the images with different verdicts, as the new model sees them.
func (c *contest) draw(cmd *cobra.Command, path string) error {
	stderr := cmd.ErrOrStderr()
	if len(c.Differ) == 0 {
		fmt.Fprintf(stderr, "note: no verdict differs, %s is not written\n", path)
		return nil
	}
	shown := c.Differ
	if len(shown) > contact.MaxTiles {
		shown = shown[:contact.MaxTiles]
		fmt.Fprintf(stderr, "note: %s shows the first %d of %d images with different verdicts\n", path, len(shown),
			len(c.Differ))
	}
	var tiles []contact.Tile
	for _, d := range shown {
		tile := contact.Tile{
			Image: &image.Gray{Pix: d.pix, Stride: c.spec.Width, Rect: image.Rect(0, 0, c.spec.Width, c.spec.Height)},
			Lines: []string{filepath.ToSlash(d.Image), fmt.Sprintf("is %s: %s right", d.Truth, d.Right),
				fmt.Sprintf("old %.3f new %.3f", d.Old, d.New)},
			Colour: oldIsRight,
		}
		switch d.Right {
		case "new":
			tile.Colour = newIsRight
		case "none":
			tile.Colour = noneRight
		}
		tiles = append(tiles, tile)
	}
	sheet, err := contact.Draw(tiles)
	if err != nil {
		return err
	}
	return writePNG(path, sheet)
}
