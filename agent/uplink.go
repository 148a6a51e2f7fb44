package agent

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"tirewatch/agent/config"
	"tirewatch/agent/message"
	"tirewatch/agent/models"
	"tirewatch/agent/sparkplug"
	"tirewatch/agent/uplink"
)

// Commands that a station obeys.
const (
	commandConfirm  = "confirm"
	commandRollback = "rollback"
	commandLampTest = "lamptest" // one pulse of the reject output
)

// link is the station's connection to the broker: on the plain topics, and as an edge node of
// Sparkplug B.
type link struct {
	uplink *uplink.Uplink
	node   *uplink.EdgeNode // nil: no Sparkplug
	store  *models.Store
	log    *slog.Logger

	lampTest func()                  // carries out the command
	problem  func(part, text string) // reports what stops a model
}

// newLink prepares the connection; nil without a broker.
func newLink(d *daemon) *link {
	if !d.cfg.MQTT.Enabled() {
		return nil
	}
	l := &link{
		uplink: newUplink(d), store: d.store, log: d.log, problem: d.problems.set,
		lampTest: func() { d.belt.output.Test() },
	}
	if d.cfg.Sparkplug.Enabled {
		l.node = newEdgeNode(d)
	}
	return l
}

func newUplink(d *daemon) *uplink.Uplink {
	o := uplink.Options{
		Version: d.Version, AcceptPush: d.cfg.Model.AcceptPush, Commands: []string{commandConfirm, commandRollback},
		Health: d.counts.Health, Progress: d.monitor.Part("uplink", 2*uplink.ProgressPause).Progress,
	}
	if d.cfg.Trigger.Mode == config.TriggerCommand {
		o.Trigger = func(c message.Command) { d.belt.command(c) }
	}
	if d.cfg.Reject.GPIO != "" {
		o.Commands = append(o.Commands, commandLampTest)
	}
	return uplink.New(d.cfg.MQTT, message.Topics{Root: d.cfg.MQTT.Root, Station: d.cfg.Station.ID()}, d.journal, d.log, o)
}

// showProblem is an observer of problems.
func (l *link) showProblem(all, part string, broken bool) {
	l.uplink.PublishProblem(all)
	if l.node != nil {
		l.node.Change(func(f *sparkplug.Facts) { noteProblem(f, all, part, broken) })
	}
}

// start runs the connections and what arrives through them, until ctx ends.
func (l *link) start(ctx context.Context, background *sync.WaitGroup) {
	l.publishModel()
	if l.node != nil {
		background.Go(func() { l.node.Run(ctx) })
	}
	background.Go(func() { l.watchModels(ctx) })
	background.Go(func() { l.obey(ctx) })
	background.Go(func() { l.uplink.Run(ctx) })
	background.Go(func() { l.takeBundles(ctx) })
}

// drain sends what is queued, for limit at most.
func (l *link) drain(ctx context.Context, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := l.uplink.Drain(ctx); err != nil {
		l.log.Warn("uplink: queue not drained, the rest is sent after the next start", "error", err)
	}
}

// obey carries out commands, one after the other, until ctx ends.
func (l *link) obey(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-l.uplink.Commands():
			var err error
			switch c.Name {
			case commandConfirm:
				err = l.store.Confirm()
			case commandRollback:
				err = l.store.Rollback()
			case commandLampTest:
				l.lampTest()
			}
			l.log.Info("command: handled", "command", c.Name, "id", c.ID, "error", err)
			l.publishModel()
			c.Reply(err)
		}
	}
}

// takeBundles installs pushed bundles, one after the other, until ctx ends. The store logs the
// result of each.
func (l *link) takeBundles(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-l.uplink.Bundles():
			_, err := l.store.Install(m.Data)
			if err != nil {
				l.log.Warn("models: pushed bundle refused", "hash", m.Hash, "error", err)
			}
			l.publishModel()
			m.Reply(err)
		}
	}
}
