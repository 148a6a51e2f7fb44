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
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"tirewatch/cmd/internal/cli"
	"tirewatch/cmd/internal/cli/progress"
	"tirewatch/cmd/internal/version"
	"tirewatch/internal/durable"
	"tirewatch/quantize"
	"tirewatch/quantize/calibrate"
	"tirewatch/quantize/report"
	"tirewatch/quantize/sound"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/dataset"
	"tirewatch/trainer/pixels"
	"tirewatch/vision/bundle"
	"tirewatch/vision/preprocess"
)

// quantizeFlags are the options of one quantization.
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
	sound       string
	budget      budgetFlags
}

// methodAuto tries all methods on the calibration images and takes the best.
const methodAuto = "auto"

// calibrationMethod returns the method of --method, empty for auto.
func (f *quantizeFlags) calibrationMethod() (calibrate.Method, error) {
	m := calibrate.Method(f.method)
	if f.method == methodAuto {
		return "", nil
	}
	if !slices.Contains(calibrate.Methods, m) {
		return "", cli.Usagef("--method %q: want auto, minmax, percentile or mse", f.method)
	}
	return m, nil
}

// end returns the last second of the day of --not-after, UTC, and zero without the flag.
func (f *quantizeFlags) end() (time.Time, error) {
	if f.notAfter == "" {
		return time.Time{}, nil
	}
	day, err := time.Parse(time.DateOnly, f.notAfter)
	if err != nil {
		return time.Time{}, cli.Usagef("--not-after %q: want a day such as 2030-12-31", f.notAfter)
	}
	return day.AddDate(0, 0, 1).Add(-time.Second), nil
}

const quantizeText = `Measures the activations of the trained network on the images in DIR, turns its weights into 8-bit
integers, compares both networks, and writes everything that a station needs into one signed file.

The training images in DIR are used for calibration, the testing images to compare the accuracy
of the float32 and the int8 network. Without testing images both are compared on the calibration
images, and the bundle says so. If the verdicts differ on more than 1 % of the compared images,
no bundle is written, unless you use --force.

--method selects the range of activations in each layer: minmax (the largest value seen),
percentile (all but the highest 0.01 %), mse (the smallest squared error), or auto, which tries
all three on the calibration images and takes the one that agrees best with the float network.

With --max-escape or --max-false-reject the threshold is chosen from the int8 scores of the
testing images and stored in the bundle. With both, or with --max-unsure, two thresholds are
stored: a tire between them is unsure, and the station's on_unsure says what happens to it. Older
agents refuse a bundle with two thresholds.

--second-opinion DIR teaches what the sound tires of one type look like in one view, from 10 pictures
or more in DIR/normal. A station then also says which tires are unlike them, whatever the network
calls them. It changes no verdict, and keeps the picture for review. Pictures in DIR/crack, if there
are any, are only used to test it. The result is measured on pictures that were held out: tires of
many kinds have no common look and are refused.

The serial orders releases: a station refuses a bundle whose serial is not higher than its own.
Without --serial it is the time in seconds since 1970, so the bundle made later is the newer one.

--not-after limits how long stations accept the bundle, so that an old copy cannot be installed
one day. A station that already uses it continues, and reports that the bundle has expired.`

func newQuantizeCmd() *cobra.Command {
	var f quantizeFlags
	cmd := &cobra.Command{
		Use:   "quantize CKPT --calibration DIR --key FILE -o MODEL.tire",
		Short: "Turn a checkpoint into a signed int8 bundle for stations",
		Long:  quantizeText,
		Example: `  tirewatch quantize runs/monday/best.ckpt --calibration photos/ --key plant.key -o monday.tire
  tirewatch quantize best.ckpt --calibration photos/ --key plant.key -o line1.tire --target 'hamburg/line1/*'
  tirewatch quantize best.ckpt --calibration photos/ --key plant.key -o strict.tire --max-escape 1%
  tirewatch quantize best.ckpt --calibration photos/ --key plant.key -o three.tire --max-unsure 15%
  tirewatch quantize best.ckpt --calibration photos/ --key plant.key -o type7.tire --second-opinion type7/`,
		Args: cli.Args("CKPT"),
		RunE: func(cmd *cobra.Command, args []string) error { return runQuantize(cmd, args[0], f) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.calibration, "calibration", "", "data set to measure the activations on")
	fl.StringVar(&f.key, "key", "", "private key that signs the bundle, from tirewatch keygen")
	fl.StringVarP(&f.out, "output", "o", "", "bundle to write")
	fl.Uint64Var(&f.serial, "serial", 0, "serial of this release (default: the time in seconds)")
	fl.StringVar(&f.target, "target", "*",
		"stations that may use it, as SITE/LINE/NAME; * stands for any site, line or name")
	fl.StringVar(&f.hardware, "hardware", "",
		"boards that may use it, ARCH or ARCH/KERNEL, for example arm64/sdot (default: any)")
	fl.StringVar(&f.notAfter, "not-after", "",
		"last day on which stations accept it, for example 2030-12-31 (default: no limit)")
	fl.IntVar(&f.limit, "limit", 500, "use at most this many images for calibration; 0 for all")
	fl.StringVar(&f.method, "method", methodAuto, "how to find the ranges: auto, minmax, percentile or mse")
	fl.BoolVar(&f.bias, "bias-correction", false,
		"also try to shift the biases by the mean errors of the layers; kept if it is better; always tried "+
			"for the network mobile")
	fl.BoolVar(&f.force, "force", false,
		"write the bundle even if it agrees with the checkpoint on less than 99 % of the images")
	fl.StringVar(&f.sound, "second-opinion", "",
		"also learn the sound tires in this data set, of one type and view, for a second opinion")
	f.budget.add(cmd)
	cli.ExitCode(cmd, cli.Failed,
		"No bundle was written, for example because it agrees with the checkpoint on less than 99 % of the images.")
	cli.Environment(cmd, kernelVariable)
	return cmd
}

func runQuantize(cmd *cobra.Command, path string, f quantizeFlags) error {
	if err := cli.Require(cmd, "calibration", "key", "output"); err != nil {
		return err
	}
	if f.limit < 0 {
		return cli.Usagef("--limit %d: want 0 or more", f.limit)
	}
	method, err := f.calibrationMethod()
	if err != nil {
		return err
	}
	budgets, err := f.budget.budgets(cmd)
	if err != nil {
		return err
	}
	end, err := f.end()
	if err != nil {
		return err
	}
	// Key and output folder are checked first: the work before they are needed takes minutes.
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
	job.Method, job.BiasCorrection, job.Budgets, job.Force = method, f.bias, budgets, f.force
	job.Provenance.Checkpoint = sum
	if c.Licence != "" { // weights of our own need no name, and their bundles no new version
		job.Provenance.Origin = c.Origin
	}
	job.Hardware, job.NotAfter = f.hardware, end
	if job.Sound, err = readSound(cmd, f.sound, c.Spec); err != nil {
		return err
	}
	return quantizeAndWrite(cmd, c, job, key, f.out)
}

// readCheckpoint reads a file once, and returns its content and its SHA-256.
func readCheckpoint(path string) (*checkpoint.Checkpoint, string, error) {
	data, err := checkpoint.ReadFile(path)
	if err != nil {
		return nil, "", fmt.Errorf("read checkpoint: %w", err)
	}
	c, err := checkpoint.Decode(data)
	if err != nil {
		return nil, "", cli.Hint(fmt.Errorf("read checkpoint %s: %w", path, err),
			"tirewatch inspect "+path+" shows what the file is")
	}
	hash := sha256.Sum256(data)
	return c, hex.EncodeToString(hash[:]), nil
}

// quantizeJob reads the images.
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
			" which does not show how they judge new tires\n", f.calibration)
		return job, nil
	}
	if c.Config.Imported != "" {
		fmt.Fprintf(stderr,
			"note: the network was imported: the testing images of %s may have been part of its training\n", f.calibration)
	} else if c.Config.Data != job.Provenance.Data {
		fmt.Fprintf(stderr, "note: the checkpoint was trained on another data set than %s,"+
			" whose testing images may have been part of that training\n", f.calibration)
	}
	job.Evaluation, err = loadImages(cmd, "reading testing images", set, set.Test, c.Spec)
	return job, err
}

// spread takes at most limit items at equal distances, so that every class and every series of
// photographs is represented.
func spread[T any](items []T, limit int) []T {
	if limit == 0 || len(items) <= limit {
		return items
	}
	chosen := make([]T, limit)
	for i := range chosen {
		chosen[i] = items[i*len(items)/limit]
	}
	return chosen
}

// loadImages keeps all images in memory: the networks go over them many times.
func loadImages(cmd *cobra.Command, label string, set *dataset.Set, items []dataset.Item,
	spec preprocess.Spec) (quantize.Images, error) {
	samples, err := loadSamples(cmd, label, set, items, spec,
		pixels.NewStore("", math.MaxInt64, len(items), spec.Size()))
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

// stepLabels name the steps of a quantization for the progress.
var stepLabels = map[quantize.Step]string{
	quantize.StepCalibrate: "measuring activations",
	quantize.StepTry:       "trying ranges",
	quantize.StepCorrect:   "correcting biases",
	quantize.StepCompare:   "comparing float and int8",
}

// quantizeAndWrite does the work, checks the result as a station would, and writes it.
func quantizeAndWrite(cmd *cobra.Command, c *checkpoint.Checkpoint, job quantize.Job, key ed25519.PrivateKey,
	out string) error {
	var bar *progress.Display
	var at quantize.Step
	job.Progress = func(step quantize.Step, done, of int) {
		if step != at {
			at, bar = step, progress.New(cmd, stepLabels[step], of)
		}
		if bar.Set(done); done == of {
			bar.Done()
		}
	}
	b, err := quantize.Quantize(cmd.Context(), c, job)
	if err != nil {
		return quantizeHint(cmd, err)
	}
	data, err := bundle.Encode(b, key)
	if err != nil {
		return err
	}
	signed, err := bundle.Decode(data, []ed25519.PublicKey{key.Public().(ed25519.PublicKey)})
	if err != nil {
		return fmt.Errorf("verify the new bundle: %w", err)
	}
	if _, err := signed.SelfTest(); err != nil {
		return fmt.Errorf("verify the new bundle: %w", err)
	}
	if err := durable.WriteFile(out, data, 0o644); err != nil {
		return err
	}
	stdout := cmd.OutOrStdout()
	fmt.Fprintf(stdout, "%s  serial %d  id %s  %.2f MiB  for %s\n\n", out, b.Serial, signed.ID(),
		float64(len(data))/(1<<20), b.Target)
	if err := report.WriteChoice(stdout, b.Head(), b.Evaluation); err != nil {
		return err
	}
	if a := b.Anomaly; a != nil {
		fmt.Fprintf(stdout, "second opinion: %s\n\n", secondOpinionText(a))
	}
	if b.Quantization.Agreement < quantize.MinAgreement {
		fmt.Fprintf(cmd.ErrOrStderr(),
			"note: forced: the bundle agrees with its checkpoint on only %.2f %% of the images\n", 100*b.Quantization.Agreement)
	}
	return report.Write(stdout, b.Quantization, b.Evaluation)
}

// quantizeHint says what to do about a failed quantization. If the networks disagree it also prints
// the comparison.
func quantizeHint(cmd *cobra.Command, err error) error {
	var silent *calibrate.SilentLayerError
	var lost *quantize.AgreementError
	switch {
	case errors.As(err, &lost):
		if err := report.Write(cmd.ErrOrStderr(), lost.Quantization, lost.Evaluation); err != nil {
			return err
		}
		return cli.Hint(err,
			"calibrate on more photographs of the belt, try --bias-correction, or train longer; --force writes "+
				"the bundle anyway")
	case errors.Is(err, sound.ErrTooFew):
		return cli.Hint(err, "--second-opinion needs "+strconv.Itoa(sound.MinSound)+" pictures of sound tires or more, of "+
			strconv.Itoa(sound.MinGroups)+" places, tires or deliveries")
	case errors.Is(err, sound.ErrNoLayer):
		return cli.Hint(err, "--second-opinion needs a mobile network; quantize this one without it")
	case errors.Is(err, quantize.ErrOneClass):
		return cli.Hint(err, "calibrate on images of both classes, cracks and sound tires; --limit 0 takes all images")
	case errors.Is(err, quantize.ErrNotHeldOut):
		return cli.Hint(err,
			"every model looks good on images that it was trained on; tirewatch dataset split makes a testing folder")
	case errors.As(err, &silent):
		return cli.Hint(err,
			"check that the checkpoint was trained on images like these: tirewatch inspect shows its data set")
	case errors.Is(err, quantize.ErrTooFewImages):
		return cli.Hint(err, "a few hundred images of both classes make a good calibration")
	}
	return budgetHint(err)
}
