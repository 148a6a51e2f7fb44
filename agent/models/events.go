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

// Kind says what happened to a network.
type Kind string

const (
	// in use and believed: there was none before, or probation is off
	Installed   Kind = "installed"
	OnProbation Kind = "on_probation" // in use and watched
	Confirmed   Kind = "confirmed"    // its probation ended well
	FellBack    Kind = "fell_back"    // in use again, because the one after it failed
	// revoked with nothing in its place: the station has no network
	Removed Kind = "removed"
	Expired Kind = "expired" // past its end, and still in use
	Refused Kind = "refused" // a bundle that was not let in
)

// Event is a line of the event log. N counts the transitions of the station's whole life, those
// that change state.json; what changes nothing there has none.
type Event struct {
	N      uint64    `json:"n,omitempty"`
	Time   time.Time `json:"time"` // of the station's clock, UTC
	Kind   Kind      `json:"event"`
	Serial uint64    `json:"serial,omitempty"`
	Hash   string    `json:"hash,omitempty"`
	Reason string    `json:"reason,omitempty"`
	Counts           // of the probation that ends with it
}

// event is one about a network, with the counts of the probation under way.
func (s *Store) event(kind Kind, about *Loaded, reason string) Event {
	e := Event{Time: s.o.Now().UTC(), Kind: kind, Serial: about.Bundle.Serial, Hash: about.Bundle.ID(), Reason: reason}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live != nil {
		e.Counts = s.live.Counts
	}
	return e
}

// refusalPause bounds how often a refusal is written: whoever floods a station with bundles must
// not wear its card out.
const refusalPause = 10 * time.Second

// record makes an event known: to the log, to the file and to whoever asked for it. turn is held.
func (s *Store) record(e Event) {
	attrs := []any{"event", e.Kind, "serial", e.Serial, "hash", e.Hash, "reason", e.Reason}
	switch e.Kind {
	case FellBack, Removed, Expired:
		s.log.Error("model", attrs...)
	case Refused:
		s.log.Warn("model", attrs...)
	default:
		s.log.Info("model", attrs...)
	}
	if e.Kind != Refused || s.journal.refused.IsZero() || e.Time.Sub(s.journal.refused).Abs() >= refusalPause {
		if err := s.journal.append(e); err != nil {
			s.log.Error("an event about the models is not in their log", "error", err)
		}
	}
	if s.o.Event != nil {
		s.o.Event(e)
	}
	signal(s.changed)
}

// maxEvents bounds a file of the event log, bytes: two of them hold some thousand events.
const maxEvents = 256 << 10

// eventLog is DIR/events.jsonl. It is guarded by the store's turn.
type eventLog struct {
	disk    durable.FS
	path    string
	size    int64
	limit   int64     // maxEvents
	torn    bool      // the last line has no end
	last    uint64    // the highest N in the file
	refused time.Time // when the last refusal was written
}

// openEvents looks at what the file holds. A line that a power cut has torn stays as it is.
func openEvents(dir string, disk durable.FS) *eventLog {
	l := &eventLog{disk: disk, path: filepath.Join(dir, "events.jsonl"), limit: maxEvents}
	data, err := os.ReadFile(l.path)
	if err != nil {
		return l // append says what is wrong
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

// append writes a line durably. A full file makes room first.
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
			return fmt.Errorf("make room for an event: %w", err)
		}
		l.size, l.torn = 0, false
	}
	f, err := l.disk.Append(l.path, 0o640)
	if err != nil {
		return fmt.Errorf("write an event: %w", err)
	}
	defer f.Close()
	l.torn = true // until the line is known to be whole
	n, err := f.Write(line)
	l.size += int64(n)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = l.disk.SyncDir(filepath.Dir(l.path))
	}
	if err != nil {
		return fmt.Errorf("write an event: %w", err)
	}
	l.torn, l.last = false, max(l.last, e.N)
	if e.Kind == Refused {
		l.refused = e.Time
	}
	return nil
}
