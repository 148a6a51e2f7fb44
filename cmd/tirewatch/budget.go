package main

import (
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"tirewatch/cmd/internal/cli"
	"tirewatch/trainer/metrics"
)

// budgetFlags are the limits that a plant can set for the thresholds.
type budgetFlags struct{ maxEscape, maxFalseReject, maxUnsure string }

func (f *budgetFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.maxEscape, "max-escape", "",
		"choose the threshold: miss at most this share of the cracks, for example 1%")
	cmd.Flags().StringVar(&f.maxFalseReject, "max-false-reject", "",
		"choose the threshold: reject at most this share of the sound tires, for example 2%; "+
			"with --max-escape: choose two thresholds, tires between them are unsure")
	cmd.Flags().StringVar(&f.maxUnsure, "max-unsure", "",
		"choose two thresholds: leave at most this share of the tires unsure, for example 15%")
}

// budgets returns the limits that were set.
func (f *budgetFlags) budgets(cmd *cobra.Command) (budgets []metrics.Budget, err error) {
	for _, limit := range []struct {
		flag, text string
		side       metrics.Side
	}{
		{"max-escape", f.maxEscape, metrics.Escape},
		{"max-false-reject", f.maxFalseReject, metrics.FalseReject},
		{"max-unsure", f.maxUnsure, metrics.UnsureShare},
	} {
		if !cmd.Flags().Changed(limit.flag) {
			continue
		}
		share, err := metrics.ParseShare(limit.text)
		if err != nil {
			return nil, cli.Usagef("--%s %w", limit.flag, err)
		}
		budgets = append(budgets, metrics.Budget{Side: limit.side, Limit: share})
	}
	return budgets, nil
}

// budgetFlag returns the name of the flag of a limit.
func budgetFlag(b metrics.Budget) string {
	return map[metrics.Side]string{
		metrics.Escape: "max-escape", metrics.FalseReject: "max-false-reject", metrics.UnsureShare: "max-unsure",
	}[b.Side]
}

// twoThresholds reports whether the limits ask for two thresholds.
func twoThresholds(budgets []metrics.Budget) bool {
	return len(budgets) > 1 ||
		slices.ContainsFunc(budgets, func(b metrics.Budget) bool { return b.Side == metrics.UnsureShare })
}

// chosen is the choice of one or of two thresholds, if a limit was set.
type chosen struct {
	Choice *metrics.Choice     `json:"choice,omitempty"`
	Band   *metrics.BandChoice `json:"two_thresholds,omitempty"`
}

// choose chooses the thresholds. Without a limit it returns those of the model.
func (c *chosen) choose(scores []float64, labels []bool, budgets []metrics.Budget,
	band metrics.Band) (metrics.Band, error) {
	var err error
	switch {
	case len(budgets) == 0:
		return band, nil
	case twoThresholds(budgets):
		if c.Band, err = metrics.ChooseBand(scores, labels, budgets); err != nil {
			return band, budgetHint(err)
		}
		return c.Band.Band, nil
	}
	if c.Choice, err = metrics.Choose(scores, labels, budgets[0]); err != nil {
		return band, budgetHint(err)
	}
	return metrics.Band{Threshold: c.Choice.Threshold}, nil
}

func (c *chosen) String() string {
	switch {
	case c.Choice != nil:
		return "\n" + c.Choice.String()
	case c.Band != nil:
		return "\n" + c.Band.String()
	}
	return ""
}

// budgetHint says what to do when no threshold keeps the limit.
func budgetHint(err error) error {
	if _, ok := errors.AsType[*metrics.BudgetError](err); ok {
		return cli.Hint(err,
			"set a higher limit, add photographs or train a better model; tirewatch evaluate shows the rates of "+
				"this model")
	}
	return err
}
