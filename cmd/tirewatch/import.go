package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"tirewatch/cmd/internal/version"
	"tirewatch/quantize/npz"
	"tirewatch/quantize/onnx"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/nn"
	"tirewatch/vision/bundle"
	"tirewatch/vision/graph"
	"tirewatch/vision/preprocess"
)

// importFlags say what a file of another tool leaves open.
type importFlags struct {
	out    string
	crack  int     // class, -1 when it was not said
	logits bool    // the file ends before its sigmoid or softmax
	white  float64 // value of a white pixel, 0 when it was not said
}

func newImportCmd() *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:   "import FILE -o MODEL.ckpt",
		Short: "Make a checkpoint of a network from another tool: ONNX, or .npz in the layout of Keras",
		Long: `Makes a checkpoint of a network that was trained elsewhere, for evaluate, quantize, classify
and, when it is the network of the thesis, train --finetune.

ONNX files may come from PyTorch (torch.onnx.export) or from Keras (tf2onnx): a chain of
convolutions, max pools and dense layers with ReLU, on grey images of one size, in float32,
that ends in one output with a sigmoid or in two with a softmax. Axes may be in any order.
Files of tirewatch export come back to the same network and weights, to the bit.

An .npz archive holds the arrays of the thesis' network as export writes them (or of any
network, when export wrote it): conv1_kernel (height, width, in, out), conv1_bias,
dense1_kernel (in, out), dense1_bias and so on, float32.

A file does not say which class is crack. Of two outputs --crack-class names it; one output is
taken for the probability of a crack unless --crack-class 0 says that it is the probability
of a sound tire. Keras numbers folders in the order of the alphabet: crack is 0, normal is 1.

Images are made as for the networks trained here: the whole tire in grey, shrunk to the
network's size, black 0 and white 1. Where a network was trained on other values of white,
--white 255 says so.`,
		Example: `  tirewatch import keras.onnx -o keras.ckpt --crack-class 0
  tirewatch import torch.onnx -o torch.ckpt --logits --crack-class 1
  tirewatch import weights.npz -o weights.ckpt
  tirewatch evaluate keras.ckpt photos/`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runImport(cmd, args[0], f) },
	}
	fl := cmd.Flags()
	fl.StringVarP(&f.out, "output", "o", "", "checkpoint to write")
	fl.IntVar(&f.crack, "crack-class", -1, "which class is crack, 0 or 1; a single output is the probability of class 1")
	fl.BoolVar(&f.logits, "logits", false, "the network ends in its logits, because the loss had the sigmoid or softmax")
	fl.Float64Var(&f.white, "white", 0, "value of a white pixel that the network was trained on (default 1, or 255 for an input of bytes)")
	return cmd
}

func runImport(cmd *cobra.Command, path string, f importFlags) error {
	if err := needFlags(cmd, "output"); err != nil {
		return err
	}
	if cmd.Flags().Changed("crack-class") && f.crack != 0 && f.crack != 1 {
		return &usageError{fmt.Errorf("--crack-class %d: want 0 or 1", f.crack)}
	}
	if cmd.Flags().Changed("white") && !(f.white > 0) {
		return &usageError{fmt.Errorf("--white %g: want a positive number", f.white)}
	}
	data, err := checkpoint.ReadFile(path)
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	n, kind, err := readForeign(data, f)
	if err != nil {
		return importHint(fmt.Errorf("import %s: %w", path, err))
	}
	c := importedCheckpoint(n, kind, data)
	if err := checkpoint.Write(f.out, c); err != nil {
		return err
	}
	tellImport(cmd, c, n, kind, f)
	return nil
}

// readForeign tells the kind of a file by its first bytes and reads it.
func readForeign(data []byte, f importFlags) (*onnx.Network, string, error) {
	switch {
	case checkpoint.IsCheckpoint(data), bundle.IsBundle(data):
		return nil, "", errors.New("it is a file of tirewatch already")
	case bytes.HasPrefix(data, []byte("PK")):
		if f.logits || f.white != 0 {
			return nil, "", &usageError{errors.New("--logits and --white are for ONNX files")}
		}
		c, err := npz.Decode(data)
		if err != nil {
			return nil, "", err
		}
		if f.crack == 0 {
			nn.OtherClass(c.Params)
		}
		return &onnx.Network{Graph: c.Graph, Params: c.Params, Threshold: c.Threshold}, "npz", nil
	}
	m, err := onnx.Decode(data)
	if err != nil {
		return nil, "", err
	}
	n, err := onnx.Import(m, onnx.Options{Crack: onnx.Class(f.crack + 1), Logits: f.logits, Largest: f.white})
	return n, "ONNX", err
}

// importHint says what may be done about an error.
func importHint(err error) error {
	var op *onnx.OperatorError
	switch {
	case errors.Is(err, onnx.ErrQuantized):
		return withHint(err, "import the float32 network that it was made of; tirewatch quantize makes integers of it again")
	case errors.Is(err, onnx.ErrWhichCrack):
		return withHint(err, "--crack-class 0 or 1 says it; Keras numbers folders in the order of the alphabet, crack before normal")
	case errors.Is(err, onnx.ErrLogits):
		return withHint(err, "--logits adds it, when the loss had it in training")
	case errors.Is(err, onnx.ErrDamaged), errors.Is(err, npz.ErrDamaged):
		return withHint(err, "import reads .onnx files and .npz archives; was the file copied whole?")
	case errors.As(err, &op), errors.Is(err, onnx.ErrCannotHold):
		return withHint(err, "a network here is a chain of convolutions, max pools and dense layers with ReLU, on grey images; tirewatch import --help says more")
	case errors.Is(err, npz.ErrArrays):
		return withHint(err, "tirewatch import --help lists the arrays and their shapes")
	}
	return err
}

// importedCheckpoint is a checkpoint without a training.
func importedCheckpoint(n *onnx.Network, kind string, data []byte) *checkpoint.Checkpoint {
	sum := sha256.Sum256(data)
	in := n.Graph.Input
	c := &checkpoint.Checkpoint{
		Graph: n.Graph, Params: n.Params, Threshold: n.Threshold,
		Spec: preprocess.Spec{Width: in.W, Height: in.H, Filter: preprocess.FilterTriangle},
		Config: checkpoint.Config{Imported: kind + " file, SHA-256 " + hex.EncodeToString(sum[:]), Tool: version.String(),
			Created: time.Now().UTC().Truncate(time.Second)},
	}
	if c.Threshold == 0 {
		c.Threshold = 0.5
	}
	return c
}

// tellImport says what was found, and what was taken for granted.
func tellImport(cmd *cobra.Command, c *checkpoint.Checkpoint, n *onnx.Network, kind string, f importFlags) {
	parameters := 0
	for _, p := range c.Params {
		parameters += len(p.Data)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s  from %s  %d layers, %d parameters  grey %d x %d px  threshold %g\n",
		f.out, kind, len(c.Graph.Layers), parameters, c.Spec.Width, c.Spec.Height, c.Threshold)
	stderr := cmd.ErrOrStderr()
	if n.Threshold == 0 { // the file is not one of ours
		if f.crack < 0 {
			fmt.Fprintln(stderr, "note: the output is taken for the probability of a crack; --crack-class 0 if it is that of a sound tire")
		}
		fmt.Fprintln(stderr, "note: the file states no threshold; tirewatch evaluate tells on your photographs whether 0.5 is right")
	}
	if c.RequireGraph(graph.Thesis()) != nil {
		fmt.Fprintln(stderr, "note: it is not the network of the thesis: everything but train takes it")
	}
}
