package agent

import (
	"tirewatch/agent/config"
	"tirewatch/agent/journal"
	"tirewatch/agent/models"
	"tirewatch/agent/sparkplug"
	"tirewatch/agent/uplink"
)

// SparkplugNames are the station's names of a configuration.
func SparkplugNames(c config.Sparkplug) sparkplug.Names {
	return sparkplug.Names{Group: c.Group, Node: c.Node, Device: c.Device, Host: c.PrimaryHost}
}

// SparkplugLogin is that of mqtt under the session's own client id.
func SparkplugLogin(cfg *config.Config) config.MQTT {
	login := cfg.MQTT
	login.ClientID = cfg.Sparkplug.ClientID
	return login
}

// newEdgeNode prepares the Sparkplug session of a configuration.
func newEdgeNode(cfg *config.Config, j *journal.Journal, o RunOptions, progress func()) *uplink.EdgeNode {
	c := cfg.Sparkplug
	memory, note := sparkplug.OpenMemory(j.Path()+"-sparkplug", j.Next()-1)
	if note != nil {
		o.Log.Warn("Sparkplug begins anew", "error", note)
	}
	return uplink.NewEdgeNode(SparkplugLogin(cfg), sparkplug.New(sparkplug.Options{
		Names: SparkplugNames(c), Station: cfg.Station.ID(), Version: o.Version, Overlap: c.Overlap.Std(), Queue: j, Memory: memory,
	}), j.Watch(), o.Log, progress)
}

// tellModel puts the active model into the edge node's metrics.
func tellModel(node *uplink.EdgeNode, store *models.Store) {
	serial, hash := activeModel(store)
	node.Tell(func(f *sparkplug.Facts) { f.ModelSerial, f.ModelHash = serial, hash })
}

// tellProblems keeps the edge node, by its Tell, informed of what keeps the station from working.
// Without its camera the device is dead.
func tellProblems(node func(change func(f *sparkplug.Facts)), tell *problems) {
	tell.publish = append(tell.publish, func(text string) { node(func(f *sparkplug.Facts) { f.Problem = text }) })
	tell.changed = append(tell.changed, func(part string, is bool) {
		if part == cameraPart {
			node(func(f *sparkplug.Facts) { f.CameraLost = is })
		}
	})
}
