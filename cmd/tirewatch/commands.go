package main

import "github.com/spf13/cobra"

// commands lists the toolbox in the order in which a technician needs it.
func commands() []*cobra.Command {
	return []*cobra.Command{
		newDatasetCmd(),
		newTrainCmd(),
		newEvaluateCmd(),
		newCompareCmd(),
		newClassifyCmd(),
		newKeygenCmd(),
		newQuantizeCmd(),
		newVerifyCmd(),
		newInspectCmd(),
		newBaseCmd(),
		newBenchCmd(),
		newExportCmd(),
		newImportCmd(),
		newPushCmd(),
		newWatchCmd(),
		newStationCmd(),
		newDemoCmd(),
	}
}
