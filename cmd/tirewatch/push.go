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
)

// brokerFlags say which broker and how to log in, as [mqtt] does for a station.
type brokerFlags struct{ mqtt config.MQTT }

func addBrokerFlags(c *cobra.Command) *brokerFlags {
	f := new(brokerFlags)
	c.Flags().StringVar(&f.mqtt.Broker, "broker", "", "mqtt://HOST[:1883], or mqtts://HOST[:8883] for TLS")
	c.Flags().StringVar(&f.mqtt.Root, "root", "tirewatch", "first part of every topic, as in the stations' configuration")
	c.Flags().StringVar(&f.mqtt.Username, "user", "", "user name at the broker")
	c.Flags().StringVar(&f.mqtt.PasswordFile, "password-file", "", "file with the password, readable by you only")
	c.Flags().StringVar(&f.mqtt.CAFile, "ca", "", "PEM certificates that the broker's certificate must lead to")
	c.Flags().StringVar(&f.mqtt.CertFile, "cert", "", "PEM client certificate, for brokers that ask for one")
	c.Flags().StringVar(&f.mqtt.KeyFile, "key", "", "PEM key of the client certificate")
	return f
}

// check refuses flags that make no sense, before anything is done.
func (f *brokerFlags) check() error {
	switch {
	case f.mqtt.Broker == "":
		return withHint(&usageError{errors.New("--broker is missing")}, "the broker that the stations send to, like --broker mqtt://192.168.0.10")
	case (f.mqtt.CertFile == "") != (f.mqtt.KeyFile == ""):
		return &usageError{errors.New("--cert and --key go together")}
	case f.mqtt.PasswordFile != "" && f.mqtt.Username == "":
		return &usageError{errors.New("--password-file needs --user")}
	}
	return nil
}

func newPushCmd() *cobra.Command {
	var station string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "push BUNDLE --broker URL --station SITE/LINE/NAME",
		Short: "Send a signed bundle to a station and wait for its answer",
		Long: `Send a signed bundle to a station through its MQTT broker and wait until the station has accepted or refused it.

The station checks the signature against its own keys, runs the bundle's golden inputs on its own processor and only then
takes it. A refusal names the reason and ends with exit code 1; the station goes on with the model that it has.`,
		Example: `  tirewatch push monday.tire --broker mqtt://broker --station hamburg/line1/station3
  tirewatch push monday.tire --broker mqtts://broker --ca plant-ca.pem --user tech --password-file pw --station hamburg/line1/station3`,
		Args: cobra.ExactArgs(1),
	}
	broker := addBrokerFlags(cmd)
	cmd.Flags().StringVar(&station, "station", "", "the station's SITE/LINE/NAME")
	cmd.Flags().DurationVar(&timeout, "timeout", 2*time.Minute, "how long to wait for the answer")
	cmd.RunE = func(c *cobra.Command, args []string) error {
		if err := broker.check(); err != nil {
			return err
		}
		if station == "" {
			return withHint(&usageError{errors.New("--station is missing")}, "`tirewatch watch --broker URL` shows which stations speak")
		}
		if _, err := config.ParseStation(station); err != nil {
			return &usageError{err}
		}
		if timeout <= 0 {
			return &usageError{fmt.Errorf("--timeout %v: want more than 0", timeout)}
		}
		info, err := os.Stat(args[0])
		if err == nil && info.Size() > message.MaxBundle {
			err = fmt.Errorf("%s has %d bytes, a bundle has at most %d", args[0], info.Size(), message.MaxBundle)
		}
		if err != nil {
			return fmt.Errorf("push: %w", err)
		}
		data, err := os.ReadFile(args[0])
		if err != nil {
			return fmt.Errorf("push: %w", err)
		}
		ctx, cancel := context.WithTimeout(c.Context(), timeout)
		defer cancel()
		answer, err := uplink.Push(ctx, uplink.Target{MQTT: broker.mqtt, Station: station}, data)
		if err != nil {
			return pushHint(err)
		}
		fmt.Fprintf(c.OutOrStdout(), "%s accepted %s (%s)\n", station, args[0], answer.Hash)
		return nil
	}
	return cmd
}

// pushHint adds what a technician can do about a failed push.
func pushHint(err error) error {
	if _, ok := errors.AsType[*uplink.RefusedError](err); ok {
		return withHint(err, "the station goes on with its model; `tirewatch inspect BUNDLE` shows serial and key of the bundle")
	}
	if _, ok := errors.AsType[*uplink.CommandError](err); ok {
		return withHint(err, "`tirewatch station status` shows which models the station has")
	}
	switch {
	case errors.Is(err, uplink.ErrUnknownStation):
		return withHint(err, "check --station and --root against the station's configuration, and that the broker lets this user read its topics")
	case errors.Is(err, uplink.ErrOffline):
		return withHint(err, "start the agent or mend its connection, then push again")
	case errors.Is(err, uplink.ErrNoAnswer):
		return withHint(err, "the broker may have dropped the bundle for its size or this user's rights; else look at the agent's log")
	case errors.Is(err, uplink.ErrForbidden):
		return withHint(err, "give the user read access to the station's status and model topics and write access to model/set")
	}
	return err
}
