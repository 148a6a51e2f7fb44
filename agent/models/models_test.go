package models

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tirewatch/internal/durable"
	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
)

const station = "plant/line/1"

// bytesOf signs the small bundle with the serial.
func bytesOf(t *testing.T, serial uint64, change ...func(*bundle.Bundle)) []byte {
	t.Helper()
	b := bundletest.Small(serial)
	for _, c := range change {
		c(b)
	}
	data, err := bundle.Encode(b, bundletest.Key(1))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// open opens the store in dir; its log goes to the returned buffer.
func open(t *testing.T, dir string) (*Store, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	s, err := Open(Options{Dir: dir, Verify: Verifier(bundletest.Public(1), station, nil), Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return s, &log
}

// serial returns the serial of the active model, 0 for none.
func serial(s *Store) uint64 {
	m, err := s.Active()
	if err != nil {
		return 0
	}
	return m.Bundle.Serial
}

func install(t *testing.T, s *Store, serials ...uint64) {
	t.Helper()
	for _, n := range serials {
		if _, err := s.Install(bytesOf(t, n)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestInstallAndReopen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "models")
	s, _ := open(t, dir)
	if _, err := s.Active(); !errors.Is(err, ErrNoModel) {
		t.Fatalf("a new store: %v; want ErrNoModel", err)
	}
	for n := range uint64(4) {
		m, err := s.Install(bytesOf(t, n+1))
		if err != nil || m.Bundle.Serial != n+1 || m.Since.IsZero() {
			t.Fatalf("install %d: %+v, %v", n+1, m, err)
		}
		if _, err := m.Runner.Run(m.Bundle.Golden[0].Pix); err != nil {
			t.Fatal(err)
		}
		again, log := open(t, dir)
		if serial(s) != n+1 || serial(again) != n+1 {
			t.Fatalf("active is %d, after a restart %d; want %d", serial(s), serial(again), n+1)
		}
		if log.Len() > 0 {
			t.Errorf("a healthy store logs: %s", log)
		}
	}
}

func TestRefusals(t *testing.T) {
	s, _ := open(t, t.TempDir())
	install(t, s, 5)
	before, _ := s.Active()
	foreign, err := bundle.Encode(bundletest.Small(9), bundletest.Key(2))
	if err != nil {
		t.Fatal(err)
	}
	changed := bytesOf(t, 9)
	changed[len(changed)/2] ^= 1
	for _, c := range []struct {
		name string
		data []byte
		want func(error) bool
	}{
		{"a lower serial", bytesOf(t, 4), func(err error) bool {
			var e *SerialError
			return errors.As(err, &e) && *e == SerialError{Have: 5, Got: 4}
		}},
		{"another bundle with the same serial", bytesOf(t, 5, func(b *bundle.Bundle) { b.Threshold = 0.9 }), func(err error) bool {
			var e *SerialError
			return errors.As(err, &e) && *e == SerialError{Have: 5, Got: 5}
		}},
		{"for another station", bytesOf(t, 6, func(b *bundle.Bundle) { b.Target = "plant/line/2" }), func(err error) bool {
			var e *TargetError
			return errors.As(err, &e) && e.Station == station
		}},
		{"a wrong golden sum", bytesOf(t, 6, func(b *bundle.Bundle) { b.Golden[2].Sum++ }), func(err error) bool {
			var e *bundle.GoldenError
			return errors.As(err, &e) && e.Index == 2
		}},
		{"signed by someone else", foreign, func(err error) bool { return errors.Is(err, bundle.ErrUntrustedKey) }},
		{"changed on the way", changed, func(err error) bool { return errors.Is(err, bundle.ErrBadSignature) }},
		{"cut off", bytesOf(t, 9)[:900], func(err error) bool { return errors.Is(err, bundle.ErrTruncated) }},
		{"nothing", nil, func(err error) bool { return err != nil }},
	} {
		if _, err := s.Install(c.data); !c.want(err) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if after, _ := s.Active(); after != before {
		t.Error("a refused bundle changed the active one")
	}
	if again, err := s.Install(bytesOf(t, 5)); err != nil || again != before {
		t.Errorf("the same bundle again: %v, %v; want no change", again, err)
	}
	if _, err := s.Install(bytesOf(t, 6, func(b *bundle.Bundle) { b.Target = "plant/*/1" })); err != nil {
		t.Errorf("a bundle for this station among others: %v", err)
	}
}

// damage overwrites the file of the slot that holds the serial.
func damage(t *testing.T, dir string, n uint64) {
	t.Helper()
	for _, slot := range slots {
		path := filepath.Join(dir, slot+".tire")
		data, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(data, bytesOf(t, n)) {
			continue
		}
		data[len(data)/3] ^= 0x10
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatalf("no slot holds serial %d", n)
}

func TestDamagedFolders(t *testing.T) {
	for _, c := range []struct {
		name   string
		harm   func(t *testing.T, dir string) // after the installation of serials 1, 2 and 3
		want   uint64                         // active serial; 0: none
		says   string
		refuse uint64 // serial that must be refused; 0: none
		accept uint64 // serial that must be accepted
	}{
		{"the active slot", func(t *testing.T, dir string) { damage(t, dir, 3) }, 2, "other slot used", 1, 3},
		{"the idle slot", func(t *testing.T, dir string) { damage(t, dir, 2) }, 3, "reserve model unusable", 2, 4},
		{"both slots", func(t *testing.T, dir string) { damage(t, dir, 2); damage(t, dir, 3) }, 0, "", 2, 3},
		{"the active slot's file is missing", func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, "a.tire")) }, 2, "is missing", 1, 3},
		{"the state file is missing", func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, "state.json")) }, 3, "active slot unknown", 2, 4},
		{"the state file is damaged", func(t *testing.T, dir string) {
			os.WriteFile(filepath.Join(dir, "state.json"), []byte(`{"active": "c"`), 0o644)
		}, 3, "state file damaged", 2, 4},
		{"everything is missing", func(t *testing.T, dir string) { os.RemoveAll(dir) }, 0, "", 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "models")
			s, _ := open(t, dir)
			install(t, s, 1, 2, 3)
			c.harm(t, dir)
			s, log := open(t, dir)
			if got := serial(s); got != c.want {
				t.Fatalf("serial %d is active; want %d", got, c.want)
			}
			if !strings.Contains(log.String(), c.says) {
				t.Errorf("the log lacks %q: %s", c.says, log)
			}
			if _, err := s.Active(); c.want == 0 && !errors.Is(err, ErrNoModel) {
				t.Errorf("without a model: %v; want ErrNoModel", err)
			}
			if c.refuse > 0 && c.refuse != c.want {
				var old *SerialError
				if _, err := s.Install(bytesOf(t, c.refuse)); !errors.As(err, &old) {
					t.Errorf("serial %d: %v; want *SerialError", c.refuse, err)
				}
			}
			install(t, s, c.accept)
			s, _ = open(t, dir)
			if got := serial(s); got != c.accept {
				t.Errorf("after installing %d and a restart serial %d is active", c.accept, got)
			}
		})
	}
}

// TestEveryWriteMayFail lets each write of an installation fail in two ways: nothing reached the
// disk, or everything did but an error was reported. The running station keeps its model; after a
// restart the old or the new one is active.
func TestEveryWriteMayFail(t *testing.T) {
	broken := errors.New("disk failure")
	for _, before := range []uint64{0, 1, 2} { // serials installed before
		for step := range 2 {
			for _, persisted := range []bool{false, true} {
				dir := t.TempDir()
				s, _ := open(t, dir)
				for n := range before {
					install(t, s, n+1)
				}
				writes := 0
				s.write = func(path string, data []byte, perm fs.FileMode) error {
					writes++
					if writes-1 != step {
						return durable.WriteFile(path, data, perm)
					}
					if persisted {
						durable.WriteFile(path, data, perm)
					}
					return broken
				}
				if _, err := s.Install(bytesOf(t, 7)); !errors.Is(err, broken) {
					t.Fatalf("write %d failed, Install returns %v", step, err)
				}
				if got := serial(s); got != before {
					t.Errorf("write %d failed (persisted %v): serial %d is active; want %d", step, persisted, got, before)
				}
				again, _ := open(t, dir)
				if got := serial(again); got != before && got != 7 || got == before && step == 1 && persisted {
					t.Errorf("write %d failed (persisted %v): after a restart serial %d is active, was %d", step, persisted, got, before)
				}
				for _, store := range []*Store{again, s} {
					store.write = durable.WriteFile
					install(t, store, 7)
				}
				if again, _ = open(t, dir); serial(again) != 7 {
					t.Errorf("write %d failed (persisted %v): after the second attempt serial %d is active", step, persisted, serial(again))
				}
			}
		}
	}
}

func TestInspectChangesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "models")
	o := Options{Dir: dir, Verify: Verifier(bundletest.Public(1), station, nil), Log: slog.New(slog.DiscardHandler)}
	if _, err := Inspect(o); !errors.Is(err, ErrNoModel) {
		t.Errorf("no folder: %v; want ErrNoModel", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder was created: %v", err)
	}
	s, _ := open(t, dir)
	install(t, s, 1, 2)
	unfinished := filepath.Join(dir, ".a.tire.unfinished-1")
	if err := os.WriteFile(unfinished, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	shot, err := Inspect(o)
	if err != nil || shot.Active.Bundle.Serial != 2 {
		t.Errorf("%+v, %v; want serial 2", shot, err)
	}
	if _, err := os.Stat(unfinished); err != nil {
		t.Errorf("a running station's file was removed: %v", err)
	}
}

func TestWait(t *testing.T) {
	s, _ := open(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("without a model: %v", err)
	}
	got := make(chan uint64)
	go func() {
		m, err := s.Wait(context.Background())
		if err != nil {
			t.Error(err)
		}
		got <- m.Bundle.Serial
	}()
	install(t, s, 4, 5)
	if n := <-got; n != 4 && n != 5 {
		t.Errorf("Wait returned serial %d", n)
	}
}
