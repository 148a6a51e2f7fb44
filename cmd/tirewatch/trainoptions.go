package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"tirewatch/trainer"
	"tirewatch/trainer/augment"
	"tirewatch/trainer/checkpoint"
	"tirewatch/vision/graph"
	"tirewatch/vision/preprocess"
)

// fineTuneRate is the learning rate of a fine-tuning: a tenth of the usual one, so that what was
// learned is not shaken off.
const fineTuneRate = 0.0001

// trainOptions are the choices of a training beside the usual ones.
type trainOptions struct {
	finetune string // checkpoint
	weights  string // auto, a number, or nothing
	schedule string
	show     string // picture of the augmentation
}

func (f *trainFlags) addFlags(cmd *cobra.Command) {
	cmd.Long += `

The run folder also keeps augmentation.png: what the network is shown of some images. The
thesis' count of an epoch is --steps-per-epoch 36. Fine-tuning starts from a checkpoint's
weights, on a smaller and more specific set. --resume goes on after a crash too.`
	fl := cmd.Flags()
	fl.IntVar(&f.cfg.StepsPerEpoch, "steps-per-epoch", 0, "batches in an epoch, drawn from reshuffled passes; 0: every image once (the thesis: 36)")
	fl.IntVar(&f.cfg.Patience, "patience", 0, "stop after so many epochs without a new best on validation; 0: never")
	fl.StringVar(&f.schedule, "schedule", string(checkpoint.Constant),
		fmt.Sprintf("learning rate over the epochs: constant, cosine (falls to the end), plateau (halves after %d epochs without a lower validation loss)", checkpoint.PlateauEpochs))
	fl.Float64Var(&f.cfg.MinRate, "min-rate", 0, "learning rate that --schedule does not go below")
	fl.StringVar(&f.weights, "class-weights", "", "how much more a cracked tire counts than a sound one: a number, or auto so that both classes count the same")
	fl.StringVar(&f.finetune, "finetune", "", "start from the weights of this checkpoint")
	fl.StringSliceVar(&f.cfg.Frozen, "freeze", nil, "layers that keep their weights in fine-tuning, for example conv1,conv2")
	fl.StringVar(&f.show, "show-augmentation", "", "write a picture of augmented training images to this PNG file and stop")
}

// choose checks the flags against each other and completes the configuration.
func (f *trainFlags) choose(cmd *cobra.Command) error {
	f.cfg.Schedule = checkpoint.Schedule(f.schedule)
	if !slices.Contains(checkpoint.Schedules, f.cfg.Schedule) {
		return &usageError{fmt.Errorf("--schedule %q; known are %v", f.schedule, checkpoint.Schedules)}
	}
	if f.weights != "" && f.weights != "auto" {
		w, err := strconv.ParseFloat(f.weights, 64)
		if err != nil || !(w > 0) {
			return &usageError{fmt.Errorf("--class-weights %q is neither auto nor a positive number", f.weights)}
		}
		f.cfg.CrackWeight = w
	}
	switch {
	case f.finetune != "" && f.resume:
		return withHint(&usageError{errors.New("--finetune starts a training, --resume goes on with one")},
			"a fine-tuning resumes by --resume and --out alone")
	case len(f.cfg.Frozen) > 0 && f.finetune == "" && !f.resume:
		return &usageError{errors.New("--freeze needs --finetune: fresh weights are nothing to keep")}
	}
	if f.finetune != "" && !cmd.Flags().Changed("rate") {
		f.cfg.Rate = fineTuneRate
	}
	if !f.resume {
		if err := f.cfg.Validate(); err != nil {
			return &usageError{err}
		}
	}
	return nil
}

// readBase reads the checkpoint to fine-tune, nil when there is none, and notes it in the
// configuration.
func (f *trainFlags) readBase() (*checkpoint.Checkpoint, error) {
	if f.finetune == "" {
		return nil, nil
	}
	base, sum, err := readCheckpoint(f.finetune)
	if err != nil {
		return nil, err
	}
	if err := base.RequireGraph(graph.Thesis()); err != nil {
		return nil, fmt.Errorf("fine-tune %s: %w", f.finetune, err)
	}
	if base.Spec != preprocess.Thesis() {
		return nil, fmt.Errorf("fine-tune %s: it was trained with another preprocessing", f.finetune)
	}
	net, err := base.Net()
	if err != nil {
		return nil, fmt.Errorf("fine-tune %s: %w", f.finetune, err)
	}
	// before a run folder is made and images are read
	if err := net.Freeze(f.cfg.Frozen); err != nil {
		return nil, err
	}
	f.cfg.Pretrained = sum
	return base, nil
}

// fineTune starts from base and says how good that already is on the new images.
func fineTune(cmd *cobra.Command, cfg checkpoint.Config, base *checkpoint.Checkpoint, train, val []trainer.Sample) (*trainer.Trainer, error) {
	t, err := trainer.FineTune(cfg, base, train, val)
	if err != nil {
		return nil, err
	}
	loss, accuracy, err := t.Validate()
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "before fine-tuning: validation loss %.4f  accuracy %.3f\n", loss, accuracy)
	return t, nil
}

// showAugmentation writes the picture of --show-augmentation.
func showAugmentation(cmd *cobra.Command, dir string, f trainFlags) error {
	set, err := openSet(dir)
	if err != nil {
		return err
	}
	if f.static {
		f.cfg.Augment = augment.Ranges{}
	}
	spec := preprocess.Thesis()
	store := newStore("", len(set.Train)+len(set.Val), spec)
	defer store.Close()
	reading, err := readTraining(cmd, set, spec, store)
	if err != nil {
		return err
	}
	train, _, err := splitTraining(cmd, reading, f.cfg.Seed, f.cfg.Validation)
	if err != nil {
		return err
	}
	if err := writeAugmentation(f.show, f.cfg, spec, train); err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: on the left some training images, beside each what the network is shown of it in the first epochs\n", f.show)
	return err
}

func writeAugmentation(path string, cfg checkpoint.Config, spec preprocess.Spec, train []trainer.Sample) error {
	sheet, err := trainer.AugmentationSheet(cfg, spec, train)
	if err != nil {
		return err
	}
	return writePNG(path, sheet)
}
