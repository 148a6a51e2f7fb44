// Package quantize makes a bundle from a checkpoint: the int8 network that a station runs, with
// measurements that show how close it is to the trained network.
//
//	train -> checkpoint -> QUANTIZE (calibrate, convert, report) -> bundle -> push
//
// Start with [Quantize], which runs all steps and returns an unsigned bundle. bundle.Encode then
// signs it, SelfTest runs the decoded bundle as a station would, and durable.WriteFile stores the
// bytes. The example shows these calls.
package quantize

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tirewatch/quantize/calibrate"
	"tirewatch/quantize/report"
	"tirewatch/quantize/sound"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/metrics"
	"tirewatch/vision/anomaly"
	"tirewatch/vision/bundle"
	"tirewatch/vision/infer"
	"tirewatch/vision/verdict"
)

var (
	// ErrTooFewImages means that there are not enough images for calibration or for the golden
	// inputs.
	ErrTooFewImages = errors.New("too few images")
	// ErrOneClass means that the calibration images do not show both classes.
	ErrOneClass = errors.New("calibration images of one class only")
	// ErrNotHeldOut means that a budget was set without evaluation images. On images that the
	// network was trained on, every threshold looks too good.
	ErrNotHeldOut = errors.New("no testing images to choose the threshold from")
)

const (
	// MinCalibration is the smallest number of calibration images that Quantize accepts.
	MinCalibration = 16
	// MinAgreement is the share of images on which the bundle and its checkpoint must have the same
	// verdict.
	MinAgreement = 0.99
)

// AgreementError means that the int8 network and the trained network disagree on too many images.
type AgreementError struct {
	Quantization bundle.Quantization
	Evaluation   bundle.Evaluation
}

func (e *AgreementError) Error() string {
	q := e.Quantization
	return fmt.Sprintf("the int8 network agrees with the float network on %.2f %% of %d images, want %g %%",
		100*q.Agreement, q.Images, 100*MinAgreement)
}

// Images are preprocessed photographs with their labels.
type Images struct {
	Pix   [][]byte // Spec.Size() bytes each
	Crack []bool   // the true class of each
	Names []string // file names, for reports; may be nil
}

// Job holds everything that Quantize needs in addition to the checkpoint.
type Job struct {
	Calibration Images
	// empty: the calibration images are used instead, and the bundle records that
	Evaluation Images

	Method calibrate.Method // empty: try all, keep the best on the calibration images
	// also try the best method with corrected biases, and keep that if it is better; always tried for
	// a network with fixed ranges, which has no other choice
	BiasCorrection bool
	// limits from which the threshold is chosen, on the scores of Evaluation; several, or one for
	// the unsure tires: two thresholds; none: keep the checkpoint's threshold
	Budgets []metrics.Budget
	Force   bool // accept an agreement below MinAgreement

	// pictures of one type of tire in one view, to learn a second opinion from the sound ones; empty:
	// no second opinion
	Sound []sound.Image

	Serial     uint64
	Target     string    // stations, see bundle.Bundle
	Hardware   string    // boards, see bundle.Bundle
	NotAfter   time.Time // see bundle.Bundle
	Created    time.Time
	Provenance bundle.Provenance             // Quantize sets Calibration
	Progress   func(step Step, done, of int) // may be nil; calls do not overlap
}

// Step is a part of the work, for Job.Progress.
type Step string

const (
	StepCalibrate Step = "calibrate" // measure the activations
	StepTry       Step = "try"       // compare the calibration methods
	StepCorrect   Step = "correct"   // correct the biases
	StepCompare   Step = "compare"   // compare the int8 network with the float network
)

// Quantize measures the activations on the calibration images, converts the weights to integers,
// compares both networks and returns the bundle, not yet signed. The same job returns the same
// bundle. If the networks agree on less than MinAgreement of the images, the error is an
// *AgreementError.
func Quantize(ctx context.Context, c *checkpoint.Checkpoint, job Job) (*bundle.Bundle, error) {
	eval := job.Evaluation
	heldOut := len(eval.Pix) > 0
	if !heldOut {
		eval = job.Calibration
	}
	if err := job.check(eval, heldOut); err != nil {
		return nil, fmt.Errorf("quantize: %w", err)
	}
	net, err := c.Net()
	if err != nil {
		return nil, fmt.Errorf("quantize: %w", err)
	}
	newFloat := func() calibrate.Float { return net.NewPredictor() }
	best, trials, chosen, err := job.choose(ctx, c, newFloat)
	if err != nil {
		return nil, err
	}
	second, err := job.second(ctx, best.model)
	if err != nil {
		return nil, err
	}
	compared, err := report.Compare(ctx, newFloat, best.model, best.ranges, eval.Pix,
		job.progress(StepCompare, len(eval.Pix)))
	if err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	b := job.bundle(c, best.model, second)
	if err := setThresholds(b, probabilities(compared.Int8), eval.Crack, job.Budgets); err != nil {
		return nil, fmt.Errorf("choose the threshold: %w", err)
	}
	policy := b.Policy("")
	if b.Quantization, b.Evaluation, err = compared.Judge(eval.Crack, policy); err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	b.Quantization.Trials, b.Quantization.Chosen = trials, chosen
	b.Evaluation.HeldOut = heldOut
	if b.Quantization.Agreement < MinAgreement && !job.Force {
		return nil, &AgreementError{b.Quantization, b.Evaluation}
	}
	b.Reference = reference(eval, compared.Int8, b.Spec.Width, policy)
	if err := setGolden(b, eval); err != nil {
		return nil, fmt.Errorf("golden inputs: %w", err)
	}
	if err := b.Validate(); err != nil {
		return nil, fmt.Errorf("quantize: %w", err)
	}
	return b, nil
}

// bundle returns the bundle of an int8 network without its measurements.
func (j *Job) bundle(c *checkpoint.Checkpoint, m *infer.Model, second *anomaly.Model) *bundle.Bundle {
	b := &bundle.Bundle{
		Model:      *m,
		Spec:       c.Spec,
		Classes:    []string{string(verdict.Normal), string(verdict.Crack)},
		Threshold:  c.Threshold,
		Serial:     j.Serial,
		Created:    j.Created,
		Target:     j.Target,
		Hardware:   j.Hardware,
		NotAfter:   j.NotAfter,
		Provenance: j.Provenance,
		Anomaly:    second,
	}
	b.Provenance.Calibration = len(j.Calibration.Pix)
	return b
}

// second learns the second opinion, nil if there are no pictures for it.
func (j *Job) second(ctx context.Context, m *infer.Model) (*anomaly.Model, error) {
	if len(j.Sound) == 0 {
		return nil, nil
	}
	a, err := sound.Learn(ctx, m, sound.DefaultLayer, j.Sound)
	if err != nil {
		return nil, fmt.Errorf("second opinion: %w", err)
	}
	return a, nil
}

// check refuses unusable images before the long work starts.
func (j *Job) check(eval Images, heldOut bool) error {
	switch n := len(j.Calibration.Pix); {
	case n < MinCalibration:
		return fmt.Errorf("%w: %d to calibrate on, want %d or more", ErrTooFewImages, n, MinCalibration)
	case len(eval.Pix) < bundle.MinGolden:
		return fmt.Errorf("%w: %d to evaluate on, want %d or more", ErrTooFewImages, len(eval.Pix), bundle.MinGolden)
	case len(j.Calibration.Crack) != n || len(eval.Crack) != len(eval.Pix):
		return errors.New("internal error: images without labels")
	case !slices.Contains(j.Calibration.Crack, !j.Calibration.Crack[0]):
		class := verdict.Normal
		if j.Calibration.Crack[0] {
			class = verdict.Crack
		}
		return fmt.Errorf("%w: all %d show %s", ErrOneClass, n, class)
	case len(j.Budgets) > 0 && !heldOut:
		return ErrNotHeldOut
	}
	return nil
}

func probabilities(logits []float64) []float64 {
	p := make([]float64, len(logits))
	for i, l := range logits {
		p[i] = verdict.Probability(l)
	}
	return p
}

func (j *Job) progress(step Step, of int) func(done int) {
	if j.Progress == nil {
		return nil
	}
	return func(done int) { j.Progress(step, done, of) }
}

// setThresholds chooses the thresholds of b for the budgets. Only with two thresholds does b need
// the newer format; without an unsure tire it stays readable for older stations.
func setThresholds(b *bundle.Bundle, scores []float64, crack []bool, budgets []metrics.Budget) error {
	var limits []bundle.Budget
	for _, l := range budgets {
		limits = append(limits, bundle.Budget{Side: string(l.Side), Limit: l.Limit})
	}
	switch {
	case len(budgets) == 0:
		return nil
	case len(budgets) == 1 && budgets[0].Side != metrics.UnsureShare:
		choice, err := metrics.Choose(scores, crack, budgets[0])
		if err == nil {
			b.Threshold, b.Budget = choice.Threshold, limits[0]
		}
		return err
	}
	choice, err := metrics.ChooseBand(scores, crack, budgets)
	switch {
	case err != nil:
		return err
	case choice.Three():
		b.Threshold = choice.Threshold
		b.Heads = []bundle.Head{{Name: bundle.DefaultHead, Threshold: choice.Threshold, SoundBelow: choice.SoundBelow,
			Budgets: limits}}
	default:
		b.Threshold = choice.Threshold
		if limits[0].Side != bundle.UnsureShare {
			b.Budget = limits[0] // it has room for one
		}
	}
	return nil
}
