package journal_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tirewatch/agent/journal"
	"tirewatch/vision/verdict"
)

// A log that lost synced data must not cause reused numbers. An unfinished end after a power cut is
// not a loss.
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
		{"intact", func(*testing.T, string) {}, ""},
		{"missing", func(t *testing.T, log string) {
			if err := os.Remove(log); err != nil {
				t.Fatal(err)
			}
		}, "log is missing"},
		{"a corrupt page in the middle", flip(func(size int) int { return size / 2 }), "log is damaged"},
		{"a corrupt salt in the middle", flip(func(int) int { return 32 + 50*frame + 9 }), "log is damaged"},
		{"a corrupt header", flip(func(int) int { return 13 }), "log is damaged"},
		{"the last page is unfinished", flip(func(size int) int { return size - 100 }), ""},
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

// The agent is killed while it stores a verdict of many pages, then again while it stores a shorter
// one in the same place. The rest of the first follows the second in the log, and no stored verdict
// is lost. (Found by make torture after 1,484 kills.)
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
	unfinish := func(commit int) { // keeps the header of the last frame and clears its page
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

// killedIn opens the journal at path, stores v and is killed. It returns a copy of the journal.
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

// If the numbers file is missing too, the numbers continue from the clock.
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

// A clean end deletes the log, and that is not a loss. Neither are frames of an earlier round after
// the current ones.
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
		for range 700 { // SQLite restarts the log after some 300
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
