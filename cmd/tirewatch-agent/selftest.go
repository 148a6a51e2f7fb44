package main

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"tirewatch/agent/models"
	"tirewatch/cmd/internal/cli"
	"tirewatch/vision/bundle"
	"tirewatch/vision/infer"
	"tirewatch/vision/kernel"
)

func newSelftestCmd() *cobra.Command {
	var path, file string
	var keys []string
	cmd := &cobra.Command{
		Use:   "selftest (--config FILE | --bundle FILE --key PUB)",
		Short: "Run a model's golden inputs on this machine",
		Long: `Selftest verifies the signature of a bundle and runs its golden inputs on the processor of this
machine: every sum must be equal to the last bit. With --config it tests the bundle that the
station would use. It can run beside a running station.`,
		Example: `  tirewatch-agent selftest --config /etc/tirewatch/station.toml
  tirewatch-agent selftest --bundle monday.tire --key plant.key.pub`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := selectBundle(cmd, path, file, keys)
			if err != nil {
				return err
			}
			r, err := b.SelfTest()
			var golden *bundle.GoldenError
			if errors.As(err, &golden) {
				err = cli.Hint(err,
					"do not trust the verdicts of this machine; test its memory, and try "+kernel.Env+"=generic")
			}
			if err != nil {
				return err
			}
			report(cmd, b, r)
			return nil
		},
	}
	addConfigFlag(cmd, &path)
	cmd.Flags().StringVar(&file, "bundle", "", "test this bundle `file` instead of the station's")
	cmd.Flags().StringArrayVar(&keys, "key", nil, "public key `file` that must have signed the bundle; may be repeated")
	cli.ExitCode(cmd, cli.Failed, "A sum differs, or the bundle cannot be read or verified.")
	cli.Files(cmd, modelFolder)
	cli.Environment(cmd, kernelVariable)
	return cmd
}

func report(cmd *cobra.Command, b *bundle.Bundle, r *infer.Runner) {
	fmt.Fprintf(cmd.OutOrStdout(), "bundle   serial %d (%s)\nkernel   %s\ngolden   %d of %d sums are equal\n",
		b.Serial, b.ID(), r.Kernel(), len(b.Golden), len(b.Golden))
}

// selectBundle returns the verified bundle that the flags name. The caller runs its golden inputs.
func selectBundle(cmd *cobra.Command, path, file string, keys []string) (*bundle.Bundle, error) {
	switch {
	case file == "" && len(keys) > 0:
		return nil, cli.Usagef("--key needs --bundle")
	case file != "" && path != "":
		return nil, cli.Usagef("--config and --bundle exclude each other")
	case file != "" && len(keys) == 0:
		return nil, cli.Hint(cli.Usagef("--bundle needs --key"),
			"name the public key of the person who signed the bundle, NAME.pub")
	case file != "":
		trusted, err := bundle.ReadPublicKeys(keys)
		if err != nil {
			return nil, err
		}
		return bundle.Read(file, trusted)
	}
	cfg, err := loadConfig(cmd, path)
	if err != nil {
		return nil, err
	}
	trusted, err := bundle.ReadPublicKeys(cfg.Model.Keys)
	if err != nil {
		return nil, err
	}
	// The store must not run the self-test: a failure is the result of this command, and must not
	// make the store fall back to the other slot.
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
