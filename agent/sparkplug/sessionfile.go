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

// SessionFile stores what must survive a restart in a small JSON file beside the journal. Its
// methods may be called from any goroutine.
type SessionFile struct {
	path string

	mu    sync.Mutex
	kept  sessionState // guarded by mu
	saved sessionState // guarded by mu; content of the file; invalid if there is none
}

// sessionState is the content of the file.
type sessionState struct {
	// BdSeq is the birth/death sequence number of the latest MQTT CONNECT, 0 to 255; -1 before the
	// first.
	BdSeq int `json:"bd_seq"`
	// Delivered is the highest number that counts as delivered. Verdicts above it are sent again.
	Delivered uint64 `json:"delivered"`
}

func (r sessionState) valid() bool { return r.BdSeq >= -1 && r.BdSeq <= 255 }

// OpenSessionFile reads the file at path. If it is missing, bdSeq starts at 0 and the verdicts up
// to last count as delivered. unusable is why an existing file cannot be used; then the session
// also starts as without a file.
func OpenSessionFile(path string, last uint64) (s *SessionFile, unusable error) {
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
		return s, fmt.Errorf("read %s: %w: bdSeq starts at 0, undelivered verdicts are sent on the plain topics only",
			path, err)
	}
	r.Delivered = min(r.Delivered, last)
	s.kept, s.saved = r, r
	return s, nil
}

// next returns the bdSeq of the next connection.
func (s *SessionFile) next() uint8 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return uint8(s.kept.BdSeq + 1) // after 255 comes 0
}

// use stores that a CONNECT with this bdSeq is sent. After an error the number counts as used, and
// the file may be one number behind.
func (s *SessionFile) use(bdSeq uint8) error {
	s.mu.Lock()
	s.kept.BdSeq = int(bdSeq)
	s.mu.Unlock()
	return s.save()
}

// delivered returns the highest number that counts as delivered.
func (s *SessionFile) delivered() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept.Delivered
}

// deliver marks verdicts up to seq as delivered. The next save stores it.
func (s *SessionFile) deliver(seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept.Delivered = max(s.kept.Delivered, seq)
}

// save writes the file if its content has changed.
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
		return fmt.Errorf("save Sparkplug session: %w", err)
	}
	s.saved = s.kept
	return nil
}
