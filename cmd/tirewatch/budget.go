package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"tirewatch/trainer/metrics"
)

// budgetFlags are the two ways to state what a plant can bear.
type budgetFlags struct{ maxEscape, maxFalseReject string }

func (f *budgetFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.maxEscape, "max-escape", "", "choose the threshold: at most this share of cracks missed, e.g. 1%")
	cmd.Flags().StringVar(&f.maxFalseReject, "max-false-reject", "", "choose the threshold: at most this share of sound tires rejected, e.g. 2%")
}

// budget gives nil when the technician did not state one.
func (f *budgetFlags) budget(cmd *cobra.Command) (*metrics.Budget, error) {
	escape, reject := cmd.Flags().Changed("max-escape"), cmd.Flags().Changed("max-false-reject")
	b, flag, text := metrics.Budget{Side: metrics.Escape}, "--max-escape", f.maxEscape
	switch {
	case escape && reject:
		return nil, withHint(&usageError{errors.New("--max-escape and --max-false-reject together leave nothing to choose")},
			"state the one that matters more; the other side's cost is printed")
	case reject:
		b, flag, text = metrics.Budget{Side: metrics.FalseReject}, "--max-false-reject", f.maxFalseReject
	case !escape:
		return nil, nil
	}
	var err error
	if b.Limit, err = metrics.ParseShare(text); err != nil {
		return nil, &usageError{fmt.Errorf("%s %w", flag, err)}
	}
	return &b, nil
}

// budgetHint says what to do where no threshold keeps the budget.
func budgetHint(err error) error {
	var b *metrics.BudgetError
	if errors.As(err, &b) {
		return withHint(err, "a larger budget, more photographs or a better model; tirewatch evaluate shows what this one can do")
	}
	return err
}
