// Package bundle is the signed file that brings a model to a station: everything that is needed to
// judge tires.
//
//	train -> quantize -> BUNDLE -> push -> station
//
// A bundle holds the int8 network, its preprocessing, class names and threshold, its origin, its
// results, and golden inputs with the exact sums that every CPU must compute for them. Start with
// [Read], which accepts only a bundle that is signed with a trusted key, and [Bundle.SelfTest],
// which tests the model on this machine.
//
// # The file
//
// Name: *.tire. Integers are big-endian. A file is one bundle and nothing else. Its size is at most
// MaxSize.
//
//	offset  bytes  what
//	     0      8  magic: 89 't' 'i' 'r' 'e' 0d 0a 1a
//	     8      4  format version: 1, or 2 if the content needs it (below)
//	    12      8  key id: the first 8 bytes of the SHA-256 of the signer's public key
//	    20      4  n, the length of the payload
//	    24      n  payload: Bundle as MessagePack
//	  24+n     64  Ed25519 signature of the text "tirewatch bundle\n" and all bytes before it
//
// The keys of the payload are the msg tags of Bundle. A file has version 2 only if it needs one of
// these, so that files of version 1 keep their bytes:
//
//	what needs version 2                          in the payload
//	a network with the words of graph.Version2    model
//	a head with two thresholds                    heads: one Head; threshold repeats its threshold
//	unsure images in the evaluation               evaluation: unsure_crack, unsure_normal
//	a golden input that is drawn                  golden: seed
//	a second opinion                              anomaly, see vision/anomaly
//
// In version 2 a golden input has no pix, but packed (a photograph, see grey.go) or seed (a
// drawing, see Draw). A new optional key belongs in needsVersion2: a program that does not know it
// must refuse the file, and not use half of it. heads is a list of names because a network may
// later have one head for each product type; a program refuses names and numbers of heads that it
// does not run.
//
// The signature covers every byte before it, including the header. Without the private key nobody
// can make a signature that is accepted, so no byte of a file can change unnoticed. The first and
// last bytes of the magic make transfers in text mode fail at once. Unknown keys in the payload's
// map are ignored. hardware and not_after may be absent: such a bundle is valid for every board and
// without a time limit. Before the signature is verified, only the header is read. The same Bundle
// and key always result in the same bytes.
package bundle

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tirewatch/vision/anomaly"
	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
	"tirewatch/vision/preprocess"
	"tirewatch/vision/verdict"
)

//go:generate go tool msgp -io=false -tests=false

// Limits for the number of golden inputs: enough to test the network, few enough to run at every
// start of a station.
const (
	MinGolden = 4
	MaxGolden = 64
)

// Bundle is a model with everything that belongs to it.
type Bundle struct {
	Model infer.Model     `msg:"model"`
	Spec  preprocess.Spec `msg:"spec"`
	// the label below the threshold, then the label above it
	Classes []string `msg:"classes"`
	// probability from which a tire has a crack, between 0 and 1
	Threshold float64 `msg:"threshold"`
	Budget    Budget  `msg:"budget"` // for which the threshold was chosen
	// absent: the default head with Threshold and two answers; see Head
	Heads []Head `msg:"heads,omitempty"`
	// grows with every release; a station refuses a lower one from outside
	Serial  uint64    `msg:"serial"`
	Created time.Time `msg:"created"` // UTC, whole seconds
	// stations for which it is made: "*", or site/line/station with * for any part
	Target string `msg:"target"`

	// Hardware and NotAfter are absent in older bundles. omitempty keeps the bytes of those.
	// boards for which it is made: "" for all, a GOARCH, or GOARCH/KERNEL, see FitsHardware
	Hardware string `msg:"hardware,omitempty"`
	// UTC, whole seconds: no station accepts it later; zero: no limit
	NotAfter time.Time `msg:"not_after,omitempty"`

	Provenance   Provenance   `msg:"provenance"`
	Evaluation   Evaluation   `msg:"evaluation"`
	Quantization Quantization `msg:"quantization"`
	// a station compares its own images with this; nil in older bundles
	Reference *Reference `msg:"reference,omitempty"`
	Golden    []Golden   `msg:"golden"`
	// second opinion from pictures of sound tires; nil: none; since version 2
	Anomaly *anomaly.Model `msg:"anomaly,omitempty"`

	// Properties of the file, set by Encode, Decode and Inspect.
	id     string
	signer Signer
}

// The mistakes that a Budget limits. The names are those of trainer/metrics, which stations do not
// import.
const (
	Escape      = "escape"       // cracks missed
	FalseReject = "false_reject" // sound tires rejected
	UnsureShare = "unsure"       // tires without a decision; only for a Head
)

// Budget is the share of mistakes that the plant accepts. The threshold keeps to it on the images
// of Evaluation.
type Budget struct {
	// Escape or FalseReject; empty if the threshold is that of the checkpoint
	Side  string  `msg:"side" json:"side"`
	Limit float64 `msg:"limit" json:"limit"` // largest share of this mistake
}

// Provenance is the origin of the model.
type Provenance struct {
	// program and version that made the bundle
	Tool string `msg:"tool" json:"tool"`
	// SHA-256 of the checkpoint file, hexadecimal
	Checkpoint string `msg:"checkpoint" json:"checkpoint"`
	// fingerprint of the calibration images
	Data string `msg:"data" json:"data"`
	// number of images on which the activation ranges were measured
	Calibration int `msg:"calibration" json:"calibration"`
	// authors and licence of the weights that the training started from, if they must be named. Only
	// bundles of version 2 have it.
	Origin string `msg:"origin,omitempty" json:"origin,omitempty"`
}

// Evaluation is the result of the int8 network on labelled images, with the bundle's thresholds. A
// crack is the positive class.
type Evaluation struct {
	// the images are test images: calibration and training on this data set did not use them
	HeldOut       bool `msg:"held_out" json:"held_out"`
	TruePositive  int  `msg:"tp" json:"true_positive"`
	FalsePositive int  `msg:"fp" json:"false_positive"`
	TrueNegative  int  `msg:"tn" json:"true_negative"`
	FalseNegative int  `msg:"fn" json:"false_negative"`
	// images without a decision, by their label
	UnsureCrack  int `msg:"unsure_crack,omitempty" json:"unsure_crack,omitempty"`
	UnsureNormal int `msg:"unsure_normal,omitempty" json:"unsure_normal,omitempty"`
}

// Images returns the number of images.
func (e Evaluation) Images() int { return e.Decided() + e.Unsure() }

// Decided returns the number of images with the verdict crack or normal.
func (e Evaluation) Decided() int {
	return e.TruePositive + e.FalsePositive + e.TrueNegative + e.FalseNegative
}

// Unsure returns the number of images without a decision.
func (e Evaluation) Unsure() int { return e.UnsureCrack + e.UnsureNormal }

// Accuracy returns the share of right verdicts on the decided images, 0 without one.
func (e Evaluation) Accuracy() float64 {
	if e.Decided() == 0 {
		return 0
	}
	return float64(e.TruePositive+e.TrueNegative) / float64(e.Decided())
}

// Quantization compares the int8 network with the float network from which it was made, on the same
// images.
type Quantization struct {
	Images        int     `msg:"images" json:"images"`
	FloatAccuracy float64 `msg:"float_accuracy" json:"float_accuracy"`
	Int8Accuracy  float64 `msg:"int8_accuracy" json:"int8_accuracy"`
	// share of images with the same verdict
	Agreement float64 `msg:"agreement" json:"agreement"`
	// largest difference of the two probabilities
	LargestShift float64 `msg:"largest_shift" json:"largest_shift"`
	// mean absolute difference of the two logits
	LogitError float64 `msg:"logit_error" json:"logit_error"`
	// the trained layers without the last, in order
	Layers []LayerQuantization `msg:"layers" json:"layers"`
	// the methods that were tried; Chosen is the index of the one that was used
	Trials []Trial `msg:"trials" json:"trials"`
	Chosen int     `msg:"chosen" json:"chosen"`
}

// Way returns the trial that was used for the model.
func (q *Quantization) Way() Trial {
	if q.Chosen < 0 || q.Chosen >= len(q.Trials) {
		return Trial{}
	}
	return q.Trials[q.Chosen]
}

// Trial is one method to compute the integers, compared with the float network on the calibration
// images.
type Trial struct {
	Method         string  `msg:"method" json:"method"` // calibrate.Method
	BiasCorrection bool    `msg:"bias_correction" json:"bias_correction"`
	Agreement      float64 `msg:"agreement" json:"agreement"`
	LogitError     float64 `msg:"logit_error" json:"logit_error"` // mean absolute difference
}

// LayerQuantization describes how the activations of one layer are mapped to bytes.
type LayerQuantization struct {
	Name string `msg:"name" json:"name"`
	// the activation that becomes 255
	Range float64 `msg:"range" json:"range"`
	// share of activations above Range on the compared images
	Saturated float64 `msg:"saturated" json:"saturated"`
	// ratio of the activations to their error, dB, for this layer and those before; at most MaxSNR
	SNR          float64 `msg:"snr" json:"snr_db"`
	DeadChannels int     `msg:"dead_channels" json:"dead_channels"` // channels whose weights are all 0
}

// MaxSNR limits a signal-to-noise ratio in both directions, dB. A layer without any error has this
// value.
const MaxSNR = 200

// Reference describes the images of the evaluation, as seen by the int8 network and its
// preprocessing.
type Reference struct {
	Brightness Statistic `msg:"brightness" json:"brightness"` // preprocess.Measure
	Sharpness  Statistic `msg:"sharpness" json:"sharpness"`   // preprocess.Measure
	// of the tires with the label normal
	NormalLogit Statistic `msg:"normal_logit" json:"normal_logit"`
	// of the tires with the label crack
	CrackLogit Statistic `msg:"crack_logit" json:"crack_logit"`
}

func (r *Reference) statistics() []Statistic {
	if r == nil {
		return nil
	}
	return []Statistic{r.Brightness, r.Sharpness, r.NormalLogit, r.CrackLogit}
}

// Statistic is the mean and the standard deviation of N values. N is 0 if there are none.
type Statistic struct {
	N    int     `msg:"n" json:"n"`
	Mean float64 `msg:"mean" json:"mean"`
	SD   float64 `msg:"sd" json:"sd"`
}

// ID returns the first 16 hex digits of the file's SHA-256. It is empty before Encode or Decode.
func (b *Bundle) ID() string { return b.id }

// Signer returns the key id in the file. Only Decode proves that this key signed it.
func (b *Bundle) Signer() Signer { return b.signer }

// ErrInvalid marks a bundle with content that cannot be used, signed or not.
var ErrInvalid = errors.New("invalid bundle")

// Validate checks everything that a station relies on. A signature proves who made a bundle, not
// that its content is valid.
func (b *Bundle) Validate() error {
	if err := b.Model.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if err := b.Spec.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if want := (graph.Shape{H: b.Spec.Height, W: b.Spec.Width, C: 1}); b.Model.Graph.Input != want {
		return fmt.Errorf("%w: the preprocessing writes %v, the network reads %v",
			ErrInvalid, want, b.Model.Graph.Input)
	}
	if len(b.Classes) != 2 || b.Classes[0] != string(verdict.Normal) || b.Classes[1] != string(verdict.Crack) {
		return fmt.Errorf("%w: classes %q, want %s and %s", ErrInvalid, b.Classes, verdict.Normal, verdict.Crack)
	}
	if !(b.Threshold > 0 && b.Threshold < 1) {
		return fmt.Errorf("%w: threshold %g, want between 0 and 1", ErrInvalid, b.Threshold)
	}
	if b.Serial == 0 {
		return fmt.Errorf("%w: the serial is 0, want 1 or more", ErrInvalid)
	}
	if y := b.Created.UTC().Year(); y < 2020 || y > 9999 {
		return fmt.Errorf("%w: created in the year %d", ErrInvalid, y)
	}
	if err := checkTarget(b.Target); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if !hardwarePattern.MatchString(b.Hardware) {
		return fmt.Errorf("%w: hardware %.40q, want ARCH or ARCH/KERNEL like arm64/sdot", ErrInvalid, b.Hardware)
	}
	if y := b.NotAfter.UTC().Year(); !b.NotAfter.IsZero() && (!b.NotAfter.After(b.Created) || y > 9999) {
		return fmt.Errorf("%w: not valid after %s, but created on %s",
			ErrInvalid, b.NotAfter.Format(time.DateOnly), b.Created.Format(time.DateOnly))
	}
	if err := b.checkTexts(); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if err := b.checkReports(); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	for _, check := range []func() error{b.checkHeads, b.checkGolden, b.checkPixels, b.checkAnomaly} {
		if err := check(); err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	return nil
}

// maxText limits each text in a bundle, in bytes.
const maxText = 256

// checkTexts refuses texts that could control a terminal or forge a log line.
func (b *Bundle) checkTexts() error {
	texts := []string{b.Target, b.Provenance.Tool, b.Provenance.Checkpoint, b.Provenance.Data,
		b.Provenance.Origin}
	for _, l := range b.Model.Graph.Layers {
		texts = append(texts, l.Name)
	}
	for _, l := range b.Quantization.Layers {
		texts = append(texts, l.Name)
	}
	for _, t := range b.Quantization.Trials {
		texts = append(texts, t.Method)
	}
	for _, t := range texts {
		unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
		if len(t) > maxText || !utf8.ValidString(t) || strings.ContainsFunc(t, unprintable) {
			return fmt.Errorf("text %.40q is not printable or longer than %d bytes", t, maxText)
		}
	}
	return nil
}

// checkReports refuses figures that no evaluation can have. People read them, and programs compare
// them.
func (b *Bundle) checkReports() error {
	e := b.Evaluation
	if min(e.TruePositive, e.FalsePositive, e.TrueNegative, e.FalseNegative, e.UnsureCrack, e.UnsureNormal,
		b.Provenance.Calibration, b.Quantization.Images) < 0 {
		return errors.New("a report has a negative number of images")
	}
	shares := []float64{
		b.Quantization.FloatAccuracy, b.Quantization.Int8Accuracy,
		b.Quantization.Agreement, b.Quantization.LargestShift,
	}
	for _, l := range b.Quantization.Layers {
		shares = append(shares, l.Saturated)
		if !(l.Range > 0) || math.IsInf(l.Range, 0) || l.DeadChannels < 0 || !(math.Abs(l.SNR) <= MaxSNR) {
			return fmt.Errorf("the report of layer %q has an impossible value", l.Name)
		}
	}
	logitErrors := []float64{b.Quantization.LogitError}
	for _, t := range b.Quantization.Trials {
		shares = append(shares, t.Agreement)
		logitErrors = append(logitErrors, t.LogitError)
	}
	for _, e := range logitErrors {
		if !(e >= 0) || math.IsInf(e, 0) {
			return fmt.Errorf("a report has the logit error %g, want 0 or more", e)
		}
	}
	if n := len(b.Quantization.Trials); b.Quantization.Chosen < 0 || b.Quantization.Chosen >= max(n, 1) {
		return fmt.Errorf("trial %d of %d was chosen", b.Quantization.Chosen+1, n)
	}
	for _, s := range b.Reference.statistics() {
		if s.N < 0 || !(s.SD >= 0) || math.IsInf(s.SD, 0) || math.IsNaN(s.Mean) || math.IsInf(s.Mean, 0) {
			return fmt.Errorf("a reference has %d values with mean %g and standard deviation %g, which is impossible",
				s.N, s.Mean, s.SD)
		}
	}
	switch b.Budget.Side {
	case "", Escape, FalseReject:
		shares = append(shares, b.Budget.Limit)
	default:
		return fmt.Errorf("unknown budget %.40q, want escape or false_reject", b.Budget.Side)
	}
	for _, s := range shares {
		if !(s >= 0 && s <= 1) {
			return fmt.Errorf("a report has the share %g, want 0 to 1", s)
		}
	}
	return nil
}

// wild matches every site, line or station in a target.
const wild = "*"

// Targets reports whether the bundle is made for the station with the name site/line/station.
func (b *Bundle) Targets(station string) bool {
	if b.Target == wild {
		return true
	}
	want, have := strings.Split(b.Target, "/"), strings.Split(station, "/")
	if len(want) != len(have) {
		return false
	}
	for i, w := range want {
		if w != wild && w != have[i] {
			return false
		}
	}
	return true
}

// FitsHardware reports whether the bundle is made for a board with this arch (runtime.GOARCH) and
// kernel (Runner.Kernel).
func (b *Bundle) FitsHardware(arch, kernel string) bool {
	wantArch, wantKernel, both := strings.Cut(b.Hardware, "/")
	return b.Hardware == "" || wantArch == arch && (!both || wantKernel == kernel)
}

// hardwarePattern matches the valid values of Hardware.
var hardwarePattern = regexp.MustCompile(`^([a-z0-9]{1,32}(/[a-z0-9]{1,32})?)?$`)

func checkTarget(target string) error {
	if target == wild {
		return nil
	}
	parts := strings.Split(target, "/")
	if len(parts) != 3 {
		return fmt.Errorf("target %q, want * or site/line/station", target)
	}
	for _, p := range parts {
		if p == "" || p != wild && strings.Contains(p, wild) {
			return fmt.Errorf("target %q: each of site/line/station is a name or *", target)
		}
	}
	return nil
}
