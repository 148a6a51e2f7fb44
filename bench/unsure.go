package main

import (
	"fmt"
	"io"
	"path/filepath"
	"text/tabwriter"

	"tirewatch/trainer/crossval"
	"tirewatch/trainer/metrics"
)

// mostUnsure is the share of unsure tires of the second table.
const mostUnsure = 0.15

// printUnsure prints what each network reaches with three answers. Each fold is judged with the
// thresholds that were chosen on the others, so a few more tires may be unsure.
func printUnsure(w io.Writer, candidates []candidate, out string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\nat most %g %% unsure\tright of the decided\tunsure\tcracks called sound\tsound called cracked\n", 100*mostUnsure)
	for _, c := range candidates {
		scores, err := crossval.ReadScores(filepath.Join(out, c.name, "scores.csv"))
		if err != nil {
			return err
		}
		r, err := crossval.ChooseBand(scores, []metrics.Budget{{Side: metrics.UnsureShare, Limit: mostUnsure}})
		if err != nil {
			fmt.Fprintf(t, "%s\t%v\n", c.name, err)
			continue
		}
		share := func(r metrics.Rate) float64 { return float64(r.Count) / float64(max(r.Of, 1)) }
		a := r.OutOfFold
		fmt.Fprintf(t, "%s\t%.3f (%.3f to %.3f)\t%.3f\t%.3f\t%.3f\n", c.name, share(r.Decided), r.Decided.Low, r.Decided.High,
			share(r.Unsure), share(a.Escape()), share(a.FalseReject()))
	}
	return t.Flush()
}
