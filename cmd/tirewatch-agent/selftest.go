package main

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"tirewatch/agent/models"
	"tirewatch/vision/bundle"
	"tirewatch/vision/infer"
)

func newSelftestCmd() *cobra.Command {
	var path, file string
	var keys []string
	cmd := &cobra.Command{
		Use:   "selftest (--config FILE | --bundle FILE --key PUB)",
		Short: "Run a model's golden inputs on this machine",
		Long: `Selftest verifies a bundle's signature and runs its golden inputs on this machine's CPU: every sum
must equal the recorded one to the last bit. With --config it is the bundle that the station would
work with. It may be used beside a running station.`,
		Example: `  tirewatch-agent selftest --config /etc/tirewatch/station.toml
  tirewatch-agent selftest --bundle monday.tire --key plant.key.pub`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := selectBundle(path, file, keys)
			if err != nil {
				return err
			}
			r, err := b.SelfTest()
			var golden *bundle.GoldenError
			if errors.As(err, &golden) {
				err = withHint(err, "do not trust this machine's verdicts: test its memory, and another build of this program")
			}
			if err != nil {
				return err
			}
			report(cmd, b, r)
			return nil
		},
	}
	cmd.Flags().StringVar(&path, "config", "", "the station's configuration `file`")
	cmd.Flags().StringVar(&file, "bundle", "", "test this bundle `file` instead of the station's")
	cmd.Flags().StringArrayVar(&keys, "key", nil, "public key `file` that the bundle must be signed with; may be repeated")
	return cmd
}

func report(cmd *cobra.Command, b *bundle.Bundle, r *infer.Runner) {
	fmt.Fprintf(cmd.OutOrStdout(), "bundle   serial %d (%s)\nkernel   %s\ngolden   %d of %d sums are equal\n",
		b.Serial, b.ID(), r.Kernel(), len(b.Golden), len(b.Golden))
}

// selectBundle gives the verified bundle that the flags name. Its golden inputs are left to the
// caller.
func selectBundle(path, file string, keys []string) (*bundle.Bundle, error) {
	switch {
	case file == "" && len(keys) > 0:
		return nil, &usageError{errors.New("--key belongs to --bundle")}
	case file != "" && path != "":
		return nil, &usageError{errors.New("--config and --bundle exclude each other")}
	case file != "" && len(keys) == 0:
		return nil, withHint(&usageError{errors.New("--bundle needs --key")}, "name the public key of the bundle's maker, NAME.pub")
	case file != "":
		trusted, err := bundle.ReadPublicKeys(keys)
		if err != nil {
			return nil, err
		}
		return bundle.Read(file, trusted)
	}
	cfg, err := loadConfig(path)
	if err != nil {
		return nil, err
	}
	trusted, err := bundle.ReadPublicKeys(cfg.Model.Keys)
	if err != nil {
		return nil, err
	}
	// Without a self-test of the store's own, so that a failure is this command's result and not a
	// silent fallback.
	verify := func(data []byte) (*models.Loaded, error) {
		b, err := bundle.Decode(data, trusted)
		return &models.Loaded{Bundle: b}, err
	}
	shot, err := models.Inspect(models.Options{Dir: cfg.Model.Dir, Verify: verify, Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		return shot.Active.Bundle, nil
	}
	if errors.Is(err, models.ErrNoModel) && cfg.Model.Initial != "" {
		return bundle.Read(cfg.Model.Initial, trusted)
	}
	return nil, err
}
