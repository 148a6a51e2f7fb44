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

// Memory is what must outlive the process, a small JSON file beside the journal. Its methods may be
// called from any goroutine.
type Memory struct {
	path string

	mu    sync.Mutex
	kept  remembered // guarded by mu
	saved remembered // guarded by mu; what the file says; without a file as no memory is
}

// remembered is the file.
type remembered struct {
	// BdSeq is the number of the latest MQTT CONNECT, 0 to 255; -1 before the first.
	BdSeq int `json:"bd_seq"`
	// Delivered is the highest number that counts as delivered: a verdict above it is sent again.
	Delivered uint64 `json:"delivered"`
}

func (r remembered) valid() bool { return r.BdSeq >= -1 && r.BdSeq <= 255 }

// OpenMemory reads the file at path. Without one, bdSeq begins at 0 and the verdicts up to last,
// which nobody has asked for yet, stay where they are. note tells a person of a file that could not
// be used; the station begins as without one.
func OpenMemory(path string, last uint64) (m *Memory, note error) {
	m = &Memory{path: path, kept: remembered{BdSeq: -1, Delivered: last}, saved: remembered{BdSeq: -2}}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	var r remembered
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err == nil && !r.valid() {
		err = fmt.Errorf("bd_seq is %d, want -1 to 255", r.BdSeq)
	}
	if err != nil {
		return m, fmt.Errorf("read %s: %w: bdSeq begins anew, and what was not delivered before is in the journal only", path, err)
	}
	r.Delivered = min(r.Delivered, last)
	m.kept, m.saved = r, r
	return m, nil
}

// next is the bdSeq of the next connection.
func (m *Memory) next() uint8 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return uint8(m.kept.BdSeq + 1) // after 255 comes 0
}

// use notes on disk that a CONNECT with this bdSeq goes out. After an error it is used all the
// same, and the file may be one behind.
func (m *Memory) use(bdSeq uint8) error {
	m.mu.Lock()
	m.kept.BdSeq = int(bdSeq)
	m.mu.Unlock()
	return m.save()
}

// delivered is the highest number that counts as delivered.
func (m *Memory) delivered() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept.Delivered
}

// deliver notes, not yet on disk, that verdicts up to seq count as delivered.
func (m *Memory) deliver(seq uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept.Delivered = max(m.kept.Delivered, seq)
}

// save writes the file if it would change.
func (m *Memory) save() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept == m.saved {
		return nil
	}
	data, err := json.Marshal(m.kept)
	if err != nil {
		panic("internal error: " + err.Error())
	}
	if err := durable.WriteFile(m.path, append(data, '\n'), 0o640); err != nil {
		return fmt.Errorf("remember Sparkplug's numbers in %s: %w", m.path, err)
	}
	m.saved = m.kept
	return nil
}
