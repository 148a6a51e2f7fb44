package journal_test

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tirewatch/agent/journal"
)

// files reads a journal and its log.
func files(t *testing.T, path string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(path + suffix)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		all[suffix] = data
	}
	return all
}

// killed makes a journal of n verdicts as a power cut leaves it: part of it in the write-ahead log.
func killed(t *testing.T, n int) string {
	t.Helper()
	live := filepath.Join(t.TempDir(), "journal.db")
	path := filepath.Join(t.TempDir(), "journal.db")
	open(t, live).Close() // the schema is in the database, everything else in the log
	j := open(t, live)
	appendN(t, j, n)
	for suffix, data := range files(t, live) {
		if err := os.WriteFile(path+suffix, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	numbers, err := os.ReadFile(live + "-numbers")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+"-numbers", numbers, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func edit(t *testing.T, path string, change func([]byte)) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	change(data)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func execSQL(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

// A file that another program may need stays unchanged, and the error says why.
func TestUnusableFileIsLeftAlone(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(t *testing.T, path string)
		check func(t *testing.T, err error)
	}{
		{"newer schema", func(t *testing.T, path string) { execSQL(t, path, "PRAGMA user_version = 3") },
			func(t *testing.T, err error) {
				if v, ok := errors.AsType[*journal.VersionError](err); !ok || v.Have != 3 || v.Know != journal.Version {
					t.Errorf("got %v", err)
				}
			}},
		{"database of another program", func(t *testing.T, path string) { execSQL(t, path, "PRAGMA application_id = 1") },
			func(t *testing.T, err error) {
				if !errors.Is(err, journal.ErrNotJournal) {
					t.Errorf("got %v", err)
				}
			}},
		{"journal of another station", func(t *testing.T, path string) { execSQL(t, path, "UPDATE journal SET station = 'a/b/c'") },
			func(t *testing.T, err error) {
				if s, ok := errors.AsType[*journal.StationError](err); !ok || s.Have != "a/b/c" || s.Want != station {
					t.Errorf("got %v", err)
				}
			}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := killed(t, 200)
			test.spoil(t, path)
			before := files(t, path)
			j, err := journal.Open(path, station)
			if err == nil {
				j.Close()
				t.Fatal("the file was accepted")
			}
			test.check(t, err)
			if !strings.Contains(err.Error(), path) {
				t.Errorf("the error does not name the file: %v", err)
			}
			for suffix, data := range files(t, path) {
				if !bytes.Equal(data, before[suffix]) {
					t.Errorf("journal.db%s was changed", suffix)
				}
			}
		})
	}
}

// A copy of a running journal holds everything that was appended.
func TestCopyOfRunningJournal(t *testing.T) {
	j := open(t, killed(t, 200))
	if got := pending(t, j, 0, 1000); len(got) != 200 || got[199] != 200 {
		t.Errorf("got %d verdicts", len(got))
	}
}

// The power may fail before a new file has a schema.
func TestUnfinishedFileIsCreatedAgain(t *testing.T) {
	for name, begin := range map[string]func(path string){
		"empty file":            func(path string) { os.WriteFile(path, nil, 0o600) },
		"only the journal mode": func(path string) { execSQL(t, path, "PRAGMA journal_mode = WAL") },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal.db")
			begin(path)
			j := open(t, path)
			appendN(t, j, 1)
			if !j.Created() {
				t.Error("not reported as new")
			}
		})
	}
}

func TestMissingFolder(t *testing.T) {
	_, err := journal.Open(filepath.Join(t.TempDir(), "missing", "journal.db"), station)
	if !errors.Is(err, journal.ErrReadOnly) {
		t.Errorf("got %v", err)
	}
}
