package journal

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"modernc.org/sqlite"
)

// SQLite's own texts do not reach a person, and callers still find the cause.
func TestErrorsArePlain(t *testing.T) {
	dir := t.TempDir()
	text, folder := filepath.Join(dir, "text.db"), filepath.Join(dir, "missing", "a.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database ", 99)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path       string
		statements []string
		kind       error // nil: *DamagedError
		want       string
	}{
		{filepath.Join(dir, "full.db"), []string{`PRAGMA max_page_count = 2`, `CREATE TABLE a (b); CREATE TABLE c (d)`},
			ErrFull, "the disk is full: delete other files or lower journal.max_size"},
		{filepath.Join(dir, "read.db"), []string{`PRAGMA query_only = 1`, `CREATE TABLE a (b)`},
			ErrReadOnly, "the file cannot be written: check that its folder exists"},
		{folder, []string{`CREATE TABLE a (b)`}, ErrReadOnly, "the file cannot be written: check that its folder exists"},
		{text, []string{`SELECT * FROM sqlite_schema`}, nil, "text.db is damaged (it is not an SQLite database, SQLite error 26)"},
	} {
		db, err := sql.Open("sqlite", c.path)
		if err != nil {
			t.Fatal(err)
		}
		db.SetMaxOpenConns(1)
		for _, statement := range c.statements {
			if _, err = db.Exec(statement); err != nil {
				break
			}
		}
		db.Close()
		if _, ok := errors.AsType[*sqlite.Error](err); !ok {
			t.Fatalf("%s: SQLite reports %v", c.path, err)
		}
		plain := explain(c.path, err)
		if !strings.Contains(plain.Error(), c.want) || strings.Contains(plain.Error(), err.Error()) {
			t.Errorf("%v becomes %v, want %s", err, plain, c.want)
		}
		_, damaged := errors.AsType[*DamagedError](plain)
		if c.kind == nil != damaged || c.kind != nil && !errors.Is(plain, c.kind) {
			t.Errorf("%v becomes %#v", err, plain)
		}
	}
}

func TestFileErrorsArePlain(t *testing.T) {
	for cause, kind := range map[error]error{
		syscall.ENOSPC: ErrFull, syscall.EACCES: ErrReadOnly, syscall.EROFS: ErrReadOnly, syscall.EIO: errDisk,
	} {
		err := explainFile(&os.PathError{Op: "write", Path: "x.db-numbers", Err: cause})
		if !errors.Is(err, kind) || !errors.Is(err, cause) || !strings.HasPrefix(err.Error(), "x.db-numbers: ") {
			t.Errorf("%v becomes %v", cause, err)
		}
		if again := explain("x.db", explainFile(err)); again != err {
			t.Errorf("explained again, %v becomes %v", err, again)
		}
	}
}
