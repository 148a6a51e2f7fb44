package models

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tirewatch/internal/durable"
)

// Kind is what happened to a model.
type Kind string

const (
	// in use without probation: it is the first model, or probation is off
	Installed   Kind = "installed"
	OnProbation Kind = "on_probation" // in use and compared with the previous model
	Confirmed   Kind = "confirmed"    // its probation ended well
	FellBack    Kind = "fell_back"    // in use again because its successor failed
	// revoked without a replacement: the station has no model
	Removed Kind = "removed"
	Expired Kind = "expired" // past its expiry date and still in use
	Refused Kind = "refused" // a bundle that was not installed
)

// messages are the log texts of the events.
var messages = map[Kind]string{
	Installed:   "models: installed",
	OnProbation: "models: probation began",
	Confirmed:   "models: confirmed",
	FellBack:    "models: fell back",
	Removed:     "models: removed",
	Expired:     "models: expired",
	Refused:     "models: bundle refused",
}

// Event is a line of the event log. N counts all transitions of the station's state.json; an event
// that does not change state.json has no N.
type Event struct {
	N      uint64    `json:"n,omitempty"`
	Time   time.Time `json:"time"` // by the station's clock, UTC
	Kind   Kind      `json:"event"`
	Serial uint64    `json:"serial,omitempty"`
	Hash   string    `json:"hash,omitempty"`
	Reason string    `json:"reason,omitempty"`
	Counts           // of the probation that ends with it
}

// event makes an event about a model, with the counts of the current probation.
func (s *Store) event(kind Kind, about *Loaded, reason string) Event {
	e := Event{Time: s.o.Now().UTC(), Kind: kind, Serial: about.Bundle.Serial, Hash: about.Bundle.ID(), Reason: reason}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live != nil {
		e.Counts = s.live.Counts
	}
	return e
}

// refusalPause bounds how often a refusal is written, so that a flood of bundles does not wear out
// the card.
const refusalPause = 10 * time.Second

// record writes an event to the log and the file, and calls Options.Event. The caller holds turn.
func (s *Store) record(e Event) {
	attrs := []any{"event", e.Kind, "serial", e.Serial, "hash", e.Hash, "reason", e.Reason}
	switch e.Kind {
	case FellBack, Removed, Expired:
		s.log.Error(messages[e.Kind], attrs...)
	case Refused:
		s.log.Warn(messages[e.Kind], attrs...)
	default:
		s.log.Info(messages[e.Kind], attrs...)
	}
	if e.Kind != Refused || s.journal.refused.IsZero() || e.Time.Sub(s.journal.refused).Abs() >= refusalPause {
		if err := s.journal.append(e); err != nil {
			s.log.Error("models: event not recorded", "error", err)
		}
	}
	if s.o.Event != nil {
		s.o.Event(e)
	}
	signal(s.changed)
}

// maxEvents is the maximum size of an event file, bytes. Two files hold some thousand events.
const maxEvents = 256 << 10

// eventLog is DIR/events.jsonl. It is guarded by Store.turn.
type eventLog struct {
	disk    durable.FS
	path    string
	size    int64
	limit   int64     // maxEvents
	torn    bool      // the last line is incomplete
	last    uint64    // the highest N in the file
	refused time.Time // when the last refusal was written
}

// openEvents reads the file. A line that a power cut has torn stays unchanged.
func openEvents(dir string, disk durable.FS) *eventLog {
	l := &eventLog{disk: disk, path: filepath.Join(dir, "events.jsonl"), limit: maxEvents}
	data, err := os.ReadFile(l.path)
	if err != nil {
		return l // append reports the problem
	}
	l.size, l.torn = int64(len(data)), len(data) > 0 && data[len(data)-1] != '\n'
	for line := range bytes.Lines(data) {
		var e Event
		if json.Unmarshal(line, &e) == nil {
			l.last = max(l.last, e.N)
		}
	}
	return l
}

// append writes a line durably. It renames a full file first.
func (l *eventLog) append(e Event) error {
	line, err := json.Marshal(e)
	if err != nil {
		panic("internal error: " + err.Error())
	}
	line = append(line, '\n')
	if l.torn {
		line = append([]byte("\n"), line...)
	}
	if l.size > 0 && l.size+int64(len(line)) > l.limit {
		if err := l.disk.Rename(l.path, filepath.Join(filepath.Dir(l.path), "events.1.jsonl")); err != nil {
			return fmt.Errorf("rotate the event log: %w", err)
		}
		l.size, l.torn = 0, false
	}
	f, err := l.disk.Append(l.path, 0o640)
	if err != nil {
		return fmt.Errorf("write event log: %w", err)
	}
	defer f.Close()
	l.torn = true // until the whole line is written
	n, err := f.Write(line)
	l.size += int64(n)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = l.disk.SyncDir(filepath.Dir(l.path))
	}
	if err != nil {
		return fmt.Errorf("write event log: %w", err)
	}
	l.torn, l.last = false, max(l.last, e.N)
	if e.Kind == Refused {
		l.refused = e.Time
	}
	return nil
}
