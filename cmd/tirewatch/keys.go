package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"tirewatch/vision/bundle"
)

func newKeygenCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "keygen FILE",
		Short: "Make a key pair that signs bundles",
		Long: `Makes an Ed25519 key pair: FILE is the private key, which signs bundles and stays with you, and
FILE.pub the public key, which goes to every station that shall trust your bundles.

Keep a copy of the private key in a safe place. Without it no new bundle can be signed for
the stations that trust it.`,
		Example: `  tirewatch keygen plant.key`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			public, err := bundle.GenerateKey(args[0])
			if errors.Is(err, fs.ErrExist) {
				return withHint(err, "a key is never replaced; choose another name or move the old key away")
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "private key  %s\npublic key   %s.pub\nkey id       %v\n", args[0], args[0], bundle.KeyID(public))
			return nil
		},
	}
}

func newVerifyCmd() *cobra.Command {
	var keys []string
	cmd := &cobra.Command{
		Use:   "verify FILE --key PUB",
		Short: "Check a bundle's signature and run its golden inputs",
		Long: `Checks that a bundle was signed by one of the given keys and not changed since, then runs its
golden inputs on this machine: their sums must be exact to the last bit. A station does
the same before it takes a bundle.`,
		Example: `  tirewatch verify monday.tire --key plant.key.pub`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := needFlags(cmd, "key"); err != nil {
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
	cmd.Flags().StringArrayVar(&keys, "key", nil, "trusted public key; may be given more than once")
	return cmd
}

// readTrusted reads a bundle that one of the keys must have signed.
func readTrusted(path string, keys []string) (*bundle.Bundle, error) {
	trusted, err := bundle.ReadPublicKeys(keys)
	if err != nil {
		return nil, withHint(err, "tirewatch keygen writes the public key beside the private one, as FILE.pub")
	}
	b, err := bundle.Read(path, trusted)
	switch {
	case errors.Is(err, bundle.ErrUntrustedKey):
		ids := ""
		for _, k := range trusted {
			ids += fmt.Sprintf(" %v", bundle.KeyID(k))
		}
		err = withHint(err, "you trust"+ids)
	case errors.Is(err, bundle.ErrBadSignature), errors.Is(err, bundle.ErrTruncated):
		err = withHint(err, "copy the file again from where it was made; do not use it as it is")
	case errors.As(err, new(*bundle.VersionError)):
		err = withHint(err, "update this program")
	}
	return b, err
}

// readUnverified reads a bundle that anyone may have written.
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
		err = withHint(err, "chmod 600 "+path)
	case errors.Is(err, fs.ErrNotExist):
		err = withHint(err, "tirewatch keygen "+path+" makes a new key")
	}
	return key, err
}
