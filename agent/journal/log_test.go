package journal_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tirewatch/agent/journal"
	"tirewatch/vision/verdict"
)

// A log that lost what was synced must not make numbers come again, and one that a power cut left
// unfinished is no loss.
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

// Killed while it stores a verdict of many pages, started, and killed again while it stores a
// shorter one in the same place: what stands behind the second is what is left of the first, and
// nothing that was stored is lost. (Found by make torture after 1,484 kills.)
func TestKilledTwiceIsNoLoss(t *testing.T) {
	const frame = 24 + 4096
	long := aVerdict()
	long.Votes = make([]verdict.Vote, 1000)

	path := killed(t, 100)
	whole := logSize(t, path)
	path = killedIn(t, path, long)
	end := logSize(t, path)
	if end < whole+8*frame {
		t.Fatalf("the long verdict takes %d frames", (end-whole)/frame)
	}
	unfinish := func(commit int) { // the header of the last frame is there, its page is not
		edit(t, path+"-wal", func(b []byte) { clear(b[commit-4096 : commit]) })
	}
	unfinish(end)

	short := logSize(t, killedIn(t, killed(t, 100), aVerdict())) - whole
	path = killedIn(t, path, aVerdict())
	if size := logSize(t, path); size != end {
		t.Fatalf("the log has %d bytes after the short verdict, want the %d of the long one", size, end)
	}
	unfinish(whole + short)

	j := open(t, path)
	if len(j.Notes()) != 0 {
		t.Errorf("notes %q", j.Notes())
	}
	if seq := next(t, j); seq != 101 {
		t.Errorf("the next number is %d", seq)
	}
}

func logSize(t *testing.T, path string) int {
	t.Helper()
	info, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	return int(info.Size())
}

// killedIn starts on the journal at path, stores v and is killed; the journal that it leaves is
// another one.
func killedIn(t *testing.T, path string, v *verdict.Verdict) string {
	t.Helper()
	j := open(t, path)
	if err := j.Append(v); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(t.TempDir(), "journal.db")
	for _, suffix := range []string{"", "-wal", "-numbers"} {
		data, err := os.ReadFile(path + suffix)
		if err == nil {
			err = os.WriteFile(left+suffix, data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return left
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

// The log goes at a clean end, and that is no loss. Neither is a log of an earlier round behind the
// present one.
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
