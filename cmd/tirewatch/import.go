package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"tirewatch/cmd/internal/cli"
	"tirewatch/cmd/internal/version"
	"tirewatch/quantize/npz"
	"tirewatch/quantize/onnx"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/nn"
	"tirewatch/vision/bundle"
	"tirewatch/vision/graph"
	"tirewatch/vision/preprocess"
)

// importFlags say what the file of another tool does not say.
type importFlags struct {
	out    string
	crack  int     // class of cracks, -1 without the flag
	logits bool    // the network ends before its sigmoid or softmax
	white  float64 // value of a white pixel, 0 without the flag
}

func newImportCmd() *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:   "import FILE -o MODEL.ckpt",
		Short: "Import a network of another tool: ONNX, or .npz in the layout of Keras",
		Long: `Makes a checkpoint from a network that was trained with another tool. evaluate, quantize and
classify accept it, and so does train --finetune if it is the network of the thesis.

ONNX files can be written by PyTorch (torch.onnx.export) or for Keras (tf2onnx). The network must be
a chain of convolutions, max pools and dense layers with ReLU, on grey images of one size, in
float32, that ends in one output with a sigmoid or in two outputs with a softmax. The axes can
have any order. A file of tirewatch export gets the same network and weights again, to the bit.

An .npz archive contains the arrays of the thesis network as tirewatch export writes them, or of any
other network if export wrote it: conv1_kernel (height, width, in, out), conv1_bias,
dense1_kernel (in, out), dense1_bias and so on, in float32.

The file does not say which class is crack. --crack-class names it. Without the flag, a single
output is the probability of a crack; with --crack-class 0 it is the probability of a sound tire.
Keras numbers the folders in alphabetical order: crack is 0, normal is 1.

Images are prepared as for the networks trained here: the whole tire in grey, reduced to the size
of the network, black is 0 and white is 1. If the network was trained with another value for
white, name it, for example --white 255.`,
		Example: `  tirewatch import keras.onnx -o keras.ckpt --crack-class 0
  tirewatch import torch.onnx -o torch.ckpt --logits --crack-class 1
  tirewatch import weights.npz -o weights.ckpt
  tirewatch evaluate keras.ckpt photos/`,
		Args: cli.Args("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error { return runImport(cmd, args[0], f) },
	}
	fl := cmd.Flags()
	fl.StringVarP(&f.out, "output", "o", "", "checkpoint to write")
	fl.IntVar(&f.crack, "crack-class", -1, "class of cracks, 0 or 1; a single output is the probability of class 1")
	fl.BoolVar(&f.logits, "logits", false,
		"the network ends in logits, because sigmoid or softmax was part of the loss")
	fl.Float64Var(&f.white, "white", 0, "value of a white pixel in training (default: 1, or 255 if the input is bytes)")
	return cmd
}

func runImport(cmd *cobra.Command, path string, f importFlags) error {
	if err := cli.Require(cmd, "output"); err != nil {
		return err
	}
	if cmd.Flags().Changed("crack-class") && f.crack != 0 && f.crack != 1 {
		return cli.Usagef("--crack-class %d: want 0 or 1", f.crack)
	}
	if cmd.Flags().Changed("white") && !(f.white > 0) {
		return cli.Usagef("--white %g: want a positive number", f.white)
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

// readForeign reads the kind of a file from its first bytes, and then the file.
func readForeign(data []byte, f importFlags) (*onnx.Network, string, error) {
	switch {
	case checkpoint.IsCheckpoint(data), bundle.IsBundle(data):
		return nil, "", errors.New("it already is a file of tirewatch")
	case bytes.HasPrefix(data, []byte("PK")):
		if f.logits || f.white != 0 {
			return nil, "", cli.Usagef("--logits and --white are only for ONNX files")
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

// importHint says what the user can do about an error.
func importHint(err error) error {
	var op *onnx.OperatorError
	switch {
	case errors.Is(err, onnx.ErrQuantized):
		return cli.Hint(err, "import the float32 network that it was made from; tirewatch quantize quantizes it again")
	case errors.Is(err, onnx.ErrWhichCrack):
		return cli.Hint(err,
			"add --crack-class 0 or 1; Keras numbers the folders in alphabetical order, crack before normal")
	case errors.Is(err, onnx.ErrLogits):
		return cli.Hint(err, "add --logits if the loss contained it in training")
	case errors.Is(err, onnx.ErrDamaged), errors.Is(err, npz.ErrDamaged):
		return cli.Hint(err, "import reads .onnx files and .npz archives; check that the file was copied completely")
	case errors.As(err, &op), errors.Is(err, onnx.ErrCannotHold):
		return cli.Hint(err,
			"only chains of convolutions, max pools and dense layers with ReLU, on grey images, can be imported; "+
				"see tirewatch import --help")
	case errors.Is(err, npz.ErrArrays):
		return cli.Hint(err, "tirewatch import --help lists the arrays and their shapes")
	}
	return err
}

// importedCheckpoint makes a checkpoint without a history.
func importedCheckpoint(n *onnx.Network, kind string, data []byte) *checkpoint.Checkpoint {
	sum := sha256.Sum256(data)
	in := n.Graph.Input
	c := &checkpoint.Checkpoint{
		Graph: n.Graph, Params: n.Params, Threshold: n.Threshold,
		Spec: preprocess.Spec{Width: in.W, Height: in.H, Filter: preprocess.FilterTriangle},
		Config: checkpoint.Config{Imported: kind + " file, SHA-256 " + hex.EncodeToString(sum[:]),
			Tool:    version.String(),
			Created: time.Now().UTC().Truncate(time.Second)},
		Origin: n.Origin, Licence: n.Licence,
	}
	if c.Threshold == 0 {
		c.Threshold = 0.5
	}
	return c
}

// tellImport prints what was found, and what was assumed.
func tellImport(cmd *cobra.Command, c *checkpoint.Checkpoint, n *onnx.Network, kind string, f importFlags) {
	parameters := 0
	for _, p := range c.Params {
		parameters += len(p.Data)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s  from %s  %d layers, %d parameters  grey %d x %d px  threshold %g\n",
		f.out, kind, len(c.Graph.Layers), parameters, c.Spec.Width, c.Spec.Height, c.Threshold)
	stderr := cmd.ErrOrStderr()
	if n.Threshold == 0 { // tirewatch export did not write it
		if f.crack < 0 {
			fmt.Fprintln(stderr,
				"note: the output is used as the probability of a crack; add --crack-class 0 if it is that of a "+
					"sound tire")
		}
		fmt.Fprintln(stderr,
			"note: the file states no threshold, 0.5 is used; check it on your images with tirewatch evaluate")
	}
	if c.RequireGraph(graph.Thesis()) != nil {
		fmt.Fprintln(stderr,
			"note: it is not the network of the thesis: train does not accept it, all other commands do")
	}
}
