package journal_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tirewatch/agent/journal"
)

// A log that lost what was synced must not make numbers come again, and one that a power cut left unfinished is no loss.
func TestLostLog(t *testing.T) {
	const frame = 24 + 4096
	flip := func(at func(size int) int) func(t *testing.T, log string) {
		return func(t *testing.T, log string) { edit(t, log, func(b []byte) { b[at(len(b))] ^= 1 }) }
	}
	tests := []struct {
		name  string
		spoil func(t *testing.T, log string)
		lost  string
	}{
		{"whole", func(*testing.T, string) {}, ""},
		{"gone", func(t *testing.T, log string) {
			if err := os.Remove(log); err != nil {
				t.Fatal(err)
			}
		}, "log is gone"},
		{"a page rotted in the middle", flip(func(size int) int { return size / 2 }), "log is damaged"},
		{"a salt rotted in the middle", flip(func(int) int { return 32 + 50*frame + 9 }), "log is damaged"},
		{"the header rotted", flip(func(int) int { return 13 }), "log is damaged"},
		{"the last page was not finished", flip(func(size int) int { return size - 100 }), ""},
		{"the last page is short", func(t *testing.T, log string) {
			info, err := os.Stat(log)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(log, info.Size()-1000); err != nil {
				t.Fatal(err)
			}
		}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := killed(t, 100)
			test.spoil(t, path+"-wal")
			j := open(t, path)
			notes := strings.Join(j.Notes(), "\n")
			if !strings.Contains(notes, test.lost) || (test.lost == "") != (notes == "") {
				t.Errorf("notes %q, want %q", notes, test.lost)
			}
			seq := next(t, j)
			if test.lost == "" && seq != 101 && seq != 100 || test.lost != "" && seq != journal.Block+1 {
				t.Errorf("the next number is %d", seq)
			}
		})
	}
}

// With the numbers' file gone as well, the numbers go on from the clock.
func TestLostLogAndNumbers(t *testing.T) {
	path := killed(t, 100)
	edit(t, path+"-wal", func(b []byte) { b[len(b)/2] ^= 1 })
	if err := os.Remove(path + "-numbers"); err != nil {
		t.Fatal(err)
	}
	if seq := next(t, open(t, path)); seq < 1_700_000_000_000 {
		t.Errorf("the next number is %d", seq)
	}
}

// The log goes at a clean end, and that is no loss. Neither is a log of an earlier round behind the present one.
func TestLogOfManyRounds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	want := uint64(1)
	for range 3 {
		j, err := journal.OpenIn(journal.Environment{NoSync: true}, path, station)
		if err != nil {
			t.Fatal(err)
		}
		if len(j.Notes()) != 0 {
			t.Errorf("notes %v", j.Notes())
		}
		for range 700 { // SQLite begins the log again after some 300
			if seq := next(t, j); seq != want {
				t.Fatalf("number %d, want %d", seq, want)
			}
			want++
		}
		copied := filepath.Join(t.TempDir(), "journal.db")
		for _, suffix := range []string{"", "-wal", "-numbers"} {
			data, err := os.ReadFile(path + suffix)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(copied+suffix, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if killed := open(t, copied); len(killed.Notes()) != 0 || next(t, killed) != want {
			t.Errorf("killed: notes %v", killed.Notes())
		}
		j.Close()
	}
}
