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

// ErrNoModel means that a station has no usable model.
var ErrNoModel = errors.New("no model is installed")

// RefusedError means that the bundle is at fault and not the station: another attempt with the same
// bytes fails in the same way.
type RefusedError struct{ Err error }

func (e *RefusedError) Error() string { return e.Err.Error() }
func (e *RefusedError) Unwrap() error { return e.Err }

// SerialError refuses a bundle whose serial is not above the highest one installed before.
type SerialError struct{ Have, Got uint64 }

func (e *SerialError) Error() string {
	if e.Have == e.Got {
		return fmt.Sprintf("another bundle with serial %d was installed before: "+
			"build the new one with a higher serial", e.Have)
	}
	return fmt.Sprintf("serial %d is lower than %d, which was installed before: build the bundle with a higher serial, "+
		"or go back with the command rollback", e.Got, e.Have)
}

// TargetError refuses a bundle for other stations.
type TargetError struct{ Target, Station string }

func (e *TargetError) Error() string {
	return fmt.Sprintf("the bundle is made for %s, this station is %s", e.Target, e.Station)
}

// HardwareError refuses a bundle for other boards.
type HardwareError struct{ Want, Have string }

func (e *HardwareError) Error() string {
	return fmt.Sprintf("the bundle is made for %s, this machine is %s", e.Want, e.Have)
}

// ExpiredError refuses a bundle after its expiry date.
type ExpiredError struct{ NotAfter, Now time.Time }

func (e *ExpiredError) Error() string {
	return fmt.Sprintf("the bundle expired on %s, now it is %s: build a new one",
		e.NotAfter.Format(time.RFC3339), e.Now.Format(time.RFC3339))
}

// RevokedError refuses a bundle that is on the revocation list.
type RevokedError struct {
	What string // "key" or "bundle"
	ID   string
	File string
}

func (e *RevokedError) Error() string {
	return fmt.Sprintf("%s %s is revoked by %s", e.What, e.ID, e.File)
}

// LatencyError refuses a model that is too slow on this CPU.
type LatencyError struct{ Took, Budget time.Duration }

func (e *LatencyError) Error() string {
	return fmt.Sprintf("a forward pass takes %v on this CPU, model.latency_budget is %v",
		e.Took.Round(10*time.Microsecond), e.Budget)
}

// Verifier returns the check of every bundle: signed by a trusted key, not revoked, made for this
// station and this board, and correct on the golden inputs on this CPU. revoked may be nil.
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
		second, err := b.Detector()
		if err != nil {
			return nil, err
		}
		return &Loaded{Bundle: b, Runner: r, Second: second}, nil
	}
}

// Revocations are the keys and bundles that a station refuses despite a valid signature. They are
// in a text file beside the configuration that only root can write. The station reads it at the
// start and whenever it has changed.
//
//	# why and when
//	key 0123456789abcdef        printed by `tirewatch keygen`
//	bundle 0123456789abcdef     the id shown by `tirewatch inspect`
type Revocations struct {
	path string

	mu   sync.Mutex
	text []byte          // content of the file; guarded by mu
	ids  map[string]bool // "key ID" and "bundle ID"; guarded by mu
}

// ReadRevocations reads the list at path. It returns nil, which revokes nothing, for an empty path.
func ReadRevocations(path string) (*Revocations, error) {
	if path == "" {
		return nil, nil
	}
	r := &Revocations{path: path}
	_, err := r.Reload()
	return r, err
}

// maxRevocations is the maximum size of the file, bytes.
const maxRevocations = 1 << 20

// Reload reads the file again and reports whether it has changed. After an error the old list stays
// in force: an unreadable list must not admit what it refused before.
func (r *Revocations) Reload() (changed bool, err error) {
	if r == nil {
		return false, nil
	}
	info, err := os.Stat(r.path)
	if err != nil {
		return false, fmt.Errorf("read revocation list: %w", err)
	}
	if info.Size() > maxRevocations {
		return false, fmt.Errorf("read revocation list %s: the file has %d bytes, the limit is %d",
			r.path, info.Size(), maxRevocations)
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
			return nil, fmt.Errorf("line %d: invalid id %.40q: want 16 hexadecimal digits", n, words[1])
		}
		ids[words[0]+" "+id] = true
	}
	return ids, lines.Err()
}

// Check returns a *RevokedError if the list names the bundle or the key that signed it.
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

// plausible is how many years the clock may be ahead of the newest known bundle.
const plausible = 20

// time returns the trusted time for the expiry of bundles: the clock, unless the clock is earlier
// than a time that has certainly passed, or far later. A clock in 1970 therefore neither stops a
// station nor makes an expired bundle valid, and turning the clock back has no effect. b is a
// verified bundle or nil. The caller holds turn.
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
