package models

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"tirewatch/vision/bundle"
)

// ErrNoModel says that a station has no network that it could use.
var ErrNoModel = errors.New("no model is installed")

// RefusedError says that a bundle is at fault and not the station: another attempt with the same
// bytes ends in the same way.
type RefusedError struct{ Err error }

func (e *RefusedError) Error() string { return e.Err.Error() }
func (e *RefusedError) Unwrap() error { return e.Err }

// SerialError refuses a bundle that is not newer than what was installed before.
type SerialError struct{ Have, Got uint64 }

func (e *SerialError) Error() string {
	if e.Have == e.Got {
		return fmt.Sprintf("another bundle with serial %d was installed before: build the new one with a higher serial", e.Have)
	}
	return fmt.Sprintf("serial %d is lower than %d, which was installed before: build it with a higher serial, or go back with the command rollback",
		e.Got, e.Have)
}

// TargetError refuses a bundle that is made for other stations.
type TargetError struct{ Target, Station string }

func (e *TargetError) Error() string {
	return fmt.Sprintf("the bundle is made for %s, this station is %s", e.Target, e.Station)
}

// HardwareError refuses a bundle that is made for other boards.
type HardwareError struct{ Want, Have string }

func (e *HardwareError) Error() string {
	return fmt.Sprintf("the bundle is made for %s, this machine is %s", e.Want, e.Have)
}

// ExpiredError refuses a bundle after its end.
type ExpiredError struct{ NotAfter, Now time.Time }

func (e *ExpiredError) Error() string {
	return fmt.Sprintf("the bundle ended on %s and it is %s: build a new one", e.NotAfter.Format(time.RFC3339), e.Now.Format(time.RFC3339))
}

// RevokedError refuses a bundle that the revocation list names.
type RevokedError struct {
	What string // "key" or "bundle"
	ID   string
	File string
}

func (e *RevokedError) Error() string {
	return fmt.Sprintf("%s %s is revoked by %s", e.What, e.ID, e.File)
}

// LatencyError refuses a network that is too slow for this CPU.
type LatencyError struct{ Took, Budget time.Duration }

func (e *LatencyError) Error() string {
	return fmt.Sprintf("a forward pass takes %v on this CPU, model.latency_budget is %v", e.Took.Round(10*time.Microsecond), e.Budget)
}

// Verifier returns what a store tries every bundle with: the signature by one of the trusted keys,
// whether the bundle or its key is revoked, whether it is made for this station and this board, and
// the golden inputs on this CPU. revoked may be nil.
func Verifier(trusted []ed25519.PublicKey, station string, revoked *Revocations) func(data []byte) (*Loaded, error) {
	return func(data []byte) (*Loaded, error) {
		b, err := bundle.Decode(data, trusted)
		if err != nil {
			return nil, err
		}
		if err := revoked.Check(b); err != nil {
			return nil, err
		}
		if !b.Targets(station) {
			return nil, &TargetError{Target: b.Target, Station: station}
		}
		r, err := b.SelfTest()
		if err != nil {
			return nil, err
		}
		if !b.FitsHardware(runtime.GOARCH, r.Kernel()) {
			return nil, &HardwareError{Want: b.Hardware, Have: runtime.GOARCH + "/" + r.Kernel()}
		}
		return &Loaded{Bundle: b, Runner: r}, nil
	}
}

// Revocations are the keys and bundles that a station refuses although they are signed: a text file
// beside the configuration, which only root can write. The station reads it at its start and
// whenever it has changed.
//
//	# why and when
//	key 0123456789abcdef        what `tirewatch keygen` printed
//	bundle 0123456789abcdef     the id that `tirewatch inspect` shows
type Revocations struct {
	path string

	mu   sync.Mutex
	text []byte          // of the file; guarded by mu
	ids  map[string]bool // "key ID" and "bundle ID"; guarded by mu
}

// ReadRevocations reads the list at path. Without a path there is none, and nothing is revoked.
func ReadRevocations(path string) (*Revocations, error) {
	if path == "" {
		return nil, nil
	}
	r := &Revocations{path: path}
	_, err := r.Reload()
	return r, err
}

// maxRevocations bounds the file, bytes.
const maxRevocations = 1 << 20

// Reload reads the file again and says whether it holds something else. After an error the list is
// as it was: a list that became unreadable must not let in what it kept out.
func (r *Revocations) Reload() (changed bool, err error) {
	if r == nil {
		return false, nil
	}
	info, err := os.Stat(r.path)
	if err != nil {
		return false, fmt.Errorf("read revocation list: %w", err)
	}
	if info.Size() > maxRevocations {
		return false, fmt.Errorf("read revocation list %s: it has %d bytes, at most %d are read", r.path, info.Size(), maxRevocations)
	}
	text, err := os.ReadFile(r.path)
	if err != nil {
		return false, fmt.Errorf("read revocation list: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ids != nil && bytes.Equal(text, r.text) {
		return false, nil
	}
	ids, err := parseRevocations(text)
	if err != nil {
		return false, fmt.Errorf("read revocation list %s: %w", r.path, err)
	}
	r.text, r.ids = text, ids
	return true, nil
}

func parseRevocations(text []byte) (map[string]bool, error) {
	ids := map[string]bool{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if len(words) != 2 || words[0] != "key" && words[0] != "bundle" {
			return nil, fmt.Errorf(`line %d: want "key ID" or "bundle ID"`, n)
		}
		id := strings.ToLower(words[1])
		if raw, err := hex.DecodeString(id); err != nil || len(raw) != len(bundle.Signer{}) {
			return nil, fmt.Errorf("line %d: %.40q is no id, want 16 hexadecimal digits", n, words[1])
		}
		ids[words[0]+" "+id] = true
	}
	return ids, lines.Err()
}

// Check returns a *RevokedError when the list names the bundle or the key that signed it.
func (r *Revocations) Check(b *bundle.Bundle) error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range []struct{ what, id string }{{"bundle", b.ID()}, {"key", b.Signer().String()}} {
		if r.ids[c.what+" "+c.id] {
			return &RevokedError{What: c.what, ID: c.id, File: r.path}
		}
	}
	return nil
}

// plausible is how far a clock may be ahead of the youngest thing that the station has seen signed,
// years.
const plausible = 20

// time is what the station believes that the time is, for the end of a bundle: the clock, unless it
// is before something that was certainly later, or absurdly far behind it. A clock in 1970
// therefore neither stops a station nor makes an old bundle young, and who turns the clock back
// gains nothing. b is a verified bundle at hand, or nil. turn is held.
func (s *Store) time(b *bundle.Bundle) time.Time {
	low := s.state.Seen
	for _, m := range []*Loaded{s.active, s.reserve, {Bundle: b}} {
		if m != nil && m.Bundle != nil && m.Bundle.Created.After(low) {
			low = m.Bundle.Created
		}
	}
	if now := s.o.Now().UTC(); now.After(low) && now.Before(low.AddDate(plausible, 0, 0)) {
		return now.Truncate(time.Second)
	}
	return low
}
