package models

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"tirewatch/vision/bundle"
)

// newInbox returns an inbox in an empty folder.
func newInbox(t *testing.T, r *rig) *Inbox {
	t.Helper()
	return NewInbox(t.TempDir(), r.Store, slog.New(slog.NewTextHandler(&r.log, nil)))
}

func (b *Inbox) put(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// files lists the inbox.
func (b *Inbox) files(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func (b *Inbox) looks(n int) {
	for range n {
		b.Look()
	}
}

func TestInbox(t *testing.T) {
	for _, c := range []struct {
		name   string
		data   []byte
		looks  int // until the result must be visible
		files  []string
		reason string
		serial uint64
	}{
		{"a good bundle", bytesOf(t, 2), stillLooks + 1, []string{"m.tire.accepted"}, "", 2},
		{"the active one again", bytesOf(t, 1), stillLooks + 1, []string{"m.tire.accepted"}, "", 1},
		{"one look is too few", bytesOf(t, 2), stillLooks, []string{"m.tire"}, "", 1},
		{"for another station", bytesOf(t, 2, func(b *bundle.Bundle) { b.Target = "else/where/1" }), stillLooks + 1,
			[]string{"m.tire.refused", "m.tire.refused.txt"}, "made for else/where/1", 1},
		{"something else", []byte("hello"), stillLooks + 1, []string{"m.tire.refused", "m.tire.refused.txt"}, "not a bundle", 1},
		{"a truncated file gets more time", bytesOf(t, 2)[:900], patientLooks, []string{"m.tire"}, "", 1},
		{"a truncated file is refused in the end", bytesOf(t, 2)[:900], patientLooks + 1, []string{"m.tire.refused", "m.tire.refused.txt"}, "cut off", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			install(t, r.Store, 1)
			b := newInbox(t, r)
			b.put(t, "m.tire", c.data)
			b.looks(c.looks)
			if got := b.files(t); !slices.Equal(got, c.files) {
				t.Errorf("the inbox holds %v; want %v", got, c.files)
			}
			if text, _ := os.ReadFile(filepath.Join(b.dir, "m.tire.refused.txt")); !strings.Contains(string(text), c.reason) {
				t.Errorf("the reason is %q; want %q", text, c.reason)
			}
			if got := serial(r.Store); got != c.serial {
				t.Errorf("serial %d is active; want %d", got, c.serial)
			}
		})
	}
}

// A slow copy is never refused, however long it takes.
func TestInboxWaitsForACopy(t *testing.T) {
	r := newRig(t)
	b := newInbox(t, r)
	data := bytesOf(t, 3)
	for n := 100; n < len(data); n += 100 {
		b.put(t, "m.tire", data[:n])
		b.looks(patientLooks - 1)
	}
	b.put(t, "m.tire", data)
	b.looks(stillLooks + 1)
	if got := b.files(t); !slices.Equal(got, []string{"m.tire.accepted"}) {
		t.Errorf("the inbox holds %v", got)
	}
}

// TestAttackTrapsInTheInbox: only plain files of a bundle's size are opened and read. A pipe would
// block the agent for ever.
func TestAttackTrapsInTheInbox(t *testing.T) {
	r := newRig(t)
	b := newInbox(t, r)
	outside := filepath.Join(t.TempDir(), "m.tire")
	if err := os.WriteFile(outside, bytesOf(t, 3), 0o600); err != nil {
		t.Fatal(err)
	}
	huge := filepath.Join(b.dir, "huge.tire")
	for _, err := range []error{
		syscall.Mkfifo(filepath.Join(b.dir, "pipe.tire"), 0o600), os.Symlink(outside, filepath.Join(b.dir, "link.tire")),
		os.Mkdir(filepath.Join(b.dir, "folder.tire"), 0o700), os.WriteFile(huge, nil, 0o600), os.Truncate(huge, 2<<30),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	b.put(t, ".hidden.tire", bytesOf(t, 3))
	b.put(t, "m.tire.part", bytesOf(t, 3))
	b.looks(patientLooks + 1)
	want := []string{".hidden.tire", "folder.tire", "huge.tire.refused", "huge.tire.refused.txt", "link.tire", "m.tire.part", "pipe.tire"}
	if got := b.files(t); !slices.Equal(got, want) {
		t.Errorf("the inbox holds %v; want %v", got, want)
	}
	r.want(0, 0, 0)
}

// A removed stick and one that cannot be written do not stop the inbox, and are logged once.
func TestInboxComesAndGoes(t *testing.T) {
	r := newRig(t)
	b := newInbox(t, r)
	dir := b.dir
	b.dir = filepath.Join(dir, "stick")
	b.looks(5)
	if n := strings.Count(r.log.String(), "inbox unreadable"); n != 1 {
		t.Errorf("%d messages about a missing folder", n)
	}
	if err := os.Mkdir(b.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	b.put(t, "m.tire", bytesOf(t, 1, func(b *bundle.Bundle) { b.Target = "else/where/1" }))
	if err := os.MkdirAll(filepath.Join(b.dir, "m.tire.refused", "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	b.looks(20)
	if n := len(r.kinds()); n != 1 {
		t.Errorf("it was installed %d times: %v", n, r.kinds())
	}
}
