package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"tirewatch/agent/provision"
	"tirewatch/agent/web"
)

func newPasswordCmd() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "password",
		Short: "Make a password file for the station's page",
		Long: `Password asks twice for a password and writes what page.password_file or page.viewer_password_file
names: not the password, but what it can be recognized by (Argon2id). A changed file counts from the
next log-in on. Without a terminal the first line of the standard input is the password.`,
		Example: `  sudo tirewatch-agent password -o /etc/tirewatch/page.password
  sudo tirewatch-agent password -o /etc/tirewatch/viewer.password`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if path == "" {
				return withHint(&usageError{errors.New("no file given")}, "name it with -o /etc/tirewatch/page.password")
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
			fmt.Fprintf(cmd.ErrOrStderr(), "%s is written\n", path)
			return nil
		},
	}
	cmd.Flags().StringVarP(&path, "out", "o", "", "the `file` to write")
	return cmd
}

// askPassword reads a password: from a terminal twice and without showing it, else a line.
func askPassword(in io.Reader, out io.Writer) (string, error) {
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		var said [2]string
		for i, text := range []string{"Password (not shown): ", "Once more: "} {
			fmt.Fprint(out, text)
			password, err := term.ReadPassword(int(f.Fd()))
			fmt.Fprintln(out)
			if err != nil {
				return "", fmt.Errorf("read the password: %w", err)
			}
			said[i] = string(password)
		}
		if said[0] != said[1] {
			return "", errors.New("the two passwords differ, nothing is written")
		}
		return said[0], nil
	}
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", fmt.Errorf("read the password: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}
