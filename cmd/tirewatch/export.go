package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

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
	formatAuto    format = "auto"    // by the model and the name of the output
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
		Short: "Write a checkpoint or bundle for other tools: ONNX, or .npz in the layout of Keras",
		Long: `Writes the network for other tools. --format says how; without it the model and the name of
the output decide.

A checkpoint becomes
  float    an ONNX file in float32. Its input is the pixel divided by 255
  npz      for an output named .npz: arrays for numpy.load in the layout of Keras,
           conv1_kernel (height, width, in, out), dense1_kernel (in, out), conv1_bias and so on

A bundle becomes an ONNX file whose input is the pixel itself:
  qlinear  operators on integers, QLinearConv, and QGemm of ONNX Runtime. Its sums are those of
           the station to the last bit, in every runtime that keeps to ONNX
  qdq      Conv and Gemm between QuantizeLinear and DequantizeLinear, for every runtime. To the
           last bit too where the runtime puts integer kernels in their place. One that computes
           in float32 rounds on the way: now and then an activation is a step off, and a verdict
           may differ where the probability is within about that of the threshold

Outputs of ONNX files are probability and logit. The preprocessing is not part of the network:
the image must be made as the file's metadata says. A bundle's signature does not travel either.
tirewatch import reads float and npz back to the same checkpoint, to the bit.`,
		Example: `  tirewatch export runs/monday/best.ckpt -o float.onnx
  tirewatch export runs/monday/best.ckpt -o weights.npz
  tirewatch export monday.tire --key plant.key.pub -o int8.onnx
  tirewatch export monday.tire --key plant.key.pub --format qdq -o qdq.onnx`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := needFlags(cmd, "output"); err != nil {
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
	cmd.Flags().StringVar(&form, "format", string(formatAuto), "float or npz of a checkpoint, qlinear or qdq of a bundle, or auto")
	cmd.Flags().StringArrayVar(&keys, "key", nil, "trusted public key of a bundle; may be given more than once")
	return cmd
}

// exportModel reads a checkpoint or a bundle and gives the bytes for other tools, and their kind
// for people.
func exportModel(cmd *cobra.Command, path string, keyFiles []string, form format, output string) (data []byte, kind string, err error) {
	if form == formatAuto && strings.EqualFold(filepath.Ext(output), ".npz") {
		form = formatNPZ
	}
	switch form {
	case formatAuto, formatFloat, formatNPZ, formatQLinear, formatQDQ:
	default:
		return nil, "", &usageError{fmt.Errorf("--format %q: want auto, float, npz, qlinear or qdq", form)}
	}
	if data, err = readModel(path); err != nil {
		return nil, "", err
	}
	switch {
	case bundle.IsBundle(data):
		return exportBundle(cmd, path, data, keyFiles, form)
	case len(keyFiles) > 0:
		return nil, "", &usageError{errors.New("--key: a checkpoint is not signed")}
	}
	return exportCheckpoint(path, data, form)
}

func exportBundle(cmd *cobra.Command, path string, data []byte, keyFiles []string, form format) ([]byte, string, error) {
	write, kind := onnx.Int8, "int8"
	switch form {
	case formatQDQ:
		write, kind = onnx.Int8QDQ, "int8 as QDQ"
	case formatFloat, formatNPZ:
		return nil, "", withHint(&usageError{fmt.Errorf("%s is a bundle, whose weights are integers: it has no form %s", path, form)},
			"export the checkpoint that it was made of")
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
	m.Metadata = append(m.Metadata, onnx.Entry{Key: "serial", Value: fmt.Sprint(b.Serial)}, onnx.Entry{Key: "bundle", Value: b.ID()})
	return m.Encode(), kind, nil
}

func exportCheckpoint(path string, data []byte, form format) ([]byte, string, error) {
	if form == formatQLinear || form == formatQDQ {
		return nil, "", withHint(&usageError{fmt.Errorf("%s is a checkpoint in float32: it has no form %s", path, form)},
			"tirewatch quantize makes a bundle of it, and that has")
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
	return m.Encode(), "float32", nil
}

// describe tells in the file what the graph does not: how its image is made and what its
// probability means.
func describe(m *onnx.Model, s preprocess.Spec, threshold float64) {
	m.Metadata = append(m.Metadata,
		onnx.Entry{Key: "preprocessing", Value: fmt.Sprintf("grey, %d x %d px, %s filter", s.Width, s.Height, s.Filter)},
		onnx.Entry{Key: onnx.MetaThreshold, Value: fmt.Sprint(threshold)})
}
