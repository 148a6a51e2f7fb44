package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"tirewatch/cmd/internal/cli"
	"tirewatch/internal/durable"
	"tirewatch/quantize/npz"
	"tirewatch/quantize/onnx"
	"tirewatch/trainer/checkpoint"
	"tirewatch/vision/bundle"
	"tirewatch/vision/preprocess"
)

// format is a form of the exported network.
type format string

const (
	formatAuto    format = "auto"    // chosen by the model and the name of the output
	formatFloat   format = "float"   // ONNX of a checkpoint
	formatNPZ     format = "npz"     // arrays of a checkpoint
	formatQLinear format = "qlinear" // ONNX of a bundle, operators on integers
	formatQDQ     format = "qdq"     // ONNX of a bundle, pairs around operators on float32
)

func newExportCmd() *cobra.Command {
	var keys []string
	var output, form string
	cmd := &cobra.Command{
		Use:   "export MODEL -o FILE.onnx",
		Short: "Export a checkpoint or bundle: ONNX, or .npz in the layout of Keras",
		Long: `Writes the network for other tools. --format selects the form; without it the model and the name of
the output decide.

Forms of a checkpoint:

  float    ONNX in float32. The input is the pixel divided by 255. Default.
  npz      Arrays for numpy.load in the layout of Keras: conv1_kernel (height, width, in, out),
           dense1_kernel (in, out), conv1_bias and so on. Default for an output named .npz.

Forms of a bundle, both ONNX with the pixel itself as the input:

  qlinear  Integer operators: QLinearConv, and QGemm of ONNX Runtime. Every runtime that follows
           ONNX computes the sums of the station, equal to the last bit. Default.
  qdq      Conv and Gemm between QuantizeLinear and DequantizeLinear, for every runtime. Equal to
           the last bit if the runtime replaces them with integer kernels. A runtime that computes
           in float32 rounds: an activation may differ by one step, and so may a verdict whose
           probability is very close to the threshold.

The outputs of an ONNX file are probability and logit. The preprocessing is not part of the network:
prepare the image as the metadata of the file says. The signature of a bundle is not exported.
tirewatch import reads float and npz back into the same checkpoint, to the bit.`,
		Example: `  tirewatch export runs/monday/best.ckpt -o float.onnx
  tirewatch export runs/monday/best.ckpt -o weights.npz
  tirewatch export monday.tire --key plant.key.pub -o int8.onnx
  tirewatch export monday.tire --key plant.key.pub --format qdq -o qdq.onnx`,
		Args: cli.Args("MODEL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := cli.Require(cmd, "output"); err != nil {
				return err
			}
			data, kind, err := exportModel(cmd, args[0], keys, format(form), output)
			if err != nil {
				return err
			}
			if err := durable.WriteFile(output, data, 0o644); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s  %s  %.2f MiB\n", output, kind, float64(len(data))/(1<<20))
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write")
	cmd.Flags().StringVar(&form, "format", string(formatAuto),
		"float or npz for a checkpoint, qlinear or qdq for a bundle, or auto")
	addKeyFlag(cmd, &keys)
	return cmd
}

// exportModel reads a checkpoint or a bundle, and returns the bytes for other tools and a name of
// their form for people.
func exportModel(cmd *cobra.Command, path string, keyFiles []string, form format,
	output string) (data []byte, kind string, err error) {
	if form == formatAuto && strings.EqualFold(filepath.Ext(output), ".npz") {
		form = formatNPZ
	}
	switch form {
	case formatAuto, formatFloat, formatNPZ, formatQLinear, formatQDQ:
	default:
		return nil, "", cli.Usagef("--format %q: want auto, float, npz, qlinear or qdq", form)
	}
	if data, err = readModel(path); err != nil {
		return nil, "", err
	}
	switch {
	case bundle.IsBundle(data):
		return exportBundle(cmd, path, data, keyFiles, form)
	case len(keyFiles) > 0:
		return nil, "", cli.Usagef("--key: a checkpoint has no signature")
	}
	return exportCheckpoint(path, data, form)
}

func exportBundle(cmd *cobra.Command, path string, data []byte, keyFiles []string,
	form format) ([]byte, string, error) {
	write, kind := onnx.Int8, "int8"
	switch form {
	case formatQDQ:
		write, kind = onnx.Int8QDQ, "int8 as QDQ"
	case formatFloat, formatNPZ:
		return nil, "", cli.Hint(cli.Usagef("--format %s: %s is a bundle, and its weights are integers", form, path),
			"export the checkpoint that it was made from")
	}
	b, err := decodeBundle(cmd, path, data, keyFiles)
	if err != nil {
		return nil, "", err
	}
	m, err := write(&b.Model)
	if err != nil {
		return nil, "", fmt.Errorf("export %s: %w", path, err)
	}
	describe(m, b.Spec, b.Threshold)
	describeOrigin(m, b.Provenance.Origin, "")
	m.Metadata = append(m.Metadata, onnx.Entry{Key: "serial", Value: fmt.Sprint(b.Serial)},
		onnx.Entry{Key: "bundle", Value: b.ID()})
	return m.Encode(), kind, nil
}

func exportCheckpoint(path string, data []byte, form format) ([]byte, string, error) {
	if form == formatQLinear || form == formatQDQ {
		return nil, "", cli.Hint(cli.Usagef("--format %s: %s is a checkpoint in float32", form, path),
			"make a bundle with tirewatch quantize, and export that")
	}
	c, err := checkpoint.Decode(data)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", path, err)
	}
	if form == formatNPZ {
		if data, err = npz.Encode(&npz.Content{Graph: c.Graph, Params: c.Params, Threshold: c.Threshold}); err != nil {
			return nil, "", fmt.Errorf("export %s: %w", path, err)
		}
		return data, "float32 arrays in the layout of Keras", nil
	}
	m, err := onnx.Float(&c.Graph, c.Params)
	if err != nil {
		return nil, "", fmt.Errorf("export %s: %w", path, err)
	}
	describe(m, c.Spec, c.Threshold)
	describeOrigin(m, c.Origin, c.Licence)
	return m.Encode(), "float32", nil
}

// describe adds to the file what the graph does not contain: the preprocessing and the threshold.
func describe(m *onnx.Model, s preprocess.Spec, threshold float64) {
	m.Metadata = append(m.Metadata,
		onnx.Entry{Key: "preprocessing", Value: fmt.Sprintf("grey, %d x %d px, %s filter", s.Width, s.Height, s.Filter)},
		onnx.Entry{Key: onnx.MetaThreshold, Value: fmt.Sprint(threshold)})
}

// describeOrigin names the authors of the weights, who must be named wherever the weights go.
func describeOrigin(m *onnx.Model, origin, licence string) {
	for _, e := range []onnx.Entry{{Key: onnx.MetaOrigin, Value: origin}, {Key: onnx.MetaLicence, Value: licence}} {
		if e.Value != "" {
			m.Metadata = append(m.Metadata, e)
		}
	}
}
