package uplink

import "time"

// SetPauses shortens the pauses and timeouts of an uplink.
func (u *Uplink) SetPauses(pause, ackTimeout time.Duration) {
	u.pause, u.ackTimeout, u.writeTimeout = pause, ackTimeout, 100*time.Millisecond
}

// SetJournalPause shortens the pause after an error of the journal.
func (u *Uplink) SetJournalPause(pause time.Duration) { u.journalPause = pause }

// SetQuarantine shortens the quarantine, and the time after which a silent broker counts as lost.
func (u *Uplink) SetQuarantine(quarantine, keepAlive time.Duration) {
	u.quarantine, u.keepAlive = quarantine, keepAlive
}

// SetPauses shortens the pauses of an edge node.
func (e *EdgeNode) SetPauses(pause, replayPause time.Duration) {
	e.pause, e.replayPause = pause, replayPause
}

// NewBoundedConn exports newBoundedConn.
var NewBoundedConn = newBoundedConn
