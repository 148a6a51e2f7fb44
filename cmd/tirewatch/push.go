package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"tirewatch/agent/config"
	"tirewatch/agent/message"
	"tirewatch/agent/uplink"
	"tirewatch/cmd/internal/cli"
)

// brokerFlags name the broker and the login, as [mqtt] does for a station.
type brokerFlags struct{ mqtt config.MQTT }

func addBrokerFlags(c *cobra.Command) *brokerFlags {
	f := new(brokerFlags)
	c.Flags().StringVar(&f.mqtt.Broker, "broker", "", "mqtt://HOST[:1883], or mqtts://HOST[:8883] for TLS")
	c.Flags().StringVar(&f.mqtt.Root, "root", "tirewatch",
		"first part of every topic, as in the stations' configuration")
	c.Flags().StringVar(&f.mqtt.Username, "user", "", "user name at the broker")
	c.Flags().StringVar(&f.mqtt.PasswordFile, "password-file", "", "file with the password; no other user may read it")
	c.Flags().StringVar(&f.mqtt.CAFile, "ca", "", "PEM file with the certificate authority of the broker")
	c.Flags().StringVar(&f.mqtt.CertFile, "cert", "", "PEM client certificate, if the broker asks for one")
	c.Flags().StringVar(&f.mqtt.KeyFile, "key", "", "PEM key of the client certificate")
	cli.Environment(c, cli.Note{Name: "CREDENTIALS_DIRECTORY",
		Text: "The folder of systemd credentials, for --password-file credential:NAME."})
	return f
}

// check refuses wrong flags before anything is done.
func (f *brokerFlags) check(c *cobra.Command) error {
	if err := cli.Require(c, "broker"); err != nil {
		return cli.Hint(err, "name the broker that the stations send to, for example --broker mqtt://192.168.0.10")
	}
	switch {
	case (f.mqtt.CertFile == "") != (f.mqtt.KeyFile == ""):
		return cli.Usagef("--cert and --key need each other")
	case f.mqtt.PasswordFile != "" && f.mqtt.Username == "":
		return cli.Usagef("--password-file needs --user")
	}
	return nil
}

func newPushCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "push BUNDLE --broker URL --station SITE/LINE/NAME",
		Short: "Send a signed bundle to a station and wait for its answer",
		Long: `Sends a signed bundle to a station through its MQTT broker and waits until the station accepts or
refuses it.

The station checks the signature with its own keys and runs the golden inputs on its own
processor before it accepts the bundle. If it refuses, the reason is printed, the exit code is 1,
and the station keeps its model.`,
		Example: `  tirewatch push monday.tire --broker mqtt://broker --station hamburg/line1/station3
  tirewatch push monday.tire --broker mqtts://broker --ca plant-ca.pem --user tech --password-file pw --station hamburg/line1/station3`,
		Args: cli.Args("BUNDLE"),
	}
	f := &stationFlags{brokerFlags: addBrokerFlags(cmd)}
	f.add(cmd, 2*time.Minute)
	cmd.RunE = func(c *cobra.Command, args []string) error {
		if err := f.check(c); err != nil {
			return err
		}
		return push(c, args[0], f)
	}
	return cmd
}

func push(c *cobra.Command, path string, f *stationFlags) error {
	info, err := os.Stat(path)
	if err == nil && info.Size() > message.MaxBundle {
		err = fmt.Errorf("%s has %d bytes; a bundle has at most %d", path, info.Size(), message.MaxBundle)
	}
	if err != nil {
		return fmt.Errorf("push: %w", err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("push: %w", err)
	}
	ctx, cancel := context.WithTimeout(c.Context(), f.timeout)
	defer cancel()
	answer, err := uplink.Push(ctx, f.options(), data)
	if err != nil {
		return pushHint(err)
	}
	fmt.Fprintf(c.OutOrStdout(), "%s accepted %s (%s)\n", f.station, path, answer.Hash)
	return nil
}

// pushHint says what a technician can do about a failed push.
func pushHint(err error) error {
	if _, ok := errors.AsType[*uplink.RefusedError](err); ok {
		return cli.Hint(err,
			"the station keeps its model; tirewatch inspect BUNDLE shows the serial and the key of the bundle")
	}
	if _, ok := errors.AsType[*uplink.CommandError](err); ok {
		return cli.Hint(err, "tirewatch station status shows the models of the station")
	}
	switch {
	case errors.Is(err, uplink.ErrUnknownStation):
		return cli.Hint(err,
			"compare --station and --root with the station's configuration; the broker must let this user read "+
				"its topics")
	case errors.Is(err, uplink.ErrOffline):
		return cli.Hint(err, "start the agent or repair its connection, then push again")
	case errors.Is(err, uplink.ErrNoAnswer):
		return cli.Hint(err,
			"the broker may refuse large messages, or messages of this user; otherwise read the agent's log: "+
				"journalctl -u tirewatch-agent")
	case errors.Is(err, uplink.ErrForbidden):
		return cli.Hint(err, "let this user read the station's topics status and model, and write to model/set")
	}
	return err
}
