package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"tirewatch/cmd/internal/cli"
	"tirewatch/vision/bundle"
)

func newKeygenCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keygen FILE",
		Short: "Make a key pair that signs bundles",
		Long: `Makes an Ed25519 key pair. FILE is the private key: it signs bundles and stays with you. FILE.pub is
the public key: copy it to every station that must trust your bundles.

Keep a copy of the private key in a safe place. Without it nobody can sign a new bundle for the
stations that trust it.`,
		Example: `  tirewatch keygen plant.key`,
		Args:    cli.Args("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			public, err := bundle.GenerateKey(args[0])
			if errors.Is(err, fs.ErrExist) {
				return cli.Hint(err, "a key is never replaced: choose another name, or move the old key away")
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "private key  %s\npublic key   %s.pub\nkey id       %v\n", args[0],
				args[0], bundle.KeyID(public))
			return nil
		},
	}
	cli.ExitCode(cmd, cli.Failed, "FILE or FILE.pub exists, or cannot be written.")
	cli.Files(cmd, cli.Note{Name: "FILE", Text: "The private key. Only its owner may read it."},
		cli.Note{Name: "FILE.pub", Text: "The public key, for --key and for model.keys of the stations."})
	return cmd
}

func newVerifyCmd() *cobra.Command {
	var keys []string
	cmd := &cobra.Command{
		Use:   "verify FILE --key PUB",
		Short: "Check a bundle's signature and run its golden inputs",
		Long: `Checks that one of the given keys signed the bundle and that it was not changed since. Then it runs
the bundle's golden inputs on this machine: every sum must be equal to the last bit. A station
does the same before it accepts a bundle.`,
		Example: `  tirewatch verify monday.tire --key plant.key.pub`,
		Args:    cli.Args("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := cli.Require(cmd, "key"); err != nil {
				return err
			}
			b, err := readTrusted(args[0], keys)
			if err != nil {
				return err
			}
			r, err := b.SelfTest()
			if err != nil {
				return fmt.Errorf("verify %s: %w", args[0], err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: good signature, serial %d, id %s; %d golden inputs exact (kernel %s)\n",
				args[0], b.Serial, b.ID(), len(b.Golden), r.Kernel())
			return nil
		},
	}
	addKeyFlag(cmd, &keys)
	cli.ExitCode(cmd, cli.Failed, "No key signed the bundle, it was changed, or this machine computes other sums.")
	cli.Environment(cmd, kernelVariable)
	return cmd
}

func addKeyFlag(cmd *cobra.Command, keys *[]string) {
	cmd.Flags().StringArrayVar(keys, "key", nil,
		"public key that must have signed the bundle, NAME.pub; may be repeated")
}

// readTrusted reads a bundle that one of the keys must have signed.
func readTrusted(path string, keys []string) (*bundle.Bundle, error) {
	trusted, err := bundle.ReadPublicKeys(keys)
	if err != nil {
		return nil, cli.Hint(err, "tirewatch keygen writes the public key beside the private one, as FILE.pub")
	}
	b, err := bundle.Read(path, trusted)
	return b, bundleHint(err, trusted)
}

// bundleHint says what to do when a bundle does not verify with the trusted keys.
func bundleHint(err error, trusted []ed25519.PublicKey) error {
	switch {
	case errors.Is(err, bundle.ErrUntrustedKey):
		var ids []string
		for _, k := range trusted {
			ids = append(ids, bundle.KeyID(k).String())
		}
		return cli.Hint(err, "the trusted keys are "+strings.Join(ids, ", "))
	case errors.Is(err, bundle.ErrBadSignature), errors.Is(err, bundle.ErrTruncated):
		return cli.Hint(err, "do not use this file; copy it again from where it was made")
	case errors.As(err, new(*bundle.VersionError)):
		return cli.Hint(err, "update this program")
	}
	return err
}

// readUnverified reads a bundle without checking who wrote it.
func readUnverified(path string) (*bundle.Bundle, error) {
	data, err := bundle.ReadFile(path)
	if err != nil {
		return nil, err
	}
	b, err := bundle.Inspect(data)
	if err != nil {
		return nil, fmt.Errorf("inspect %s: %w", path, err)
	}
	return b, nil
}

// readPrivateKey reads the key that signs.
func readPrivateKey(path string) (ed25519.PrivateKey, error) {
	key, err := bundle.ReadPrivateKey(path)
	switch {
	case errors.Is(err, bundle.ErrKeyExposed):
		err = cli.Hint(err, "chmod 600 "+path)
	case errors.Is(err, fs.ErrNotExist):
		err = cli.Hint(err, "tirewatch keygen "+path+" makes a new key")
	}
	return key, err
}
