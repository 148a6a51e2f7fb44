package main

import (
	"errors"

	"github.com/spf13/cobra"

	"tirewatch/cmd/internal/cli"
	"tirewatch/trainer/metrics"
)

// budgetFlags are the two limits that a plant can set for the threshold.
type budgetFlags struct{ maxEscape, maxFalseReject string }

func (f *budgetFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.maxEscape, "max-escape", "",
		"choose the threshold: miss at most this share of the cracks, for example 1%")
	cmd.Flags().StringVar(&f.maxFalseReject, "max-false-reject", "",
		"choose the threshold: reject at most this share of the sound tires, for example 2%")
}

// budget returns nil when no limit was set.
func (f *budgetFlags) budget(cmd *cobra.Command) (*metrics.Budget, error) {
	escape, reject := cmd.Flags().Changed("max-escape"), cmd.Flags().Changed("max-false-reject")
	b, flag, text := metrics.Budget{Side: metrics.Escape}, "--max-escape", f.maxEscape
	switch {
	case escape && reject:
		return nil, cli.Hint(cli.Usagef("--max-escape and --max-false-reject exclude each other"),
			"set the limit that matters more; the report prints the rate of the other side")
	case reject:
		b, flag, text = metrics.Budget{Side: metrics.FalseReject}, "--max-false-reject", f.maxFalseReject
	case !escape:
		return nil, nil
	}
	var err error
	if b.Limit, err = metrics.ParseShare(text); err != nil {
		return nil, cli.Usagef("%s %w", flag, err)
	}
	return &b, nil
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
