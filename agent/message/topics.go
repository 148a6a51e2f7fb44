package message

import "strings"

// Topics builds the topic names of one station.
type Topics struct {
	Root    string // usually tirewatch
	Station string // site/line/name
}

// AllStations as Station makes a subscription to every station.
const AllStations = "+/+/+"

// Verdict carries each verdict. Station to SCADA.
func (t Topics) Verdict() string { return t.of("verdict") }

// Status carries [Status], retained. Station to SCADA.
func (t Topics) Status() string { return t.of("status") }

// Health carries [Health], retained. Station to SCADA.
func (t Topics) Health() string { return t.of("health") }

// SelfCheck carries the result of the daily self-check, retained. Station to technician.
func (t Topics) SelfCheck() string { return t.of("selfcheck") }

// Model carries [ModelState], retained. Station to technician.
func (t Topics) Model() string { return t.of("model") }

// ModelSet accepts a signed bundle. Technician to station.
func (t Topics) ModelSet() string { return t.of("model/set") }

// Command accepts a [Command]. Technician to station.
func (t Topics) Command() string { return t.of("command") }

// CommandReply carries a [CommandReply] for each command. Station to technician.
func (t Topics) CommandReply() string { return t.of("command/reply") }

// Reject carries each [Reject], if the station is configured with reject.mqtt. Station to PLC.
func (t Topics) Reject() string { return t.of("reject") }

func (t Topics) of(leaf string) string { return strings.Join([]string{t.Root, t.Station, leaf}, "/") }
