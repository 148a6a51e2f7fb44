// Package bundle is the one file that goes to a station: everything a model needs to judge tires,
// signed.
//
//	train -> quantize -> BUNDLE -> push -> station
//
// A bundle holds the int8 network, its preprocessing, class names and threshold, where it comes
// from, how well it did, and golden inputs with the exact sums that every CPU must give for them.
// Newcomers need Read, which trusts nothing that is not signed by a trusted key, and
// Bundle.SelfTest, which tries the model on this machine.
//
// # The file
//
// Name: *.tire. Integers are big-endian. A file is one bundle and nothing else; MaxSize bounds it.
//
//	offset  bytes  what
//	     0      8  magic: 89 't' 'i' 'r' 'e' 0d 0a 1a
//	     8      4  format version, now 1
//	    12      8  key id: the first 8 bytes of the SHA-256 of the signer's public key
//	    20      4  n, the length of the payload
//	    24      n  payload: Bundle as MessagePack
//	  24+n     64  Ed25519 signature of the text "tirewatch bundle\n" and all bytes before it
//
// The signature covers every byte before it, the header included, and nobody without the private
// key can make another one that is accepted, so no byte of a file can change unnoticed. The magic's
// first and last bytes make transfers in text mode fail at once. Keys of the payload's map that a
// program does not know are passed over, and hardware and not_after may be absent: a bundle without
// them is good for every board and for ever. Until the signature is verified nothing but the header
// is looked at. The same Bundle and key always make the same bytes.
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

	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
	"tirewatch/vision/preprocess"
	"tirewatch/vision/verdict"
)

//go:generate go tool msgp -io=false -tests=false

// Limits on the golden inputs: enough to exercise the network, few enough to run at every start of
// a station.
const (
	MinGolden = 4
	MaxGolden = 64
)

// Bundle is a model with all that belongs to it.
type Bundle struct {
	Model infer.Model     `msg:"model"`
	Spec  preprocess.Spec `msg:"spec"`
	// the label of a logit below the threshold, then the one above
	Classes []string `msg:"classes"`
	// probability from which a tire is cracked, between 0 and 1
	Threshold float64 `msg:"threshold"`
	Budget    Budget  `msg:"budget"` // that the threshold was chosen for
	// grows with every release; a station refuses a lower one from outside
	Serial  uint64    `msg:"serial"`
	Created time.Time `msg:"created"` // UTC, whole seconds
	// stations it is made for: "*" or site/line/station with * for any part
	Target string `msg:"target"`

	// Both may be absent, as they are in bundles that were made before there were such fields:
	// omitempty keeps the bytes of those.
	// boards it is made for: "" any, ARCH as Go names it, or ARCH/KERNEL, see FitsHardware
	Hardware string `msg:"hardware,omitempty"`
	// UTC, whole seconds: no station takes it later; zero: no end
	NotAfter time.Time `msg:"not_after,omitempty"`

	Provenance   Provenance   `msg:"provenance"`
	Evaluation   Evaluation   `msg:"evaluation"`
	Quantization Quantization `msg:"quantization"`
	// what a station compares its own images with; nil in older bundles
	Reference *Reference `msg:"reference,omitempty"`
	Golden    []Golden   `msg:"golden"`

	// Of the file; set by Encode, Decode and Inspect.
	id     string
	signer Signer
}

// The sides that a Budget limits, named as in trainer/metrics, which stations do not carry.
const (
	Escape      = "escape"       // cracks missed
	FalseReject = "false_reject" // sound tires rejected
)

// Budget is what the plant can bear. The threshold keeps it on the images of Evaluation.
type Budget struct {
	// Escape or FalseReject; empty when the threshold is the checkpoint's
	Side  string  `msg:"side" json:"side"`
	Limit float64 `msg:"limit" json:"limit"` // largest share of that mistake
}

// Provenance says where the model comes from.
type Provenance struct {
	// program and version that made the bundle
	Tool string `msg:"tool" json:"tool"`
	// SHA-256 of the checkpoint file, hexadecimal
	Checkpoint string `msg:"checkpoint" json:"checkpoint"`
	// fingerprint of the calibration images
	Data string `msg:"data" json:"data"`
	// images that the activation ranges were measured on
	Calibration int `msg:"calibration" json:"calibration"`
}

// Evaluation is the int8 network's result on labelled images, at the bundle's threshold. A crack is
// the positive class.
type Evaluation struct {
	// testing images, which calibration and training on this data set left alone
	HeldOut       bool `msg:"held_out" json:"held_out"`
	TruePositive  int  `msg:"tp" json:"true_positive"`
	FalsePositive int  `msg:"fp" json:"false_positive"`
	TrueNegative  int  `msg:"tn" json:"true_negative"`
	FalseNegative int  `msg:"fn" json:"false_negative"`
}

// Images is the number of images.
func (e Evaluation) Images() int {
	return e.TruePositive + e.FalsePositive + e.TrueNegative + e.FalseNegative
}

// Accuracy is the share of images with the right verdict, 0 without images.
func (e Evaluation) Accuracy() float64 {
	if e.Images() == 0 {
		return 0
	}
	return float64(e.TruePositive+e.TrueNegative) / float64(e.Images())
}

// Quantization compares the int8 network with the float one that it was made from, on the same
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
	// the trained layers but the last, in order
	Layers []LayerQuantization `msg:"layers" json:"layers"`
	// the ways that were tried; Chosen is the index of the one taken
	Trials []Trial `msg:"trials" json:"trials"`
	Chosen int     `msg:"chosen" json:"chosen"`
}

// Way is the trial that the model was made by.
func (q *Quantization) Way() Trial {
	if q.Chosen < 0 || q.Chosen >= len(q.Trials) {
		return Trial{}
	}
	return q.Trials[q.Chosen]
}

// Trial is one way to make the integers, measured against the float network on the calibration
// images.
type Trial struct {
	Method         string  `msg:"method" json:"method"` // calibrate.Method
	BiasCorrection bool    `msg:"bias_correction" json:"bias_correction"`
	Agreement      float64 `msg:"agreement" json:"agreement"`
	LogitError     float64 `msg:"logit_error" json:"logit_error"` // mean absolute difference
}

// LayerQuantization says how one layer's activations were mapped to bytes.
type LayerQuantization struct {
	Name string `msg:"name" json:"name"`
	// the activation that becomes 255
	Range float64 `msg:"range" json:"range"`
	// share of activations above Range on the compared images
	Saturated float64 `msg:"saturated" json:"saturated"`
	// dB, of the activations to their error, of this layer and those before; at most MaxSNR
	SNR          float64 `msg:"snr" json:"snr_db"`
	DeadChannels int     `msg:"dead_channels" json:"dead_channels"` // channels without any weight
}

// MaxSNR bounds a signal-to-noise ratio in both directions, dB: a layer without any error has this.
const MaxSNR = 200

// Reference describes the images of the evaluation as the int8 network and its preprocessing see
// them.
type Reference struct {
	Brightness Statistic `msg:"brightness" json:"brightness"` // preprocess.Measure
	Sharpness  Statistic `msg:"sharpness" json:"sharpness"`   // preprocess.Measure
	// of the tires that are judged sound
	NormalLogit Statistic `msg:"normal_logit" json:"normal_logit"`
	// of the tires that are judged cracked
	CrackLogit Statistic `msg:"crack_logit" json:"crack_logit"`
}

func (r *Reference) statistics() []Statistic {
	if r == nil {
		return nil
	}
	return []Statistic{r.Brightness, r.Sharpness, r.NormalLogit, r.CrackLogit}
}

// Statistic is the mean and the standard deviation of N values; N is 0 when there is none.
type Statistic struct {
	N    int     `msg:"n" json:"n"`
	Mean float64 `msg:"mean" json:"mean"`
	SD   float64 `msg:"sd" json:"sd"`
}

// Golden is an input with the sum that every CPU must give for it.
type Golden struct {
	Pix []byte `msg:"pix"` // Spec.Size() bytes, made by preprocess
	Sum int32  `msg:"sum"` // of the last layer
}

// ID identifies the file: the first 16 hex digits of its SHA-256. Empty before Encode or Decode.
func (b *Bundle) ID() string { return b.id }

// Signer is the key that the file names. Only Decode proves that it signed.
func (b *Bundle) Signer() Signer { return b.signer }

// ErrInvalid marks a bundle whose content cannot be used, signed or not.
var ErrInvalid = errors.New("unusable bundle")

// Validate checks everything that a station relies on. A signature says who made a bundle, not that
// it makes sense.
func (b *Bundle) Validate() error {
	if err := b.Model.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if err := b.Spec.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if want := (graph.Shape{H: b.Spec.Height, W: b.Spec.Width, C: 1}); b.Model.Graph.Input != want {
		return fmt.Errorf("%w: preprocessing makes %v, the network reads %v", ErrInvalid, want, b.Model.Graph.Input)
	}
	if len(b.Classes) != 2 || b.Classes[0] != string(verdict.Normal) || b.Classes[1] != string(verdict.Crack) {
		return fmt.Errorf("%w: classes %q, want %s and %s", ErrInvalid, b.Classes, verdict.Normal, verdict.Crack)
	}
	if !(b.Threshold > 0 && b.Threshold < 1) {
		return fmt.Errorf("%w: threshold %g, want between 0 and 1", ErrInvalid, b.Threshold)
	}
	if b.Serial == 0 {
		return fmt.Errorf("%w: no serial", ErrInvalid)
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
		return fmt.Errorf("%w: it ends on %s and was created on %s", ErrInvalid, b.NotAfter.Format(time.DateOnly), b.Created.Format(time.DateOnly))
	}
	if err := b.checkTexts(); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if err := b.checkReports(); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if n := len(b.Golden); n < MinGolden || n > MaxGolden {
		return fmt.Errorf("%w: %d golden inputs, want %d to %d", ErrInvalid, n, MinGolden, MaxGolden)
	}
	for i, g := range b.Golden {
		if len(g.Pix) != b.Spec.Size() {
			return fmt.Errorf("%w: golden input %d has %d bytes, want %d", ErrInvalid, i+1, len(g.Pix), b.Spec.Size())
		}
	}
	return nil
}

// maxText bounds each text in a bundle, in bytes.
const maxText = 256

// checkTexts refuses texts that would take over a terminal or a log line.
func (b *Bundle) checkTexts() error {
	texts := []string{b.Target, b.Provenance.Tool, b.Provenance.Checkpoint, b.Provenance.Data}
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
		if len(t) > maxText || !utf8.ValidString(t) || strings.ContainsFunc(t, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return fmt.Errorf("text %.40q is too long or not printable", t)
		}
	}
	return nil
}

// checkReports refuses figures that no evaluation can give; they are shown to people and compared
// by programs.
func (b *Bundle) checkReports() error {
	e := b.Evaluation
	if min(e.TruePositive, e.FalsePositive, e.TrueNegative, e.FalseNegative, b.Provenance.Calibration, b.Quantization.Images) < 0 {
		return errors.New("a report counts less than no images")
	}
	shares := []float64{b.Quantization.FloatAccuracy, b.Quantization.Int8Accuracy, b.Quantization.Agreement, b.Quantization.LargestShift}
	for _, l := range b.Quantization.Layers {
		shares = append(shares, l.Saturated)
		if !(l.Range > 0) || math.IsInf(l.Range, 0) || l.DeadChannels < 0 || !(math.Abs(l.SNR) <= MaxSNR) {
			return fmt.Errorf("the report of layer %q makes no sense", l.Name)
		}
	}
	logitErrors := []float64{b.Quantization.LogitError}
	for _, t := range b.Quantization.Trials {
		shares = append(shares, t.Agreement)
		logitErrors = append(logitErrors, t.LogitError)
	}
	for _, e := range logitErrors {
		if !(e >= 0) || math.IsInf(e, 0) {
			return fmt.Errorf("a report holds the logit error %g", e)
		}
	}
	if n := len(b.Quantization.Trials); b.Quantization.Chosen < 0 || b.Quantization.Chosen >= max(n, 1) {
		return fmt.Errorf("way %d of %d was chosen", b.Quantization.Chosen+1, n)
	}
	for _, s := range b.Reference.statistics() {
		if s.N < 0 || !(s.SD >= 0) || math.IsInf(s.SD, 0) || math.IsNaN(s.Mean) || math.IsInf(s.Mean, 0) {
			return fmt.Errorf("a reference of %d values with mean %g and deviation %g makes no sense", s.N, s.Mean, s.SD)
		}
	}
	switch b.Budget.Side {
	case "", Escape, FalseReject:
		shares = append(shares, b.Budget.Limit)
	default:
		return fmt.Errorf("unknown budget %.40q", b.Budget.Side)
	}
	for _, s := range shares {
		if !(s >= 0 && s <= 1) {
			return fmt.Errorf("a report holds the share %g, want 0 to 1", s)
		}
	}
	return nil
}

// wild stands for every site, line or station in a target.
const wild = "*"

// Targets tells whether the bundle is made for the station, named site/line/station.
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

// FitsHardware tells whether the bundle is made for a board: arch is runtime.GOARCH, kernel what
// Runner.Kernel says.
func (b *Bundle) FitsHardware(arch, kernel string) bool {
	wantArch, wantKernel, both := strings.Cut(b.Hardware, "/")
	return b.Hardware == "" || wantArch == arch && (!both || wantKernel == kernel)
}

// hardwarePattern is what Hardware may be.
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
