// Command tirewatch is the technician's toolbox: data sets, training, quantizing, signing and
// pushing models.
//
// A file here is a command: its flags, its help and its output. The work is done by packages of
// trainer, quantize, vision and agent. Package cli has the rules for errors and exit codes.
package main

import (
	"github.com/spf13/cobra"

	"tirewatch/cmd/internal/cli"
	"tirewatch/vision/kernel"
)

func main() { cli.Main(newRootCmd()) }

func newRootCmd() *cobra.Command {
	root := &cobra.Command{
		Use:   "tirewatch",
		Short: "Train, quantize, sign and push tire inspection models",
		Long: `tirewatch is the technician's toolbox for tire inspection stations.

From photographs to a station in five commands:

  tirewatch dataset check photos/
  tirewatch train photos/ --out runs/monday
  tirewatch keygen plant.key
  tirewatch quantize runs/monday/best.ckpt --calibration photos/ --key plant.key -o monday.tire
  tirewatch push monday.tire --broker mqtt://broker:1883 --station hamburg/line1/station3`,
	}
	root.AddCommand(commands()...)
	return root
}

// Variables that several commands read.
var (
	kernelVariable = cli.Note{Name: kernel.Env,
		Text: "The instruction set to compute with: generic, avx2 or avx512vnni on a PC, " +
			"generic, neon or sdot on an ARM board. Without it the fastest one is used."}
	tempVariable = cli.Note{Name: "TMPDIR",
		Text: "The folder for images that do not fit in memory, 144 kB each. The default is /tmp."}
)
