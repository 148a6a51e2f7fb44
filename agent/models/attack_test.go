package models

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
)

// The attacks of TUF and Uptane that apply to a station. Each test is a row of the table in
// SECURITY.md.

// signedBy signs the small bundle with another key.
func signedBy(t *testing.T, key byte, serial uint64, change ...func(*bundle.Bundle)) []byte {
	t.Helper()
	b := bundletest.Small(serial)
	for _, c := range change {
		c(b)
	}
	data, err := bundle.Encode(b, bundletest.Key(key))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// refuses checks that a bundle is refused with an error that want accepts, and that the station's
// state does not change.
func (r *rig) refuses(what string, data []byte, want func(error) bool) {
	r.t.Helper()
	before := r.Snapshot()
	_, err := r.Install(data)
	if _, refused := errors.AsType[*RefusedError](err); !refused || !want(err) {
		r.t.Errorf("%s: got %v", what, err)
	}
	if after := r.Snapshot(); after.Active != before.Active || after.Previous != before.Previous || after.Last != before.Last {
		r.t.Errorf("%s changed the state of the station", what)
	}
}

func is(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }

// as reports whether err is of type E.
func as[E error](err error) bool { _, ok := errors.AsType[E](err); return ok }

// TestAttackArbitrarySoftware installs data that no trusted key signed, also a good bundle with
// each bit flipped and truncated at each byte.
func TestAttackArbitrarySoftware(t *testing.T) {
	r := newRig(t)
	r.Store.log = slog.New(slog.DiscardHandler)
	install(t, r.Store, 1)
	data := bytesOf(t, 2)
	r.refuses("another key", signedBy(t, 2, 2), is(bundle.ErrUntrustedKey))
	naming := signedBy(t, 2, 2)
	copy(naming[12:20], data[12:20]) // it names the trusted key
	r.refuses("another key under a trusted name", naming, is(bundle.ErrBadSignature))
	r.refuses("no signature", append(bytes.Clone(data[:len(data)-64]), make([]byte, 64)...), is(bundle.ErrBadSignature))
	r.refuses("nothing", nil, is(bundle.ErrNotBundle))
	r.refuses("a program", []byte("\x7fELF\x02\x01\x01"), is(bundle.ErrNotBundle))
	step := 1
	if testing.Short() {
		step = 29
	}
	flipped, cut := 0, 0
	any := func(err error) bool { return err != nil }
	for i := 0; i < len(data); i += step {
		for bit := range 8 {
			data[i] ^= 1 << bit
			r.refuses(fmt.Sprintf("byte %d, bit %d", i, bit), data, any)
			data[i] ^= 1 << bit
			flipped++
		}
		r.refuses(fmt.Sprintf("the first %d bytes", i), data[:i:i], any)
		cut++
	}
	r.want(1, 0, 0)
	install(t, r.Store, 2) // unchanged it is accepted
	t.Logf("%d flipped bits and %d truncations of a bundle of %d bytes: all refused", flipped, cut, len(data))
}

// TestAttackRollback replays older, validly signed bundles in every state of a station.
func TestAttackRollback(t *testing.T) {
	r := newRig(t)
	old := func(state string) {
		t.Helper()
		for _, n := range []uint64{1, 4} {
			r.refuses(fmt.Sprintf("serial %d %s", n, state), bytesOf(t, n), as[*SerialError])
		}
		r.refuses("the same serial "+state, bytesOf(t, 7, func(b *bundle.Bundle) { b.Threshold = 0.9 }), as[*SerialError])
	}
	install(t, r.Store, 5, 7)
	old("on probation")
	r.crash()
	old("after a crash")
	must(t, r.Confirm())
	old("confirmed")
	must(t, r.Rollback())
	r.want(5, 0, 0)
	old("after a rollback by command")
	r.refuses("a bundle that was rolled back", bytesOf(t, 7), as[*GivenUpError])
	damage(t, r.o.Dir, 5)
	r.crash()
	r.want(0, 0, 0)
	old("without any model")
	install(t, r.Store, 5) // the recorded one may be installed again
	r.want(5, 0, 0)
	old("repaired")
}

// TestAttackFreeze keeps a station at an old model. The station reports when the model expires, and
// refuses an expired bundle.
func TestAttackFreeze(t *testing.T) {
	until := func(end time.Time) func(*bundle.Bundle) { return func(b *bundle.Bundle) { b.NotAfter = end } }
	r := newRig(t)
	if _, err := r.Install(bytesOf(t, 1, until(noon.Add(time.Hour)))); err != nil {
		t.Fatal(err)
	}
	r.clock = noon.Add(2 * time.Hour)
	r.work()
	r.work()
	if want := []Kind{Installed, Expired}; !slices.Equal(r.kinds(), want) {
		t.Errorf("events %v; want %v", r.kinds(), want)
	}
	r.want(1, 0, 0)
	if !r.Snapshot().Ended {
		t.Error("the snapshot does not show the expiry")
	}
	r.crash()
	r.want(1, 0, 0)
	r.refuses("a newer one that has expired too", bytesOf(t, 2, until(noon.Add(time.Hour))), as[*ExpiredError])
	if _, err := r.Install(bytesOf(t, 2, until(noon.Add(3*time.Hour)))); err != nil {
		t.Error(err)
	}
}

// TestAttackClock replays bundles after a reboot of a board without a clock, which starts in 1970,
// and after an attacker has set the clock.
func TestAttackClock(t *testing.T) {
	until := func(end time.Time) func(*bundle.Bundle) { return func(b *bundle.Bundle) { b.NotAfter = end } }
	for name, clock := range map[string]time.Time{
		"1970": time.Unix(20, 0), "a year back": noon.AddDate(-1, 0, 0), "a hundred years ahead": noon.AddDate(100, 0, 0),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			install(t, r.Store, 4, 5)
			r.clock = noon.Add(10 * 24 * time.Hour)
			r.work() // the station has seen this day
			r.clock = clock
			r.crash()
			r.want(5, 4, 4)
			r.refuses("an old bundle", bytesOf(t, 3), as[*SerialError])
			r.refuses("the previous bundle", bytesOf(t, 4), as[*SerialError])
			r.refuses("one that was held back until it expired", bytesOf(t, 6, until(noon.Add(9*24*time.Hour))), as[*ExpiredError])
			if _, err := r.Install(bytesOf(t, 6, until(noon.Add(11*24*time.Hour)))); err != nil {
				t.Errorf("a good bundle: %v", err)
			}
			r.judge(20, 0)
			r.want(6, 0, 4)
		})
	}
}

// TestAttackMixAndMatch combines parts of two signed bundles.
func TestAttackMixAndMatch(t *testing.T) {
	r := newRig(t)
	install(t, r.Store, 1)
	a, b := bytesOf(t, 2), bytesOf(t, 3)
	const head, signature = 24, 64
	mixed := 0
	for name, data := range map[string][]byte{
		"the signature of another": slices.Concat(a[:len(a)-signature], b[len(b)-signature:]),
		"the payload of another":   slices.Concat(a[:head], b[head:len(b)-signature], a[len(a)-signature:]),
		"half and half":            slices.Concat(a[:len(a)/2], b[len(a)/2:]),
		"one after the other":      slices.Concat(a, b),
		"a bundle inside another":  slices.Concat(a[:head], b, a[len(a)-signature:]),
	} {
		r.refuses(name, data, func(err error) bool {
			return errors.Is(err, bundle.ErrBadSignature) || errors.Is(err, bundle.ErrMalformed) || errors.Is(err, bundle.ErrTruncated)
		})
		mixed++
	}
	t.Logf("%d mixtures: all refused", mixed)
}

// TestAttackWrongTarget installs bundles that are made for other stations and boards.
func TestAttackWrongTarget(t *testing.T) {
	r := newRig(t)
	install(t, r.Store, 1)
	for _, target := range []string{"plant/line/2", "plant/other/1", "else/*/*", "Plant/line/1"} {
		r.refuses(target, bytesOf(t, 2, func(b *bundle.Bundle) { b.Target = target }), as[*TargetError])
	}
	for _, hardware := range []string{"sparc64", "arm64/nokernel"} {
		r.refuses(hardware, bytesOf(t, 2, func(b *bundle.Bundle) { b.Hardware = hardware }), as[*HardwareError])
	}
}

// TestAttackKeyCompromise revokes a key and a bundle, at the start and while the station works, and
// rotates keys.
func TestAttackKeyCompromise(t *testing.T) {
	list := filepath.Join(t.TempDir(), "revoked")
	write := func(text string) { must(t, os.WriteFile(list, []byte(text), 0o600)) }
	keys := slices.Concat(bundletest.Public(1), bundletest.Public(2))
	trusting := func(keys []ed25519.PublicKey) func(*Options) {
		return func(o *Options) {
			revoked, err := ReadRevocations(list)
			must(t, err)
			o.Revoked, o.Verify = revoked, Verifier(keys, station, revoked)
		}
	}
	stolen := "key " + bundle.KeyID(keys[0]).String() + "  # stolen on Monday\n"
	isRevoked := as[*RevokedError]

	t.Run("bundles of a revoked key are refused", func(t *testing.T) {
		write(stolen)
		r := newRig(t, trusting(keys))
		r.refuses("its bundle", signedBy(t, 1, 1), isRevoked)
		if _, err := r.Install(signedBy(t, 2, 1)); err != nil {
			t.Error(err)
		}
	})
	t.Run("a running model is revoked while the station works", func(t *testing.T) {
		write("")
		r := newRig(t, trusting(keys))
		for _, data := range [][]byte{signedBy(t, 2, 1), signedBy(t, 1, 2)} {
			if _, err := r.Install(data); err != nil {
				t.Fatal(err)
			}
		}
		must(t, r.Confirm())
		r.want(2, 0, 1)
		write(stolen)
		r.work()
		r.want(1, 0, 0)
		if last := r.Snapshot().Last; last.Kind != FellBack || !strings.Contains(last.Reason, "is revoked by") {
			t.Errorf("last event %+v", last)
		}
		r.crash()
		r.want(1, 0, 0)
	})
	t.Run("a running model is revoked at the start", func(t *testing.T) {
		write("")
		r := newRig(t, trusting(keys))
		for _, data := range [][]byte{signedBy(t, 2, 1), signedBy(t, 1, 2)} {
			if _, err := r.Install(data); err != nil {
				t.Fatal(err)
			}
		}
		write(stolen)
		trusting(keys)(&r.o) // a new process reads the list again
		r.crash()
		r.want(1, 0, 0)
	})
	t.Run("the last model is revoked too", func(t *testing.T) {
		write("")
		r := newRig(t, trusting(keys))
		install(t, r.Store, 1)
		m, _ := r.Active()
		write("# retrained on wrong labels\nbundle " + m.Bundle.ID() + "\n")
		r.work()
		r.want(0, 0, 0)
		if _, err := r.Active(); !errors.Is(err, ErrNoModel) {
			t.Errorf("got %v", err)
		}
		r.crash()
		r.want(0, 0, 0)
		r.refuses("the revoked bundle again", bytesOf(t, 1), isRevoked)
		install(t, r.Store, 2) // the key is still good
		r.want(2, 0, 0)
	})
	t.Run("the previous model is revoked", func(t *testing.T) {
		write("")
		r := newRig(t, trusting(keys))
		for _, data := range [][]byte{signedBy(t, 1, 1), signedBy(t, 2, 2)} {
			if _, err := r.Install(data); err != nil {
				t.Fatal(err)
			}
		}
		write(stolen)
		r.work()
		if m, _ := r.Active(); m.Bundle.Serial != 2 || m.Shadow != nil {
			t.Errorf("active %d, shadow %v", m.Bundle.Serial, m.Shadow)
		}
		if err := r.Rollback(); !errors.Is(err, ErrNothingBack) {
			t.Errorf("rolled back to a revoked model: %v", err)
		}
	})
	t.Run("an unreadable list keeps the old one in force", func(t *testing.T) {
		write(stolen)
		r := newRig(t, trusting(keys))
		for _, text := range []string{"key 12\n", "door 0123456789abcdef\n", "key\n"} {
			write(text)
			if err := r.Work(); err == nil || !strings.Contains(err.Error(), "line 1") {
				t.Errorf("%q: %v", text, err)
			}
			r.refuses("a bundle that was revoked before", signedBy(t, 1, 1), isRevoked)
		}
		must(t, os.Remove(list))
		if err := r.Work(); err == nil {
			t.Error("a missing list was not noticed")
		}
		r.refuses("a bundle that was revoked before", signedBy(t, 1, 1), isRevoked)
		if _, err := ReadRevocations(list); err == nil {
			t.Error("an agent starts without its revocation list")
		}
	})
	t.Run("a new key replaces the old one", func(t *testing.T) {
		write("")
		r := newRig(t, trusting(keys[:1]))
		install(t, r.Store, 1)
		r.refuses("the new key before it is known", signedBy(t, 2, 2), is(bundle.ErrUntrustedKey))
		trusting(keys)(&r.o) // both, for a while
		r.crash()
		if _, err := r.Install(signedBy(t, 2, 2)); err != nil {
			t.Fatal(err)
		}
		must(t, r.Confirm())
		trusting(keys[1:])(&r.o)
		r.crash()
		r.want(2, 0, 0)
		r.refuses("the old key", signedBy(t, 1, 3), is(bundle.ErrUntrustedKey))
	})
}

// TestAttackFloodOfBundles replays an old bundle many times. Refusals cost the card one line every
// ten seconds.
func TestAttackFloodOfBundles(t *testing.T) {
	const flood = 3000
	r := newRig(t)
	install(t, r.Store, 2)
	r.Store.log = slog.New(slog.DiscardHandler)
	old := bytesOf(t, 1)
	before := r.journal.size
	for range flood {
		r.clock = r.clock.Add(20 * time.Millisecond) // a minute in all
		r.refuses("an old bundle", old, as[*SerialError])
	}
	data, err := os.ReadFile(filepath.Join(r.o.Dir, "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Count(data, []byte(`"refused"`))
	if lines < 6 || lines > 7 {
		t.Errorf("%d lines for a minute of refusals", lines)
	}
	t.Logf("%d bundles in a minute: %d lines, %d bytes written", flood, lines, r.journal.size-before)
}

// TestAttacksAreInTheTable compares SECURITY.md with the tests: both name the same tests.
func TestAttacksAreInTheTable(t *testing.T) {
	table, err := os.ReadFile("../../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`TestAttack\w+`).FindAllString(string(table), -1)
	var exist []string
	for _, pattern := range []string{"*_test.go", "../uplink/*_test.go", "../web/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(`(?m)^func (TestAttack\w+)\(`).FindAllSubmatch(text, -1) {
				exist = append(exist, string(m[1]))
			}
		}
	}
	for _, name := range exist {
		if name != "TestAttacksAreInTheTable" && !slices.Contains(named, name) {
			t.Errorf("SECURITY.md does not name %s", name)
		}
	}
	for _, name := range named {
		if !slices.Contains(exist, name) {
			t.Errorf("SECURITY.md names %s, which does not exist", name)
		}
	}
}
