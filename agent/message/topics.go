package message

import "strings"

// Topics are the names under which a station speaks.
type Topics struct {
	Root    string // usually tirewatch
	Station string // site/line/name
}

// AllStations stands for every station in a subscription.
const AllStations = "+/+/+"

// Verdict carries each verdict. Station to SCADA.
func (t Topics) Verdict() string { return t.of("verdict") }

// Status carries Status, retained. Station to SCADA.
func (t Topics) Status() string { return t.of("status") }

// Health carries Health, retained. Station to SCADA.
func (t Topics) Health() string { return t.of("health") }

// SelfCheck carries what the daily examination found, retained. Station to technician.
func (t Topics) SelfCheck() string { return t.of("selfcheck") }

// Model carries ModelState, retained. Station to technician.
func (t Topics) Model() string { return t.of("model") }

// ModelSet takes a signed bundle. Technician to station.
func (t Topics) ModelSet() string { return t.of("model/set") }

// Command takes a Command. Technician to station.
func (t Topics) Command() string { return t.of("command") }

// CommandReply carries a CommandReply for each command. Station to technician.
func (t Topics) CommandReply() string { return t.of("command/reply") }

// Reject carries each Reject, when the station's configuration asks for it. Station to PLC.
func (t Topics) Reject() string { return t.of("reject") }

func (t Topics) of(leaf string) string { return strings.Join([]string{t.Root, t.Station, leaf}, "/") }
