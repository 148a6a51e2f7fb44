package main

import (
	"cmp"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"tirewatch/cmd/internal/version"
	"tirewatch/internal/durable"
	"tirewatch/quantize"
	"tirewatch/quantize/calibrate"
	"tirewatch/quantize/report"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/dataset"
	"tirewatch/trainer/pixels"
	"tirewatch/vision/bundle"
	"tirewatch/vision/preprocess"
)

// quantizeFlags are the choices of one quantization.
type quantizeFlags struct {
	calibration string
	key         string
	out         string
	serial      uint64
	target      string
	hardware    string
	notAfter    string
	limit       int
	method      string
	bias        bool
	force       bool
	budget      budgetFlags
}

// methodAuto lets the calibration images decide on the method.
const methodAuto = "auto"

// calibrationMethod is empty for auto.
func (f *quantizeFlags) calibrationMethod() (calibrate.Method, error) {
	m := calibrate.Method(f.method)
	if f.method == methodAuto {
		return "", nil
	}
	if !slices.Contains(calibrate.Methods, m) {
		return "", &usageError{fmt.Errorf("--method %q: want auto, minmax, percentile or mse", f.method)}
	}
	return m, nil
}

// end is the last second of the day that --not-after names, UTC; zero without the flag.
func (f *quantizeFlags) end() (time.Time, error) {
	if f.notAfter == "" {
		return time.Time{}, nil
	}
	day, err := time.Parse(time.DateOnly, f.notAfter)
	if err != nil {
		return time.Time{}, &usageError{fmt.Errorf("--not-after %q: want a day like 2030-12-31", f.notAfter)}
	}
	return day.AddDate(0, 0, 1).Add(-time.Second), nil
}

func newQuantizeCmd() *cobra.Command {
	var f quantizeFlags
	cmd := &cobra.Command{
		Use:   "quantize CKPT --calibration DIR --key FILE -o MODEL.tire",
		Short: "Turn a checkpoint into a signed int8 bundle for stations",
		Long: `Measures the activations of the trained network on the photographs in DIR, turns its weights
into 8-bit integers, compares both networks, and writes everything that a station needs
into one signed file.

Calibration uses the training photographs in DIR. Float and int8 accuracy are compared on its
testing folder; without one they are compared on the calibration photographs, and the
bundle says so. A network that gives another verdict than the float one on more than 1 % of
the compared photographs is refused unless --force is given.

The largest activation of a layer that still counts is found by --method: minmax (the largest
seen), percentile (all but 0.01 %), mse (the smallest squared error), or auto, which tries all
on the calibration photographs and takes the one that agrees best with the float network.

With --max-escape or --max-false-reject the threshold is chosen from the int8 scores of the
testing photographs and stored in the bundle.

The serial orders releases: stations refuse a bundle that is not newer than theirs. It is
the time in seconds since 1970 unless --serial says otherwise, so that of two bundles the
one made later wins.

--not-after gives the bundle an end: no station takes it later, so that a copy that somebody
keeps back is worth nothing some day. A station that runs it then works on and says so.`,
		Example: `  tirewatch quantize runs/monday/best.ckpt --calibration photos/ --key plant.key -o monday.tire
  tirewatch quantize best.ckpt --calibration photos/ --key plant.key -o line1.tire --target 'hamburg/line1/*'
  tirewatch quantize best.ckpt --calibration photos/ --key plant.key -o strict.tire --max-escape 1%`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runQuantize(cmd, args[0], f) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.calibration, "calibration", "", "data set to measure activations on")
	fl.StringVar(&f.key, "key", "", "private key that signs, from tirewatch keygen")
	fl.StringVarP(&f.out, "output", "o", "", "bundle to write")
	fl.Uint64Var(&f.serial, "serial", 0, "serial of this release (default the time in seconds)")
	fl.StringVar(&f.target, "target", "*", "stations it is made for: site/line/station, * for any part or all")
	fl.StringVar(&f.hardware, "hardware", "", "boards it is made for: ARCH or ARCH/KERNEL, like arm64/sdot (default any)")
	fl.StringVar(&f.notAfter, "not-after", "", "last day on which stations take it, like 2030-12-31 (default no end)")
	fl.IntVar(&f.limit, "limit", 500, "most photographs to calibrate on, 0 for all")
	fl.StringVar(&f.method, "method", methodAuto, "how ranges are found: auto, minmax, percentile or mse")
	fl.BoolVar(&f.bias, "bias-correction", false, "also try to shift the biases by the layers' mean errors; kept when better")
	fl.BoolVar(&f.force, "force", false, "write the bundle even when it agrees with the checkpoint on less than 99 %")
	f.budget.add(cmd)
	return cmd
}

// needFlags makes a missing flag misuse of the command.
func needFlags(cmd *cobra.Command, names ...string) error {
	for _, name := range names {
		if !cmd.Flags().Changed(name) {
			return withHint(&usageError{fmt.Errorf("%s needs --%s", cmd.Name(), name)}, cmd.CommandPath()+" --help shows the flags and examples")
		}
	}
	return nil
}

func runQuantize(cmd *cobra.Command, path string, f quantizeFlags) error {
	if err := needFlags(cmd, "calibration", "key", "output"); err != nil {
		return err
	}
	if f.limit < 0 {
		return &usageError{fmt.Errorf("--limit %d: want 0 or more", f.limit)}
	}
	method, err := f.calibrationMethod()
	if err != nil {
		return err
	}
	budget, err := f.budget.budget(cmd)
	if err != nil {
		return err
	}
	end, err := f.end()
	if err != nil {
		return err
	}
	// What can fail at the end is tried first: the work between takes minutes.
	key, err := readPrivateKey(f.key)
	if err != nil {
		return err
	}
	if info, err := os.Stat(filepath.Dir(f.out)); err != nil || !info.IsDir() {
		return fmt.Errorf("cannot write %s: its folder does not exist", f.out)
	}
	c, sum, err := readCheckpoint(path)
	if err != nil {
		return err
	}
	job, err := quantizeJob(cmd, c, f)
	if err != nil {
		return err
	}
	job.Method, job.BiasCorrection, job.Budget, job.Force = method, f.bias, budget, f.force
	job.Provenance.Checkpoint = sum
	job.Hardware, job.NotAfter = f.hardware, end
	return quantizeAndWrite(cmd, c, job, key, f.out)
}

// readCheckpoint reads the file once for its content and its SHA-256.
func readCheckpoint(path string) (*checkpoint.Checkpoint, string, error) {
	data, err := checkpoint.ReadFile(path)
	if err != nil {
		return nil, "", fmt.Errorf("read checkpoint: %w", err)
	}
	c, err := checkpoint.Decode(data)
	if err != nil {
		return nil, "", withHint(fmt.Errorf("read checkpoint %s: %w", path, err), "tirewatch inspect "+path+" says what the file is")
	}
	hash := sha256.Sum256(data)
	return c, hex.EncodeToString(hash[:]), nil
}

// quantizeJob reads the photographs.
func quantizeJob(cmd *cobra.Command, c *checkpoint.Checkpoint, f quantizeFlags) (quantize.Job, error) {
	now := time.Now()
	job := quantize.Job{Serial: cmp.Or(f.serial, uint64(now.Unix())), Target: f.target, Created: now}
	job.Provenance.Tool = "tirewatch " + version.String()
	set, err := openSet(f.calibration)
	if err != nil {
		return job, err
	}
	if job.Provenance.Data, err = set.Fingerprint(cmd.Context(), nil); err != nil {
		return job, err
	}
	if job.Calibration, err = loadImages(cmd, "reading calibration images", set, spread(set.Train, f.limit), c.Spec); err != nil {
		return job, err
	}
	stderr := cmd.ErrOrStderr()
	if len(set.Test) == 0 {
		fmt.Fprintf(stderr, "note: %s has no testing folder: both networks are compared on the calibration images,"+
			" which says nothing about new tires\n", f.calibration)
		return job, nil
	}
	if c.Config.Imported != "" {
		fmt.Fprintf(stderr, "note: the network was imported; whether the testing images of %s were part of its training is not known\n", f.calibration)
	} else if c.Config.Data != job.Provenance.Data {
		fmt.Fprintf(stderr, "note: the checkpoint was trained on another data set than %s;"+
			" its testing images may have been part of that training\n", f.calibration)
	}
	job.Evaluation, err = loadImages(cmd, "reading testing images", set, set.Test, c.Spec)
	return job, err
}

// spread takes at most limit items at equal distances, so that every class and every run of
// photographs is among them.
func spread(items []dataset.Item, limit int) []dataset.Item {
	if limit == 0 || len(items) <= limit {
		return items
	}
	chosen := make([]dataset.Item, limit)
	for i := range chosen {
		chosen[i] = items[i*len(items)/limit]
	}
	return chosen
}

// loadImages keeps all images in memory: the networks go over them many times.
func loadImages(cmd *cobra.Command, label string, set *dataset.Set, items []dataset.Item, spec preprocess.Spec) (quantize.Images, error) {
	samples, err := loadSamples(cmd, label, set, items, spec, pixels.NewStore("", math.MaxInt64, len(items), spec.Size()))
	var images quantize.Images
	for _, s := range samples {
		pix, err := s.Pix.Load(nil)
		if err != nil {
			return images, err
		}
		images.Pix, images.Crack = append(images.Pix, pix), append(images.Crack, s.Crack)
		images.Names = append(images.Names, s.Name)
	}
	return images, err
}

// quantizeAndWrite does the work, tries the result as a station would, and writes it.
func quantizeAndWrite(cmd *cobra.Command, c *checkpoint.Checkpoint, job quantize.Job, key ed25519.PrivateKey, out string) error {
	var bar *progress
	var at quantize.Step
	labels := map[quantize.Step]string{quantize.StepCalibrate: "measuring activations", quantize.StepTry: "trying the ranges",
		quantize.StepCorrect: "correcting biases", quantize.StepCompare: "comparing float and int8"}
	job.Progress = func(step quantize.Step, done, of int) {
		if step != at {
			at, bar = step, newProgress(cmd, labels[step], of)
		}
		if bar.Set(done); done == of {
			bar.Done()
		}
	}
	b, err := quantize.Quantize(cmd.Context(), c, job)
	var silent *calibrate.SilentLayerError
	var lost *quantize.AgreementError
	switch {
	case errors.As(err, &lost):
		if err := report.Write(cmd.ErrOrStderr(), lost.Quantization, lost.Evaluation); err != nil {
			return err
		}
		return withHint(err, "calibrate on more photographs like those of the belt, try --bias-correction or train longer; --force writes it all the same")
	case errors.Is(err, quantize.ErrOneClass):
		return withHint(err, "the ranges must hold for cracks and for sound tires; --limit 0 takes all photographs")
	case errors.Is(err, quantize.ErrNotHeldOut):
		return withHint(err, "on images that it was trained on every model looks good; tirewatch dataset split makes a testing folder")
	case errors.As(err, &silent):
		return withHint(err, "is this checkpoint trained, and on photographs like these?")
	case errors.Is(err, quantize.ErrTooFewImages):
		return withHint(err, "a few hundred photographs of both classes make a good calibration")
	case err != nil:
		return budgetHint(err)
	}
	data, err := bundle.Encode(b, key)
	if err != nil {
		return err
	}
	signed, err := bundle.Decode(data, []ed25519.PublicKey{key.Public().(ed25519.PublicKey)})
	if err != nil {
		return fmt.Errorf("the new bundle does not verify: %w", err)
	}
	if _, err := signed.SelfTest(); err != nil {
		return fmt.Errorf("the new bundle: %w", err)
	}
	if err := durable.WriteFile(out, data, 0o644); err != nil {
		return err
	}
	stdout := cmd.OutOrStdout()
	fmt.Fprintf(stdout, "%s  serial %d  id %s  %.2f MiB  for %s\n\n", out, b.Serial, signed.ID(), float64(len(data))/(1<<20), b.Target)
	if err := report.WriteChoice(stdout, b.Threshold, b.Budget, b.Evaluation); err != nil {
		return err
	}
	if b.Quantization.Agreement < quantize.MinAgreement {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: forced: the bundle agrees with its checkpoint on %.2f %% of the images only\n", 100*b.Quantization.Agreement)
	}
	return report.Write(stdout, b.Quantization, b.Evaluation)
}
