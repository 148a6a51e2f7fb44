package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"tirewatch/quantize/bundle"
	"tirewatch/quantize/onnx"
	"tirewatch/trainer/checkpoint"
	"tirewatch/vision/durable"
	"tirewatch/vision/preprocess"
)

func newExportCmd() *cobra.Command {
	var keys []string
	var output string
	cmd := &cobra.Command{
		Use:   "export MODEL -o FILE.onnx",
		Short: "Write a checkpoint or bundle as ONNX for other runtimes",
		Long: `Writes the network as an ONNX file. A checkpoint becomes a float32 graph whose input is the
pixel divided by 255; a bundle becomes an int8 graph whose input is the pixel itself and
whose sums are those of the station to the last bit, in every runtime that keeps to ONNX
(it uses QLinearConv, and QGemm of ONNX Runtime). Input image, outputs probability and logit.

The preprocessing is not part of the graph: the image must be made as the file's metadata
says. A bundle's signature does not travel either.`,
		Example: `  tirewatch export runs/monday/best.ckpt -o float.onnx
  tirewatch export monday.tire --key plant.key.pub -o int8.onnx`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := needFlags(cmd, "output"); err != nil {
				return err
			}
			m, kind, err := exportModel(cmd, args[0], keys)
			if err != nil {
				return err
			}
			data := m.Encode()
			if err := durable.WriteFile(output, data, 0o644); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s  %s  %.2f MiB\n", output, kind, float64(len(data))/(1<<20))
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "ONNX file to write")
	cmd.Flags().StringArrayVar(&keys, "key", nil, "trusted public key of a bundle; may be given more than once")
	return cmd
}

// exportModel reads a checkpoint or a bundle and gives its ONNX form.
func exportModel(cmd *cobra.Command, path string, keyFiles []string) (m *onnx.Model, kind string, err error) {
	data, err := readModel(path)
	if err != nil {
		return nil, "", err
	}
	switch {
	case bundle.IsBundle(data):
		b, err := decodeBundle(cmd, path, data, keyFiles)
		if err != nil {
			return nil, "", err
		}
		if m, err = onnx.Int8(&b.Model); err != nil {
			return nil, "", fmt.Errorf("export %s: %w", path, err)
		}
		describe(m, b.Spec, b.Threshold)
		m.Metadata = append(m.Metadata, onnx.Entry{Key: "serial", Value: fmt.Sprint(b.Serial)}, onnx.Entry{Key: "bundle", Value: b.ID()})
		return m, "int8", nil
	case checkpoint.IsCheckpoint(data) && len(keyFiles) > 0:
		return nil, "", &usageError{errors.New("--key: a checkpoint is not signed")}
	}
	c, err := checkpoint.Decode(data)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", path, err)
	}
	if m, err = onnx.Float(&c.Graph, c.Params); err != nil {
		return nil, "", fmt.Errorf("export %s: %w", path, err)
	}
	describe(m, c.Spec, c.Threshold)
	return m, "float32", nil
}

// describe tells in the file what the graph does not: how its image is made and what its probability means.
func describe(m *onnx.Model, s preprocess.Spec, threshold float64) {
	m.Metadata = append(m.Metadata,
		onnx.Entry{Key: "preprocessing", Value: fmt.Sprintf("grey, %d x %d px, %s filter", s.Width, s.Height, s.Filter)},
		onnx.Entry{Key: "threshold", Value: fmt.Sprint(threshold)})
}
