package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tirewatch/agent"
	"tirewatch/agent/config"
	"tirewatch/agent/journal"
	"tirewatch/agent/message"
	"tirewatch/agent/sparkplug"
	"tirewatch/agent/uplink"
	"tirewatch/internal/hint"
)

// asService is the advice when only the service can read a credential.
const asService = "check as the service does: sudo systemctl start tirewatch-selfcheck; " +
	"journalctl -u tirewatch-selfcheck"

// broker logs in, and with Sparkplug enabled once more as its session.
func (d *doctor) broker(ctx context.Context) {
	c := d.cfg.MQTT
	if !c.Enabled() {
		d.report(Finding{"broker", OK, "none: verdicts stay in the journal", ""})
		return
	}
	topics := message.Topics{Root: c.Root, Station: d.cfg.Station.ID()}
	err := d.login(c, func(c config.MQTT) error {
		within, cancel := context.WithTimeout(ctx, d.Patience)
		defer cancel()
		return uplink.Try(within, c, topics)
	})
	if err != nil {
		access := "in the broker's access list, let the station read and write %s/%s/#"
		d.report(d.refused("broker", err, fmt.Sprintf(access, topics.Root, topics.Station)))
		return
	}
	d.report(Finding{"broker", OK, c.Broker + " accepts this station", ""})
	if d.cfg.Sparkplug.Enabled {
		d.sparkplug(ctx)
	}
}

// login tries a client id that no other client has: a broker disconnects a client when another one
// connects with its id, and the agent may run on another machine. If the broker refuses that id,
// login tries the station's own, unless an agent uses it or may be using it.
func (d *doctor) login(c config.MQTT, try func(config.MQTT) error) error {
	err := try(uplink.Aside(c))
	if !uplink.Refused(err) || d.mayRun() {
		return err
	}
	// An agent may have started during the checks before this one. It has the journal before it
	// uses its client ids.
	if seen, lookErr := journal.Look(d.cfg.Journal.Path, d.cfg.Station.ID()); lookErr == nil && seen.InUse {
		d.seen.InUse = true
		return err
	}
	return try(c)
}

// refused is the finding about a broker that refuses the station. access is the advice when it
// forbids only a topic.
func (d *doctor) refused(look string, err error, access string) Finding {
	refusal, known := errors.AsType[*uplink.ConnectError](err)
	switch {
	case errors.Is(err, config.ErrNoCredentials):
		return Finding{look, Skipped, err.Error(), asService}
	case known:
		found := fmt.Sprintf("broker %s: %s (%v)", refusal.Broker, refusal.Text, refusal.Err)
		f := Finding{look, Failed, found, refusal.Advice}
		if d.mayRun() && uplink.Refused(err) {
			f.State = Warning
			f.Found += ", tried with another client id than the running agent's; the broker may accept that one"
		}
		return f
	case errors.Is(err, uplink.ErrForbidden):
		return Finding{look, Failed, err.Error(), access}
	}
	return Finding{look, Failed, err.Error(), hint.Of(err)}
}

// sparkplug logs in as the Sparkplug session and checks whether the primary host is online.
func (d *doctor) sparkplug(ctx context.Context) {
	names, own := agent.SparkplugNames(d.cfg.Sparkplug), agent.SparkplugLogin(d.cfg)
	var state []byte
	err := d.login(own, func(c config.MQTT) (err error) {
		within, cancel := context.WithTimeout(ctx, d.Patience)
		defer cancel()
		state, err = uplink.TrySparkplug(within, c, names)
		return err
	})
	if err != nil {
		access := "in the broker's access list, let the station read and write spBv1.0/%s/+/%s/# " +
			"and read spBv1.0/STATE/#"
		f := d.refused("sparkplug", err, fmt.Sprintf(access, names.Group, names.Node))
		// the broker accepted name and password in the check before, so it refuses the client id
		if errors.As(err, new(*uplink.ConnectError)) {
			f.Do = "allow client id " + own.ClientID + " at the broker, or set sparkplug.client_id to an allowed one"
		}
		d.report(f)
		return
	}
	found := fmt.Sprintf("the broker accepts edge node %s/%s", names.Group, names.Node)
	if names.Host == "" {
		d.report(Finding{"sparkplug", OK, found + "; no primary host is set", ""})
		return
	}
	d.report(hostFinding(found+"; primary host "+names.Host, state))
}

// hostFinding is the finding about the STATE of the primary host. found says which host it is.
func hostFinding(found string, state []byte) Finding {
	const waiting = ": until it is online, verdicts for Sparkplug wait in the journal"
	online, at, err := sparkplug.ReadState(state)
	since := time.UnixMilli(at).UTC().Format(time.RFC3339)
	switch {
	case state == nil:
		return Finding{"sparkplug", Warning, found + " has no STATE" + waiting,
			"start the host application, or set sparkplug.primary_host to its id"}
	case err != nil:
		return Finding{"sparkplug", Warning, fmt.Sprintf("%s: %v%s", found, err, waiting),
			"use a host application with Sparkplug 3.0"}
	case !online:
		found += " is offline since " + since + waiting
		return Finding{"sparkplug", Warning, found, "start the host application"}
	}
	return Finding{"sparkplug", OK, found + " is online since " + since, ""}
}
