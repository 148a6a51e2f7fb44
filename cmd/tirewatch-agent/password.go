package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"tirewatch/agent/provision"
	"tirewatch/agent/web"
	"tirewatch/cmd/internal/cli"
)

func newPasswordCmd() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "password",
		Short: "Make a password file for the station's page",
		Long: `Password asks twice for a password and writes the file for page.password_file or
page.viewer_password_file. The file contains a hash of the password (Argon2id), not the password.
A new password is valid from the next log-in. Without a terminal the password is the first line of
standard input.`,
		Example: `  sudo tirewatch-agent password -o /etc/tirewatch/page.password
  sudo tirewatch-agent password -o /etc/tirewatch/viewer.password`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if path == "" {
				return cli.Hint(cli.Require(cmd, "out"), "name the file, for example -o /etc/tirewatch/page.password")
			}
			password, err := askPassword(cmd.InOrStdin(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			line, err := web.Hash(password)
			if err != nil {
				return err
			}
			if err := provision.WriteSecret(path, []byte(line+"\n")); err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%s written\n", path)
			return nil
		},
	}
	cmd.Flags().StringVarP(&path, "out", "o", "", "the `file` to write")
	return cmd
}

// askPassword reads a password: twice and without showing it on a terminal, otherwise one line.
func askPassword(in io.Reader, out io.Writer) (string, error) {
	if f, ok := cli.Terminal(in); ok {
		var typed [2]string
		for i, text := range []string{"Password (not shown): ", "Again: "} {
			fmt.Fprint(out, text)
			password, err := term.ReadPassword(int(f.Fd()))
			fmt.Fprintln(out)
			if err != nil {
				return "", fmt.Errorf("read the password: %w", err)
			}
			typed[i] = string(password)
		}
		if typed[0] != typed[1] {
			return "", errors.New("the two passwords differ, no file was written")
		}
		return typed[0], nil
	}
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", fmt.Errorf("read the password: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}
