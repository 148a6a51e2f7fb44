package agent

import (
	"tirewatch/agent/config"
	"tirewatch/agent/journal"
	"tirewatch/agent/models"
	"tirewatch/agent/sparkplug"
	"tirewatch/agent/uplink"
)

// newEdgeNode prepares the Sparkplug session of a configuration.
func newEdgeNode(cfg *config.Config, j *journal.Journal, o RunOptions, progress func()) *uplink.EdgeNode {
	c := cfg.Sparkplug
	memory, note := sparkplug.OpenMemory(j.Path()+"-sparkplug", j.Next()-1)
	if note != nil {
		o.Log.Warn("Sparkplug begins anew", "error", note)
	}
	line := cfg.MQTT
	line.ClientID = c.ClientID
	return uplink.NewEdgeNode(line, sparkplug.New(sparkplug.Options{
		Names:   sparkplug.Names{Group: c.Group, Node: c.Node, Device: c.Device, Host: c.PrimaryHost},
		Station: cfg.Station.ID(), Version: o.Version, Overlap: c.Overlap.Std(), Queue: j, Memory: memory,
	}), j.Watch(), o.Log, progress)
}

// tellModel puts the active model into the edge node's metrics.
func tellModel(node *uplink.EdgeNode, store *models.Store) {
	serial, hash := uint64(0), ""
	if m, err := store.Active(); err == nil {
		serial, hash = m.Bundle.Serial, m.Bundle.ID()
	}
	node.Tell(func(f *sparkplug.Facts) { f.ModelSerial, f.ModelHash = serial, hash })
}

// tellProblems keeps the edge node, by its Tell, informed of what keeps the station from working. Without its camera the device is dead.
func tellProblems(node func(change func(f *sparkplug.Facts)), tell *problems) {
	tell.publish = append(tell.publish, func(text string) { node(func(f *sparkplug.Facts) { f.Problem = text }) })
	tell.changed = append(tell.changed, func(part string, is bool) {
		if part == cameraPart {
			node(func(f *sparkplug.Facts) { f.CameraLost = is })
		}
	})
}
