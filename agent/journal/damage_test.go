package journal_test

import (
	"bytes"
	"database/sql"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tirewatch/agent/journal"
	"tirewatch/internal/durable"
)

// aside lists the damaged files that were set aside, without their logs.
func aside(t *testing.T, path string) []string {
	t.Helper()
	found, err := filepath.Glob(path + ".damaged-*Z*")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, name := range found {
		if !strings.HasSuffix(name, "-wal") && !strings.HasSuffix(name, "-shm") {
			names = append(names, name)
		}
	}
	return names
}

// rest makes a cleanly closed journal, one file, of n verdicts. The first acked of them are
// acknowledged.
func rest(t *testing.T, n int, acked uint64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journal.db")
	j := open(t, path)
	appendN(t, j, n)
	for seq := uint64(1); seq <= acked; seq++ {
		if err := j.MarkAcked(seq); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// next appends a verdict and returns its number.
func next(t *testing.T, j *journal.Journal) uint64 {
	t.Helper()
	v := aVerdict()
	if err := j.Append(v); err != nil {
		t.Fatal(err)
	}
	return v.Seq
}

// A damaged journal is kept byte for byte, the numbers continue above every used number, and the
// readable rows of the queue are saved.
func TestDamagedJournalIsKeptAside(t *testing.T) {
	const n, acked = 200, 50
	tests := []struct {
		name  string
		spoil func(t *testing.T, path string)
		saved int // at least
	}{
		{"text", func(t *testing.T, path string) {
			edit(t, path, func(b []byte) { copy(b, "this was a journal once") })
		}, 0},
		{"zeroes in the middle of the table", func(t *testing.T, path string) {
			edit(t, path, func(b []byte) { clear(b[len(b)/2&^4095:][:4096]) })
		}, 120},
		{"zeroes in two places", func(t *testing.T, path string) {
			edit(t, path, func(b []byte) { clear(b[len(b)/2&^4095:][:4096]); clear(b[len(b)-8192 : len(b)-4096]) })
		}, 100},
		{"half of the file is missing", func(t *testing.T, path string) {
			if err := os.Truncate(path, 12<<10); err != nil {
				t.Fatal(err)
			}
		}, 0},
		{"the whole file is noise", func(t *testing.T, path string) {
			edit(t, path, func(b []byte) {
				for i := range b {
					b[i] = byte(i * 37)
				}
			})
		}, 0},
		{"an empty table", func(t *testing.T, path string) { execSQL(t, path, "DELETE FROM journal") }, n - acked},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := rest(t, n, acked)
			test.spoil(t, path)
			before := files(t, path)
			j := open(t, path)
			kept := aside(t, path)
			if len(kept) != 1 || !bytes.Equal(files(t, kept[0])[""], before[""]) {
				t.Fatalf("set aside: %v", kept)
			}
			notes := strings.Join(j.Notes(), "\n")
			if !strings.Contains(notes, kept[0]) || !strings.Contains(notes, "was damaged") {
				t.Errorf("notes: %s", notes)
			}
			saved, err := j.Pending(0, math.MaxInt32)
			if err != nil {
				t.Fatal(err)
			}
			if len(saved) < test.saved {
				t.Errorf("%d verdicts were saved, want at least %d", len(saved), test.saved)
			}
			for _, v := range saved {
				want := aVerdict()
				want.Seq, want.Station = v.Seq, station
				if v.Seq <= acked || v.Seq > n || v.Time != want.Time || v.Votes[0] != want.Votes[0] {
					t.Errorf("saved %+v", v)
				}
			}
			if seq := next(t, j); seq != journal.Block+1 {
				t.Errorf("the numbers continue with %d, want %d", seq, journal.Block+1)
			}
			_, gaps, err := j.Gaps(10)
			if err != nil || len(gaps) != 1 || gaps[0].Last != journal.Block || gaps[0].First > acked+1 {
				t.Errorf("gaps %v, %v", gaps, err)
			}
			j.Close()
			j = open(t, path) // an ordinary start follows
			if len(j.Notes()) != 0 || next(t, j) != journal.Block+2 {
				t.Errorf("at the next start: notes %v", j.Notes())
			}
		})
	}
}

// The power may fail after each step of the repair. The next start continues, keeps the same file,
// and saves the same rows.
func TestRepairIsInterrupted(t *testing.T) {
	cut := errors.New("power cut")
	for stop := 0; ; stop++ {
		path := rest(t, 50, 10)
		edit(t, path, func(b []byte) { copy(b[len(b)/2&^4095:][:4096], make([]byte, 4096)) })
		if err := os.WriteFile(path+"-wal", []byte("a useless log"), 0o600); err != nil {
			t.Fatal(err)
		}
		damaged := files(t, path)[""]
		steps := 0
		step := func() error {
			if steps++; steps > stop {
				return cut
			}
			return nil
		}
		env := journal.Environment{
			WriteFile: func(path string, data []byte, perm fs.FileMode) error {
				if err := step(); err != nil {
					return err
				}
				return durable.WriteFile(path, data, perm)
			},
			Rename: func(from, to string) error {
				if err := step(); err != nil {
					return err
				}
				return os.Rename(from, to)
			},
		}
		j, err := journal.OpenIn(env, path, station)
		if err == nil {
			j.Close()
			if stop != 6 {
				t.Errorf("the repair took %d steps, want 6: numbers, -shm, -wal, database, new database, numbers", stop)
			}
			break
		}
		if !errors.Is(err, cut) {
			t.Fatal(err)
		}
		j = open(t, path)
		kept := aside(t, path)
		if len(kept) != 1 || !bytes.Equal(files(t, kept[0])[""], damaged) {
			t.Errorf("stopped at step %d: set aside: %v", stop, kept)
		}
		if got := pending(t, j, 0, 100); len(got) < 10 {
			t.Errorf("stopped at step %d: saved %v", stop, got)
		}
		if seq := next(t, j); seq != journal.Block+1 {
			t.Errorf("stopped at step %d: the numbers continue with %d", stop, seq)
		}
		if _, gaps, err := j.Gaps(10); err != nil || len(gaps) != 1 {
			t.Errorf("stopped at step %d: gaps %v, %v", stop, gaps, err)
		}
	}
}

// A bad card produces many damaged files, so only the newest are kept.
func TestFewDamagedFilesAreKept(t *testing.T) {
	path := rest(t, 1, 0)
	for range 4 {
		edit(t, path, func(b []byte) { copy(b, "noise") })
		open(t, path).Close()
	}
	if kept := aside(t, path); len(kept) != 2 {
		t.Errorf("kept: %v", kept)
	}
}

// A file that is damaged while the agent runs refuses more verdicts, reports it, and is repaired at
// the next start.
func TestDamageAtWork(t *testing.T) {
	path := rest(t, 2000, 0)
	j := open(t, path)
	edit(t, path, func(b []byte) { clear(b[len(b)/2&^4095:]) })
	_, err := j.Pending(0, 5000)
	if _, ok := errors.AsType[*journal.DamagedError](err); !ok {
		t.Fatalf("got %v", err)
	}
	<-j.Damaged()
	if err := j.Append(aVerdict()); err == nil || j.Damage() == nil || !strings.Contains(err.Error(), "next start") {
		t.Errorf("append got %v", err)
	}
	j.Close()
	j = open(t, path)
	if kept := aside(t, path); len(kept) != 1 {
		t.Errorf("kept: %v", kept)
	}
	if seq := next(t, j); seq != 2*journal.Block+1 {
		t.Errorf("the numbers continue with %d", seq)
	}
}

// A corrupt row is not sent and does not block the rows after it.
func TestCorruptRow(t *testing.T) {
	path := rest(t, 5, 0)
	execSQL(t, path, "UPDATE verdicts SET body = zeroblob(9) WHERE seq = 1")
	// valid, but the checksum of another row
	execSQL(t, path, "UPDATE verdicts SET crc = (SELECT crc FROM verdicts WHERE seq = 5) WHERE seq IN (2, 4)")
	j := open(t, path)
	if got := pending(t, j, 0, 1); len(got) != 1 || got[0] != 3 {
		t.Errorf("pending: %v, want 3", got)
	}
	if got := pending(t, j, 3, 10); len(got) != 1 || got[0] != 5 {
		t.Errorf("pending after 3: %v, want 5", got)
	}
	if rows, err := j.After(0, 1); err != nil || len(rows) != 1 || rows[0].Seq != 3 {
		t.Errorf("after 0: %v, %v, want 3", rows, err)
	}
	lost, gaps, err := j.Gaps(10)
	if err != nil || lost != 3 || len(gaps) != 2 || gaps[1].First != 1 || gaps[1].Last != 2 || gaps[0].First != 4 || gaps[0].Last != 4 {
		t.Errorf("lost %d, gaps %v, %v", lost, gaps, err)
	}
	if n, _, err := j.Depth(); n != 2 || err != nil {
		t.Errorf("depth %d, %v", n, err)
	}
}

// Numbers are never reused, whatever happens to the database or to the numbers file.
func TestNumbersNeverRepeat(t *testing.T) {
	remove := func(t *testing.T, paths ...string) {
		for _, path := range paths {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	overwrite := func(t *testing.T, path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name  string
		spoil func(t *testing.T, path string)
		above uint64 // the next number: exactly this one, or at least it when exact is false
		exact bool
		note  string
	}{
		{"undamaged", func(t *testing.T, path string) {}, 10, true, ""},
		{"the database is missing", func(t *testing.T, path string) { remove(t, path) }, journal.Block + 1, true, "a new one begins"},
		{"the database is empty", func(t *testing.T, path string) { overwrite(t, path, "") }, journal.Block + 1, true, "a new one begins"},
		{"the numbers file is missing", func(t *testing.T, path string) { remove(t, path+"-numbers") }, 10, true, "written again"},
		{"the numbers file is noise", func(t *testing.T, path string) { overwrite(t, path+"-numbers", "1025") }, 10, true, "written again"},
		{"the numbers file was changed", func(t *testing.T, path string) {
			edit(t, path+"-numbers", func(b []byte) { copy(b[bytes.Index(b, []byte("1024")):], "0024") })
		}, 10, true, "written again"},
		{"both are damaged", func(t *testing.T, path string) {
			overwrite(t, path, "noise")
			overwrite(t, path+"-numbers", "noise")
		}, 1_700_000_000_000, false, "was damaged"},
		{"the database is damaged and the numbers file is missing", func(t *testing.T, path string) {
			overwrite(t, path, "noise")
			remove(t, path+"-numbers")
		}, 1_700_000_000_000, false, "was damaged"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := rest(t, 9, 3)
			test.spoil(t, path)
			j := open(t, path)
			if notes := strings.Join(j.Notes(), "\n"); !strings.Contains(notes, test.note) || (test.note == "") != (notes == "") {
				t.Errorf("notes: %s; want %q", notes, test.note)
			}
			seq := next(t, j)
			if seq < test.above || test.exact && seq != test.above {
				t.Errorf("the next number is %d, want %d", seq, test.above)
			}
			j.Close()
			if j = open(t, path); next(t, j) != seq+1 || len(j.Notes()) != 0 {
				t.Errorf("the number after %d is wrong, notes %v", seq, j.Notes())
			}
		})
	}
}

// A restored copy of last week's journal must not reuse last week's numbers.
func TestOldCopyOfTheJournal(t *testing.T) {
	path := rest(t, 9, 9)
	old := files(t, path)[""]
	j := open(t, path)
	appendN(t, j, journal.Block+100)
	j.Close()
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	j = open(t, path)
	if !strings.Contains(strings.Join(j.Notes(), ""), "is older than its file of used numbers") {
		t.Errorf("notes %v", j.Notes())
	}
	if seq := next(t, j); seq != 2*journal.Block+1 {
		t.Errorf("the next number is %d", seq)
	}
	if _, gaps, err := j.Gaps(9); err != nil || len(gaps) != 1 || gaps[0].First != 10 || gaps[0].Last != 2*journal.Block {
		t.Errorf("gaps %v, %v", gaps, err)
	}
}

// While numbers cannot be reserved, nothing is stored; afterwards there is no gap.
func TestNumbersCannotBeReserved(t *testing.T) {
	for name, persisted := range map[string]bool{"not written": false, "written but reported as failed": true} {
		t.Run(name, func(t *testing.T) {
			failing := true
			env := journal.Environment{WriteFile: func(path string, data []byte, perm fs.FileMode) error {
				if !failing {
					return durable.WriteFile(path, data, perm)
				}
				if persisted {
					if err := durable.WriteFile(path, data, perm); err != nil {
						return err
					}
				}
				return &fs.PathError{Op: "write", Path: path, Err: syscall.ENOSPC}
			}}
			path := filepath.Join(t.TempDir(), "journal.db")
			j, err := journal.OpenIn(env, path, station)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { j.Close() })
			if err := j.Append(aVerdict()); !errors.Is(err, journal.ErrFull) {
				t.Errorf("got %v", err)
			}
			failing = false
			if seq := next(t, j); seq != 1 {
				t.Errorf("number %d", seq)
			}
			j.Close()
			if seq := next(t, open(t, path)); seq != 2 {
				t.Errorf("number %d after a restart", seq)
			}
		})
	}
}

func TestNumbersOfAnotherStation(t *testing.T) {
	path := rest(t, 1, 0)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err := journal.Open(path, "a/b/c")
	if s, ok := errors.AsType[*journal.StationError](err); !ok || s.Have != station {
		t.Errorf("got %v", err)
	}
}

// schema1 is the database of the first release.
const schema1 = `
CREATE TABLE journal (station TEXT NOT NULL) STRICT;
CREATE TABLE verdicts (seq INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, label TEXT NOT NULL, probability REAL NOT NULL,
	acked INTEGER NOT NULL DEFAULT 0, body BLOB NOT NULL) STRICT;
CREATE INDEX pending ON verdicts (seq) WHERE acked = 0;
INSERT INTO journal VALUES ('` + station + `');
PRAGMA application_id = 0x54495245;
PRAGMA user_version = 1;`

// A journal of the first release continues without a gap and without a note.
func TestJournalOfSchema1(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(schema1); err != nil {
		t.Fatal(err)
	}
	v := aVerdict()
	v.Station = station
	body, err := v.Encode("msgpack")
	if err != nil {
		t.Fatal(err)
	}
	for acked := range 2 {
		if _, err := db.Exec(`INSERT INTO verdicts (time, label, probability, acked, body) VALUES (0, 'crack', 0.5, ?, ?)`, 1-acked, body); err != nil {
			t.Fatal(err)
		}
	}
	db.Close()
	for want := uint64(3); want < 5; want++ {
		j := open(t, path)
		if j.Created() || len(j.Notes()) != 0 {
			t.Errorf("created %v, notes %v", j.Created(), j.Notes())
		}
		if seq := next(t, j); seq != want {
			t.Errorf("number %d, want %d", seq, want)
		}
		if got := pending(t, j, 0, 10); got[0] != 2 || len(got) != int(want)-1 {
			t.Errorf("pending %v", got)
		}
		j.Close()
	}
}
