package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tirewatch/cmd/internal/cli"
	"tirewatch/cmd/internal/cli/progress"
	"tirewatch/cmd/internal/version"
	"tirewatch/trainer"
	"tirewatch/trainer/baseline"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/crossval"
	"tirewatch/trainer/dataset"
	"tirewatch/trainer/metrics"
	"tirewatch/trainer/pixels"
)

// crossEvaluation is what evaluate prints after a cross-validation.
type crossEvaluation struct {
	*crossval.Summary
	Choice *metrics.Choice      `json:"choice,omitempty"` // of the threshold, if a limit was set
	Band   *crossval.BandReport `json:"two_thresholds,omitempty"`
	Scores string               `json:"scores"` // file
}

func (e crossEvaluation) String() string {
	text := e.Summary.String()
	if e.Choice != nil {
		text += "\n" + e.Choice.String()
	}
	if e.Band != nil {
		text += "\n" + e.Band.String()
	}
	return text + "scores: " + e.Scores + "\n"
}

// crossValidation is a running cross-validation.
type crossValidation struct {
	cmd   *cobra.Command
	flags trainFlags
	base  *checkpoint.Checkpoint // to fine-tune from; nil otherwise
	// of the network mobile; nil for the thesis network
	learner *learner

	folder *crossval.Folder
	folds  *dataset.Folds
	grey   map[string]baseline.Features // by path
}

// crossValidate trains and tests on the folds of dir, as far as this is not done yet.
func crossValidate(cmd *cobra.Command, dir string, f *foldFlags, budgets []metrics.Budget) (fmt.Stringer, error) {
	base, err := f.train.readBase()
	if err != nil {
		return nil, err
	}
	set, err := f.train.groups.openSet(cmd, dir)
	if err != nil {
		return nil, err
	}
	set = set.Whole()
	v := &crossValidation{cmd: cmd, flags: f.train, base: base, grey: make(map[string]baseline.Features)}
	if v.flags.network.mobile() {
		if v.learner, err = newLearner(cmd, &v.flags, "", len(set.Train)); err != nil {
			return nil, err
		}
		defer v.learner.Close()
	}
	spec := v.flags.network.spec()
	store := newStore("", len(set.Train), spec)
	defer store.Close()
	reading, err := readTraining(cmd, set, spec, store, otherTemp)
	if err != nil {
		return nil, err
	}
	if v.folds, err = divideFolds(cmd, reading, f); err != nil {
		return nil, err
	}
	v.flags.cfg.Data, v.flags.cfg.Groups, v.flags.cfg.Tool = reading.Fingerprint, groupsID(set), version.String()
	if len(f.curve.images) > 0 {
		return v.curve(&f.curve)
	}
	v.flags.out = cmp.Or(f.train.out, filepath.Join("runs", time.Now().Format("2006-01-02-150405")))
	if v.folder, err = crossval.Open(v.flags.out, v.setup(f.own)); err != nil {
		return nil, err
	}
	defer v.folder.Close()
	results, err := v.results()
	if err != nil {
		return nil, err
	}
	return v.conclude(results, budgets)
}

// divideFolds makes the folds, or takes those of the manifest.
func divideFolds(cmd *cobra.Command, r *dataset.Reading, f *foldFlags) (*dataset.Folds, error) {
	if column := f.train.groups.fold; column != "" {
		folds, err := r.GivenFolds()
		if err == nil && f.n != 0 && f.n != len(folds.Names) {
			err = cli.Usagef("--folds %d: column %s of %s has %d folds", f.n, column, dataset.ManifestName, len(folds.Names))
		}
		return folds, err
	}
	advance, done := progress.Follow(cmd, "looking for near-duplicates")
	folds, err := r.Folds(cmd.Context(), f.n, f.train.cfg.Seed, advance)
	done()
	if errors.Is(err, dataset.ErrTooFew) {
		return nil, cli.Hint(err, "choose a smaller --folds, or add photographs of other tires")
	}
	return folds, err
}

// setup lists what changes the result.
func (v *crossValidation) setup(flags *pflag.FlagSet) []crossval.Setting {
	return append(settingsOf(flags, "out", "finetune", "base"),
		crossval.Setting{Name: "the pretrained checkpoint", Value: v.flags.cfg.Pretrained},
		crossval.Setting{Name: "the network", Value: v.flags.network.graph().Hash().String()},
		crossval.Setting{Name: "the scores", Value: "int8 and float"},
		crossval.Setting{Name: "the data set", Value: v.flags.cfg.Data},
		crossval.Setting{Name: "the division into folds", Value: v.folds.ID()})
}

// results returns the results of all folds.
func (v *crossValidation) results() (results []*crossval.Result, err error) {
	for k, name := range v.folds.Names {
		what := fmt.Sprintf("fold %s (%d of %d): ", name, k+1, len(v.folds.Names))
		r, err := v.folder.Result(name)
		if err != nil {
			return nil, err
		}
		if r != nil {
			fmt.Fprintf(v.cmd.ErrOrStderr(), "%sfinished before\n", what)
		} else if r, err = v.measure(k, what); err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	return results, nil
}

// measure trains without fold k and scores it, with the float and the int8 network.
func (v *crossValidation) measure(k int, what string) (*crossval.Result, error) {
	learn := v.learn
	if v.learner != nil {
		learn = v.teach
	}
	c, others, err := learn(k, what)
	if err != nil {
		return nil, err
	}
	test := v.folds.Test(k)
	samples := samplesOf(test)
	float, err := checkpointModel(c)
	if err != nil {
		return nil, err
	}
	int8, err := int8Model(v.cmd.Context(), c, samplesOf(others))
	if err != nil {
		return nil, fmt.Errorf("%sint8: %w", what, err)
	}
	r := new(crossval.Result)
	p := progress.New(v.cmd, what+"classifying", len(samples))
	r.Float, err = float.score(v.cmd.Context(), samples, p.Set)
	p.Done()
	if err != nil {
		return nil, err
	}
	scores, err := int8.score(v.cmd.Context(), samples, nil)
	if err != nil {
		return nil, err
	}
	if r.Grey, err = v.greyScores(others, test); err != nil {
		return nil, err
	}
	for i, im := range test {
		r.Scores = append(r.Scores, crossval.Score{File: v.folds.Rel(im.Path), Group: im.Group, Fold: v.folds.Names[k],
			Crack: samples[i].Crack, Score: scores[i]})
	}
	return r, v.folder.Save(v.folds.Names[k], r)
}

// learn trains the thesis network without fold k. It returns the best weights and the images of the
// other folds.
func (v *crossValidation) learn(k int, what string) (*checkpoint.Checkpoint, []dataset.Image, error) {
	train, val, err := v.folds.Train(v.cmd.Context(), k, v.flags.cfg.Seed, v.flags.cfg.Validation, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("%s%w", what, err)
	}
	best, err := v.train(v.folds.Names[k], what, samplesOf(train), samplesOf(val))
	return best, slices.Concat(train, val), err
}

// teach is learn for the network mobile. A fold that was interrupted begins again.
func (v *crossValidation) teach(k int, what string) (*checkpoint.Checkpoint, []dataset.Image, error) {
	others := v.folds.Others(k)
	samples := samplesOf(others)
	_, c, err := v.learner.teach(what, samples)
	if err != nil {
		return nil, nil, err
	}
	if !v.flags.network.headOnly {
		if c, err = v.learner.fineTune(what, c, samples); errors.Is(err, context.Canceled) {
			err = cli.Hint(fmt.Errorf("training stopped: %w", err),
				fmt.Sprintf("the same command with --out %s continues with this fold", v.flags.out))
		}
		if err != nil {
			return nil, nil, err
		}
	}
	dir := v.folder.Run(v.folds.Names[k])
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, nil, err
	}
	return c, others, checkpoint.Write(filepath.Join(dir, "best.ckpt"), c)
}

// train runs the training for a fold, or continues it, and returns the best weights.
func (v *crossValidation) train(fold, what string, train, val []trainer.Sample) (*checkpoint.Checkpoint, error) {
	f := v.flags
	f.out = v.folder.Run(fold)
	_, err := os.Stat(filepath.Join(f.out, "last.ckpt"))
	if f.resume = err == nil; err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	run, last, best, err := openRun(f)
	if err != nil {
		return nil, err
	}
	defer run.Close()
	var t *trainer.Trainer
	if last != nil {
		t, err = trainer.Resume(last, best, train, val)
	} else {
		t, err = newTraining(v.cmd, f, v.base, run, train, val)
	}
	if err != nil {
		return nil, err
	}
	again := fmt.Sprintf("the same command with --out %s continues it", v.flags.out)
	err = trainEpochs(v.cmd.Context(), v.cmd, t, run, f.cfg.Epochs, what, again)
	return t.Best(), err
}

// greyScores fits the baseline to the images of the other folds and scores the fold.
func (v *crossValidation) greyScores(others, test []dataset.Image) (scores []float64, err error) {
	for _, images := range [][]dataset.Image{others, test} {
		if err := v.measureGrey(images); err != nil {
			return nil, err
		}
	}
	var features []baseline.Features
	var cracks []bool
	for _, im := range others {
		features, cracks = append(features, v.grey[im.Path]), append(cracks, im.Class == dataset.Crack)
	}
	m := baseline.Fit(features, cracks)
	for _, im := range test {
		scores = append(scores, m.Score(v.grey[im.Path]))
	}
	return scores, nil
}

// measureGrey computes the grey statistics of images that do not have them yet.
func (v *crossValidation) measureGrey(images []dataset.Image) error {
	images = slices.DeleteFunc(slices.Clone(images), func(im dataset.Image) bool {
		_, ok := v.grey[im.Path]
		return ok
	})
	pix := make([]pixels.Image, len(images))
	for i, im := range images {
		pix[i] = im.Pix
	}
	features, err := greyFeatures(v.cmd.Context(), pix, v.flags.network.spec())
	if err != nil {
		return err
	}
	for i, im := range images {
		v.grey[im.Path] = features[i]
	}
	return nil
}

// conclude writes the scores of all folds and computes the figures.
func (v *crossValidation) conclude(results []*crossval.Result, budgets []metrics.Budget) (*crossEvaluation, error) {
	e := &crossEvaluation{Scores: v.folder.ScoresPath()}
	var all []crossval.Score
	for _, r := range results {
		all = append(all, r.Scores...)
	}
	if err := crossval.WriteScores(e.Scores, all); err != nil {
		return nil, err
	}
	var err error
	if e.Summary, err = crossval.Summarize(results); err != nil {
		return nil, err
	}
	switch {
	case twoThresholds(budgets):
		e.Band, err = crossval.ChooseBand(all, budgets)
	case len(budgets) > 0:
		values, labels, _ := crossval.Split(all)
		e.Choice, err = metrics.Choose(values, labels, budgets[0])
	}
	return e, budgetHint(err)
}
