package sparkplug

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"tirewatch/internal/durable"
)

// SessionFile is what must outlive the process, a small JSON file beside the journal. Its methods may be
// called from any goroutine.
type SessionFile struct {
	path string

	mu    sync.Mutex
	kept  sessionState // guarded by mu
	saved sessionState // guarded by mu; what the file says; without a file as no memory is
}

// sessionState is the file.
type sessionState struct {
	// BdSeq is the number of the latest MQTT CONNECT, 0 to 255; -1 before the first.
	BdSeq int `json:"bd_seq"`
	// Delivered is the highest number that counts as delivered: a verdict above it is sent again.
	Delivered uint64 `json:"delivered"`
}

func (r sessionState) valid() bool { return r.BdSeq >= -1 && r.BdSeq <= 255 }

// OpenSessionFile reads the file at path. Without one, bdSeq begins at 0 and the verdicts up to last,
// which nobody has asked for yet, stay where they are. note tells a person of a file that could not
// be used; the station begins as without one.
func OpenSessionFile(path string, last uint64) (s *SessionFile, note error) {
	s = &SessionFile{path: path, kept: sessionState{BdSeq: -1, Delivered: last}, saved: sessionState{BdSeq: -2}}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	var r sessionState
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err == nil && !r.valid() {
		err = fmt.Errorf("bd_seq is %d, want -1 to 255", r.BdSeq)
	}
	if err != nil {
		return s, fmt.Errorf("read %s: %w: bdSeq begins anew, and what was not delivered before is in the journal only", path, err)
	}
	r.Delivered = min(r.Delivered, last)
	s.kept, s.saved = r, r
	return s, nil
}

// next is the bdSeq of the next connection.
func (s *SessionFile) next() uint8 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return uint8(s.kept.BdSeq + 1) // after 255 comes 0
}

// use notes on disk that a CONNECT with this bdSeq goes out. After an error it is used all the
// same, and the file may be one behind.
func (s *SessionFile) use(bdSeq uint8) error {
	s.mu.Lock()
	s.kept.BdSeq = int(bdSeq)
	s.mu.Unlock()
	return s.save()
}

// delivered is the highest number that counts as delivered.
func (s *SessionFile) delivered() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept.Delivered
}

// deliver notes, not yet on disk, that verdicts up to seq count as delivered.
func (s *SessionFile) deliver(seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept.Delivered = max(s.kept.Delivered, seq)
}

// save writes the file if it would change.
func (s *SessionFile) save() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == s.saved {
		return nil
	}
	data, err := json.Marshal(s.kept)
	if err != nil {
		panic("internal error: " + err.Error())
	}
	if err := durable.WriteFile(s.path, append(data, '\n'), 0o640); err != nil {
		return fmt.Errorf("remember Sparkplug's numbers in %s: %w", s.path, err)
	}
	s.saved = s.kept
	return nil
}
