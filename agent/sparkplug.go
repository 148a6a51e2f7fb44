package agent

import (
	"tirewatch/agent/sparkplug"
	"tirewatch/agent/uplink"
)

// newEdgeNode prepares the Sparkplug session.
func newEdgeNode(d *daemon) *uplink.EdgeNode {
	session, note := sparkplug.OpenSessionFile(d.journal.Path()+"-sparkplug", d.journal.Next()-1)
	if note != nil {
		d.log.Warn("sparkplug: session state lost, starting a new one", "error", note)
	}
	node := sparkplug.New(sparkplug.Options{
		Names: SparkplugNames(d.cfg.Sparkplug), Station: d.cfg.Station.ID(), Version: d.Version,
		Overlap: d.cfg.Sparkplug.Overlap.Std(), Queue: d.journal, SessionFile: session,
	})
	progress := d.monitor.Part("sparkplug", 2*uplink.ProgressPause).Progress
	return uplink.NewEdgeNode(SparkplugLogin(d.cfg), node, d.journal.Watch(), d.log, progress)
}

// noteProblem puts what stops the station into the edge node's metrics. Without its camera the
// device is dead.
func noteProblem(f *sparkplug.Facts, all, part string, broken bool) {
	f.Problem = all
	if part == cameraPart {
		f.CameraLost = broken
	}
}
