package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tirewatch/cmd/internal/cli"
	"tirewatch/quantize/report"
	"tirewatch/trainer/checkpoint"
	"tirewatch/vision/anomaly"
	"tirewatch/vision/bundle"
	"tirewatch/vision/graph"
	"tirewatch/vision/preprocess"
)

func newInspectCmd() *cobra.Command {
	var keys []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Show the content of a bundle or checkpoint",
		Long: `Shows the network layer by layer, its sizes, the thresholds, how it was made and how well it did.
With --key the signature of a bundle is checked first. Without --key the content is shown as the
file states it, and anybody may have written that.`,
		Example: `  tirewatch inspect monday.tire --key plant.key.pub
  tirewatch inspect runs/monday/best.ckpt --json`,
		Args: cli.Args("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := inspect(args[0], keys)
			if err != nil {
				return err
			}
			if asJSON {
				return cli.JSON(cmd.OutOrStdout(), v)
			}
			return v.write(cmd.OutOrStdout())
		},
	}
	addKeyFlag(cmd, &keys)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, for programs")
	return cmd
}

// view is what inspect shows. Fields that a kind of file does not have are empty.
type view struct {
	File      string          `json:"file"`
	Kind      string          `json:"kind"` // bundle or checkpoint
	Bytes     int64           `json:"bytes"`
	Graph     string          `json:"graph"` // hash
	Layers    []layerView     `json:"layers"`
	Params    int             `json:"parameters"`
	LiveMACs  int             `json:"multiply_accumulates"` // for one image, only over the live regions
	Spec      preprocess.Spec `json:"preprocessing"`
	Threshold float64         `json:"threshold"`
	// of a model with three answers
	SoundBelow float64 `json:"sound_below,omitempty"`

	Bundle     *bundleView     `json:"bundle,omitempty"`
	Checkpoint *checkpointView `json:"checkpoint,omitempty"`
}

type layerView struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	Output string `json:"output"`
	Live   string `json:"live"` // the part of the output that is used later, and computed
	Params int    `json:"parameters"`
}

type bundleView struct {
	Signature    string              `json:"signature"` // verified or not checked
	Key          string              `json:"key"`       // the id that the file states
	ID           string              `json:"id"`
	Serial       uint64              `json:"serial"`
	Created      time.Time           `json:"created"`
	Target       string              `json:"target"`
	Hardware     string              `json:"hardware,omitempty"`
	NotAfter     time.Time           `json:"not_after,omitzero"`
	Golden       int                 `json:"golden_inputs"`
	Provenance   bundle.Provenance   `json:"provenance"`
	Version      uint32              `json:"format_version"`
	Head         string              `json:"head"`
	Budget       *bundle.Budget      `json:"budget,omitempty"`  // the limit that the threshold was chosen for
	Budgets      []bundle.Budget     `json:"budgets,omitempty"` // the limits of two thresholds
	Evaluation   bundle.Evaluation   `json:"evaluation"`
	Quantization bundle.Quantization `json:"quantization"`
	Second       *anomaly.Result     `json:"second_opinion,omitempty"` // of a bundle that has one

	second *anomaly.Model
	head   bundle.Head
}

type checkpointView struct {
	SHA256    string            `json:"sha256"`
	Epoch     int               `json:"epoch"`
	BestEpoch int               `json:"best_epoch"`
	Config    checkpoint.Config `json:"config"`
	Best      *checkpoint.Epoch `json:"best,omitempty"`
	Origin    string            `json:"origin,omitempty"`  // of the first weights
	Licence   string            `json:"licence,omitempty"` // of the first weights, many lines
}

const (
	signatureVerified  = "verified"
	signatureUnchecked = "not checked"
)

// inspect reads the kind of a file from its first bytes.
func inspect(path string, keys []string) (*view, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("inspect: %w", err)
	}
	defer f.Close()
	head := make([]byte, 8)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("inspect %s: %w", path, err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("inspect %s: %w", path, err)
	}
	v := &view{File: path, Bytes: info.Size()}
	switch head = head[:n]; {
	case bundle.IsBundle(head):
		return v, v.addBundle(path, keys)
	case checkpoint.IsCheckpoint(head) && len(keys) > 0:
		return nil, cli.Usagef("--key: a checkpoint has no signature")
	case checkpoint.IsCheckpoint(head):
		return v, v.addCheckpoint(path)
	}
	return nil, cli.Hint(fmt.Errorf("inspect %s: neither a bundle nor a checkpoint", path),
		"tirewatch quantize makes bundles, tirewatch train makes checkpoints")
}

func (v *view) addBundle(path string, keys []string) error {
	b, signature := (*bundle.Bundle)(nil), signatureUnchecked
	var err error
	if len(keys) > 0 {
		signature = signatureVerified
		b, err = readTrusted(path, keys)
	} else {
		b, err = readUnverified(path)
	}
	if err != nil {
		return err
	}
	h := b.Head()
	v.Kind, v.Spec, v.Threshold, v.SoundBelow = "bundle", b.Spec, h.Threshold, h.SoundBelow
	v.Bundle = &bundleView{Signature: signature, Key: b.Signer().String(), ID: b.ID(), Serial: b.Serial,
		Created: b.Created, Target: b.Target, Version: b.Version(), Head: h.Name,
		Hardware: b.Hardware, NotAfter: b.NotAfter,
		Golden: len(b.Golden), Provenance: b.Provenance, Evaluation: b.Evaluation, Quantization: b.Quantization}
	if b.Budget.Side != "" {
		v.Bundle.Budget = &b.Budget
	} else {
		v.Bundle.Budgets = h.Budgets
	}
	v.Bundle.head = h
	if b.Anomaly != nil {
		v.Bundle.second, v.Bundle.Second = b.Anomaly, &b.Anomaly.Result
	}
	return v.addGraph(&b.Model.Graph)
}

func (v *view) addCheckpoint(path string) error {
	c, sum, err := readCheckpoint(path)
	if err != nil {
		return err
	}
	v.Kind, v.Spec, v.Threshold = "checkpoint", c.Spec, c.Threshold
	v.Checkpoint = &checkpointView{SHA256: sum, Epoch: c.Epoch, BestEpoch: c.BestEpoch, Config: c.Config,
		Origin: c.Origin, Licence: c.Licence}
	if i := c.BestEpoch - 1; i >= 0 && i < len(c.History) {
		v.Checkpoint.Best = &c.History[i]
	}
	return v.addGraph(&c.Graph)
}

func (v *view) addGraph(g *graph.Graph) error {
	steps, err := g.Plan()
	if err != nil {
		return err
	}
	for _, s := range steps {
		v.Layers = append(v.Layers, layerView{s.Name, string(s.Kind), s.Out.String(), s.LiveOut.String(), s.Params()})
	}
	v.Graph = g.Hash().String()
	v.Params, _, v.LiveMACs = graph.Totals(steps)
	return nil
}

// write prints the view for people.
func (v *view) write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, name+"\t"+format+"\n", args...) }
	row("file", "%s, %d bytes", v.Kind, v.Bytes)
	if v.Bundle != nil {
		v.Bundle.write(row)
	}
	if v.Checkpoint != nil {
		v.Checkpoint.write(row)
	}
	if v.SoundBelow > 0 {
		row("thresholds", "sound below %g, crack from %g, unsure between", v.SoundBelow, v.Threshold)
	} else {
		row("threshold", "%g", v.Threshold)
	}
	row("preprocessing", "grey, %d x %d px, %s filter", v.Spec.Width, v.Spec.Height, v.Spec.Filter)
	row("network", "%s, %d parameters, %.1f million multiply-accumulates per image", v.Graph, v.Params,
		float64(v.LiveMACs)/1e6)
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	fmt.Fprintln(t, "layer\tkind\toutput\tcomputed\tparameters")
	for _, l := range v.Layers {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\n", l.Name, l.Kind, l.Output, l.Live, l.Params)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if v.Checkpoint != nil && v.Checkpoint.Licence != "" {
		fmt.Fprintf(w, "\nlicence\n%s\n", strings.TrimSpace(v.Checkpoint.Licence))
	}
	if v.Bundle == nil {
		return nil
	}
	fmt.Fprintln(w)
	if err := report.WriteChoice(w, v.Bundle.head, v.Bundle.Evaluation); err != nil {
		return err
	}
	return report.Write(w, v.Bundle.Quantization, v.Bundle.Evaluation)
}

// rowFunc prints one line of a table of names and values.
type rowFunc func(name, format string, args ...any)

func (b *bundleView) write(row rowFunc) {
	if b.Signature == signatureVerified {
		row("signature", "good, by key %s", b.Key)
	} else {
		row("signature", "not checked, because --key is missing; the file states key %s, and nothing below is proven",
			b.Key)
	}
	row("serial", "%d", b.Serial)
	row("id", "%s", b.ID)
	row("created", "%s by %s", b.Created.Format(time.RFC3339), b.Provenance.Tool)
	row("made for", "%s", b.Target)
	if b.Hardware != "" {
		row("hardware", "%s", b.Hardware)
	}
	if !b.NotAfter.IsZero() {
		row("accepted until", "%s", b.NotAfter.Format(time.RFC3339))
	}
	row("from checkpoint", "%s", b.Provenance.Checkpoint)
	if b.Provenance.Origin != "" {
		row("origin", "%s", b.Provenance.Origin)
	}
	row("calibrated on", "%d images of data set %s", b.Provenance.Calibration, b.Provenance.Data)
	row("golden inputs", "%d", b.Golden)
	if b.second != nil {
		row("second opinion", "%s", secondOpinionText(b.second))
	}
	row("format", "version %d, head %s", b.Version, b.Head)
}

func (c *checkpointView) write(row rowFunc) {
	row("SHA-256", "%s", c.SHA256)
	made := c.Config.Created.Format(time.RFC3339)
	switch {
	case c.Config.Imported != "" && c.Config.Created.IsZero(): // the same bytes at every time
		row("converted", "from a %s", c.Config.Imported)
	case c.Config.Imported != "":
		row("imported", "from an %s, %s by %s", c.Config.Imported, made, c.Config.Tool)
	default:
		row("trained", "%d of %d epochs, started %s by %s", c.Epoch, c.Config.Epochs, made, c.Config.Tool)
		row("data set", "%s", c.Config.Data)
	}
	if c.Origin != "" {
		row("origin", "%s", c.Origin)
	}
	if c.Config.Pretrained != "" {
		row("fine-tuned from", "%s, frozen layers %v", firstWeights(c.Config), c.Config.Frozen)
	}
	if c.Best != nil {
		row("best epoch", "%d: validation loss %.4f, accuracy %.2f %%", c.BestEpoch, c.Best.ValLoss,
			100*c.Best.ValAccuracy)
	}
}
