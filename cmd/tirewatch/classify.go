package main

import (
	"cmp"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"tirewatch/cmd/internal/cli"
	"tirewatch/vision/imagefile"
	"tirewatch/vision/verdict"
)

// classified is one line of classify --json.
type classified struct {
	Image       string        `json:"image"`
	Label       verdict.Label `json:"label,omitempty"`
	Reason      string        `json:"reason,omitempty"` // unsure, for no_decision
	Probability float64       `json:"probability"`
	Error       string        `json:"error,omitempty"`
}

func newClassifyCmd() *cobra.Command {
	var keys []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "classify MODEL IMAGE...",
		Short: "Label images as crack or normal",
		Long: `Prints one line for each image: the label, the probability of a crack, the file. The label is crack,
normal, or unsure if the model has two thresholds and the probability is between them; in JSON,
unsure is the label no_decision with the reason unsure. For an image that cannot be read, a line goes to standard error; the other images are still classified, and the
command fails at the end.`,
		Example: `  tirewatch classify monday.tire shift2/*.jpg --key plant.key.pub
  tirewatch classify runs/monday/best.ckpt tire.jpg --json`,
		Args: cli.Args("MODEL", "IMAGE..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := openModel(cmd, args[0], keys)
			if err != nil {
				return err
			}
			return classify(cmd, m, args[1:], asJSON)
		},
	}
	addKeyFlag(cmd, &keys)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	cli.ExitCode(cmd, cli.Failed, "The model or at least one image could not be read.")
	cli.Environment(cmd, kernelVariable)
	return cmd
}

func classify(cmd *cobra.Command, m *model, images []string, asJSON bool) error {
	score, err := m.newScorer()
	if err != nil {
		return err
	}
	policy := verdict.Policy{Threshold: m.band.Threshold, SoundBelow: m.band.SoundBelow}
	pix := make([]byte, m.spec.Size())
	out := json.NewEncoder(cmd.OutOrStdout())
	failed := 0
	for _, name := range images {
		if err := cmd.Context().Err(); err != nil {
			return err
		}
		c := classified{Image: name}
		logit, err := classifyFile(m, score, name, pix)
		if err != nil {
			failed++
			c.Error = err.Error()
			leaveOut(cmd, []error{err})
		} else {
			c.Label, c.Probability = policy.Label(verdict.Probability(logit))
			if c.Label == verdict.NoDecision {
				c.Reason = verdict.Unsure
			}
		}
		switch {
		case asJSON:
			err = out.Encode(c)
		case err == nil:
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%-6s  %.4f  %s\n", cmp.Or(c.Reason, string(c.Label)), c.Probability, name)
		default:
			continue
		}
		if err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d images could not be read", failed, len(images))
	}
	return nil
}

func classifyFile(m *model, score scorer, name string, pix []byte) (float64, error) {
	f, err := imagefile.Read(name)
	if err != nil {
		return 0, err
	}
	if err := m.spec.Apply(pix, f, f.Bounds()); err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return score(pix)
}
