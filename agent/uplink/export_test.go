package uplink

import "time"

// Hasten shortens the waiting of an uplink for a test.
func (u *Uplink) Hasten(pause, ackTimeout time.Duration) {
	u.pause, u.ackTimeout, u.writeTimeout = pause, ackTimeout, 100*time.Millisecond
}

// HastenJournal shortens the waiting for a journal that fails.
func (u *Uplink) HastenJournal(pause time.Duration) { u.journalPause = pause }

// HastenQuarantine shortens the time without bundles and commands, and the patience with a broker
// that says nothing.
func (u *Uplink) HastenQuarantine(quarantine, keepAlive time.Duration) {
	u.quarantine, u.keepAlive = quarantine, keepAlive
}

// Hasten shortens the waiting of an edge node for a test.
func (e *EdgeNode) Hasten(pause, replayPause time.Duration) {
	e.pause, e.replayPause = pause, replayPause
}

// NewBoundedConn is newBoundedConn.
var NewBoundedConn = newBoundedConn
