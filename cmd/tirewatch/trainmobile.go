package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tirewatch/cmd/internal/cli"
	"tirewatch/cmd/internal/cli/progress"
	"tirewatch/cmd/internal/version"
	"tirewatch/trainer"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/crossval"
	"tirewatch/trainer/report"
	"tirewatch/trainer/transfer"
	"tirewatch/vision/graph"
)

// mobileTraining is a training of the network mobile in a run folder. The folder always holds the
// best network so far: first the base with a fitted score layer, then the fine-tuned one if it is
// better.
type mobileTraining struct {
	*learner
	run     *trainer.RunDir
	samples []trainer.Sample

	decay  float64   // of the score layer
	scores []float64 // out of fold, of the network in best.ckpt; nil: too few groups
}

// trainMobile fits the score layer, then fine-tunes if that is better on images that it has not
// seen.
func trainMobile(cmd *cobra.Command, dir string, f trainFlags) error {
	set, err := f.groups.openDivided(cmd, dir)
	if err != nil {
		return err
	}
	count := len(set.Train) + len(set.Val)
	l, err := newLearner(cmd, &f, "", count)
	if err != nil {
		return err
	}
	defer l.Close()
	run, last, best, err := openRun(f)
	if err != nil {
		return err
	}
	defer run.Close()
	store := newStore(run.Dir, count, f.network.spec())
	defer store.Close()
	reading, err := readTraining(cmd, set, f.network.spec(), store, otherOut)
	if err != nil {
		return err
	}
	f.cfg.Data, f.cfg.Groups, f.cfg.Tool = reading.Fingerprint, groupsID(set), version.String()
	advance, done := progress.Follow(cmd, "looking for near-duplicates")
	images, err := reading.Together(cmd.Context(), advance)
	done()
	if err != nil {
		return err
	}
	t := &mobileTraining{learner: l, run: run, samples: samplesOf(images)}
	folder, err := t.settings(last)
	if err != nil {
		return err
	}
	defer folder.Close()
	c, err := t.learn(folder, best)
	if errors.Is(err, context.Canceled) {
		return cli.Hint(fmt.Errorf("training stopped: %w", err),
			fmt.Sprintf("the same command with --out %s --resume continues it", run.Dir))
	}
	if err != nil {
		return err
	}
	return t.report(dir, c)
}

// settings compares those of a training to resume with the ones of the command line. The folder
// that it returns keeps the results of fine-tuning in parts.
func (t *mobileTraining) settings(last *checkpoint.Checkpoint) (*crossval.Folder, error) {
	setup := settingsOf(t.cmd.Flags(), "out", "resume", "base")
	setup = append(setup, crossval.Setting{Name: "the base", Value: t.flags.cfg.Pretrained},
		crossval.Setting{Name: "the network", Value: t.start.Graph.Hash().String()},
		crossval.Setting{Name: "the data set", Value: t.flags.cfg.Data},
		crossval.Setting{Name: "the groups", Value: t.flags.cfg.Groups})
	if last != nil {
		if err := last.RequireGraph(&t.start.Graph); err != nil {
			return nil, cli.Hint(fmt.Errorf("resume %s: %w", t.run.Dir, err), "repeat the settings of that training")
		}
	}
	return crossval.Open(t.run.Dir+"/parts", setup)
}

// settingsOf lists the values of flags.
func settingsOf(flags *pflag.FlagSet, leaveOut ...string) (s []crossval.Setting) {
	flags.VisitAll(func(flag *pflag.Flag) {
		if !slices.Contains(leaveOut, flag.Name) {
			s = append(s, crossval.Setting{Name: "--" + flag.Name, Value: flag.Value.String()})
		}
	})
	return s
}

// learn returns the better of both networks. best is that of a finished fine-tuning, or nil.
func (t *mobileTraining) learn(folder *crossval.Folder, best *checkpoint.Checkpoint) (*checkpoint.Checkpoint, error) {
	taught, head, err := t.teach("", t.samples)
	if err != nil {
		return nil, err
	}
	t.decay, t.scores = taught.Decay, taught.Scores
	if best == nil {
		if err := errors.Join(t.run.WriteConfig(head.Config), t.run.Save(head, head)); err != nil {
			return nil, err
		}
	}
	why := ""
	groups := transfer.Groups(taught.Examples)
	switch least := min(groups[0], groups[1]); {
	case t.scores == nil:
		why = "a class has only one group of images, so nothing shows how good a network is"
	case least < tuningGroups && !t.flags.network.headOnly:
		why = fmt.Sprintf("not fine-tuned: the images are %d groups of sound and %d of cracked tires, and %d of each are needed "+
			"to show that it helps", groups[0], groups[1], tuningGroups)
	}
	if why != "" {
		fmt.Fprintf(t.cmd.ErrOrStderr(), "note: %s\n", why)
	}
	if t.scores != nil {
		fmt.Fprintf(t.cmd.ErrOrStderr(), "out of fold on %d images: %s\n", len(t.samples), figuresOf(t.scores, labelsOf(t.samples)))
	}
	result := head
	if why == "" && !t.flags.network.headOnly {
		if result, err = t.improve(folder, head, best); err != nil {
			return nil, err
		}
	}
	_, err = fmt.Fprintf(t.cmd.OutOrStdout(), "%s  threshold %.4f\n", t.run.BestPath(), result.Threshold)
	return result, err
}

// report shows the out-of-fold scores, with heat maps of the network.
func (t *mobileTraining) report(dir string, c *checkpoint.Checkpoint) error {
	m, err := checkpointModel(c)
	if err != nil {
		return err
	}
	part, scores := report.OutOfFold, t.scores
	if scores == nil {
		part = report.Given
		if scores, err = m.score(t.cmd.Context(), t.samples, nil); err != nil {
			return err
		}
	}
	r := newReport("Training "+t.run.Dir, part, m, dir, t.samples, scores)
	return writeReport(t.cmd, r, t.run.Dir)
}

// isMobile reports whether a network is one of graph.Mobile, with any size and number of blocks.
func isMobile(g *graph.Graph) bool {
	return slices.ContainsFunc(g.Layers, func(l graph.Layer) bool { return l.Kind == graph.TopMean })
}

// networkOf describes the network of a checkpoint for an error.
func networkOf(c *checkpoint.Checkpoint) string {
	if isMobile(&c.Graph) {
		return fmt.Sprintf("the network mobile for %d px", c.Spec.Width)
	}
	return "another network"
}
